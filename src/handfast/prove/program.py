"""What a program under proof is: how to find it, start it on loopback, visit it, and make it read its files again.

A program is one file `prove/programs/<target's name>.py` with the attribute `program: Program`.
"""

import shutil
import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from handfast.prove.visitors import ThrowAwayPki, Visitor
from handfast.targets.contract import RenderedFile, Setting


class Outcome(StrEnum):
    """What a visit came to. CLOSED is a connection that ended without a word: a refusal only if others are served."""

    ADMITTED = "admitted"
    REFUSED = "refused"
    CLOSED = "closed"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Session:
    """A TLS session to come back with. Python ties it to the context that made it."""

    context: ssl.SSLContext
    session: ssl.SSLSession


@dataclass(frozen=True, slots=True)
class Observation:
    """What was seen of one visit. words: "HTTP 200", "alert certificate revoked". identity: as the server saw it.

    tls: "TLSv1.3", or "" when the handshake did not get so far. log: what the program's log said about it.
    """

    outcome: Outcome
    words: str
    tls: str = ""
    resumed: bool = False
    identity: str = ""
    log: str = ""
    seconds: float = 0.0
    session: Session | None = None


@dataclass(frozen=True, slots=True)
class Visit:
    """Who comes, how. version None: the best that both sides have. session: resume it, if the server will.

    server_name and trust (PEM) are what the client checks the server against; None means the right ones.
    """

    visitor: Visitor
    version: ssl.TLSVersion | None = None
    session: Session | None = None
    server_name: str | None = None
    trust: str | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a program is run: a short directory, its files as `handfast config` wrote them, and the throw-away PKI.

    upstream: "127.0.0.1:port" of a server that answers with the headers it was sent, for programs that are proxies
    (also in setting.upstream). The program listens on setting.listen ("127.0.0.1") and setting.port.
    """

    directory: Path
    setting: Setting
    files: tuple[RenderedFile, ...]
    pki: ThrowAwayPki

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to connect to."""
        return self.setting.listen, self.setting.port


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A program that runs, and answers. `reload` returns when what the files say now is demonstrably in force.

    visit: one visit from start to end; see prove/visit.py for the TLS kind. stop: ends it and everything it started.
    alive: it still runs. log: its log file, when it has one. versions: the TLS versions that it can be asked for.
    kick: cuts the sessions that are open, as the target says. deny: puts the serial numbers on its deny-list, hot.
    """

    visit: Callable[[Visit], Observation]
    reload: Callable[[], None]
    stop: Callable[[], None]
    alive: Callable[[], bool]
    log: Path | None = None
    versions: tuple[ssl.TLSVersion, ...] = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
    kick: Callable[[], None] | None = None
    deny: Callable[[tuple[int, ...]], None] | None = None


@dataclass(frozen=True, slots=True)
class Program:
    """A program that can be run for proof. needs: every executable that must be on PATH; package: Debian's name.

    blind: the bad servers that its own kind of client cannot tell from good ones; the matrix leaves them out.
    start returns when the program accepts connections, or raises Unavailable with the end of its log.
    """

    target: str
    needs: tuple[str, ...]
    package: str
    start: Callable[[Stage], Running]
    blind: tuple[str, ...] = ()

    def missing(self) -> tuple[str, ...]:
        """The executables that are not on this machine."""
        return tuple(name for name in self.needs if find_program(name) is None)


def find_program(name: str) -> str | None:
    """The path of an executable; /usr/sbin is searched too, where Debian puts servers and users' PATH does not, and
    then the directory of the Python that runs this, where pip puts them."""
    beside = str(Path(sys.executable).parent)
    return shutil.which(name) or shutil.which(name, path=f"/usr/local/sbin:/usr/sbin:/sbin:{beside}")
