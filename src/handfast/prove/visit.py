"""A visit over TLS, from the first byte to the verdict: what the client saw, in words (RFC 8446 section 6)."""

import socket
import ssl
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from handfast.prove.program import Observation, Outcome, Session, Visit

# A program that thinks longer than this about one client on loopback is broken.
PATIENCE = 20.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the program said once TLS stood. identity: the client as the program sees it, "" when it does not say."""

    admitted: bool
    words: str
    identity: str = ""


Dialogue = Callable[[ssl.SSLSocket], Answer]
Prelude = Callable[[socket.socket], None]


@dataclass(frozen=True, slots=True)
class Door:
    """Where and how to knock. prelude: what is said in the clear first (STARTTLS); dialogue: what is said inside.

    server_name and root (PEM): what a client checks the server against, unless the visit says otherwise.
    alpn: protocols to offer, for servers that insist.
    """

    address: tuple[str, int]
    server_name: str
    root: str
    dialogue: Dialogue
    prelude: Prelude | None = None
    alpn: tuple[str, ...] = ()

    def visit(self, visit: Visit) -> Observation:
        """Knock once. Never raises for what the network or the server does: that is the observation."""
        began = time.monotonic()
        context = visit.session.context if visit.session else client_context(visit, root=self.root, alpn=self.alpn)
        found = self._knock(visit, context)
        return replace(found, seconds=time.monotonic() - began)

    def _knock(self, visit: Visit, context: ssl.SSLContext) -> Observation:
        try:
            raw = socket.create_connection(self.address, timeout=PATIENCE)
        except OSError as error:
            return Observation(Outcome.UNREACHABLE, str(error.strerror or error).lower())
        with raw:
            try:
                if self.prelude:
                    self.prelude(raw)
            except (OSError, ValueError) as error:
                return Observation(Outcome.UNREACHABLE, f"before TLS: {error}")
            return self._talk(raw, visit, context)

    def _talk(self, raw: socket.socket, visit: Visit, context: ssl.SSLContext) -> Observation:
        session = visit.session.session if visit.session else None
        name = visit.server_name or self.server_name
        version, resumed = "", False
        try:
            with context.wrap_socket(
                raw, server_hostname=name, session=session, do_handshake_on_connect=False
            ) as secured:
                secured.do_handshake()
                version, resumed = secured.version() or "", bool(secured.session_reused)
                answer = self.dialogue(secured)
                return Observation(
                    Outcome.ADMITTED if answer.admitted else Outcome.REFUSED,
                    answer.words,
                    tls=version,
                    resumed=resumed,
                    identity=answer.identity,
                    session=_session(context, secured),
                )
        except (OSError, EOFError, ValueError) as error:
            return _refusal(error, version, resumed=resumed)


def client_context(visit: Visit, *, root: str, alpn: tuple[str, ...] = ()) -> ssl.SSLContext:
    """A careful client: the host name is checked, and the server's chain by RFC 5280 to the letter."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.load_verify_locations(cadata=visit.trust or root)
    if visit.version:
        context.minimum_version = context.maximum_version = visit.version
    else:
        context.minimum_version = ssl.TLSVersion.TLSv1_2
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if visit.visitor.chain:
        _load_pair(context, visit.visitor.chain, visit.visitor.key)
    return context


def _load_pair(context: ssl.SSLContext, chain: str, key: str) -> None:
    """Python loads certificates from files only."""
    with tempfile.TemporaryDirectory(prefix="hf-") as directory:
        path = Path(directory) / "pair.pem"
        path.touch(mode=0o600)
        path.write_text(key + chain, encoding="ascii")
        context.load_cert_chain(path)


def _session(context: ssl.SSLContext, secured: ssl.SSLSocket) -> Session | None:
    session = secured.session
    return Session(context, session) if session is not None else None


def _refusal(error: Exception, version: str, *, resumed: bool) -> Observation:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Observation(Outcome.REFUSED, f"client: {error.verify_message.lower().rstrip('.')}", tls=version)
    if isinstance(error, ssl.SSLError) and "ALERT" in (error.reason or ""):
        return Observation(Outcome.REFUSED, alert_words(error.reason), tls=version, resumed=resumed)
    if isinstance(error, ValueError):
        return Observation(Outcome.REFUSED, str(error).lower(), tls=version, resumed=resumed)
    return Observation(Outcome.CLOSED, "connection closed", tls=version, resumed=resumed)


def alert_words(reason: str) -> str:
    """OpenSSL's TLSV13_ALERT_CERTIFICATE_REQUIRED as "alert certificate required" (RFC 8446 section 6.2)."""
    return "alert " + reason.split("ALERT_", 1)[-1].replace("_", " ").lower()


def http(host: str, *, headers: tuple[tuple[str, str], ...] = (), seen: list[str] | None = None) -> Dialogue:
    """One GET. The application is one that greets: its first line is "hello <identity>". seen: takes the bodies."""

    def talk(secured: ssl.SSLSocket) -> Answer:
        lines = ["GET / HTTP/1.1", f"Host: {host}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in headers]
        try:
            secured.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        except ssl.SSLError:
            raise
        except OSError:
            # The server may have closed already, and have said why: that is still to be read.
            pass
        status, body = read_http(secured)
        if seen is not None:
            seen.append(body)
        identity = body.split("\n", 1)[0].removeprefix("hello ").strip() if status == 200 else ""
        return Answer(status == 200, f"HTTP {status}", identity)

    return talk


def read_http(secured: ssl.SSLSocket) -> tuple[int, str]:
    """Status and body of an answer that ends with the connection. Raises EOFError when there is none."""
    data = b""
    while len(data) < 1_000_000:
        try:
            piece = secured.recv(16384)
        except ssl.SSLError:
            if not data:
                raise
            break
        except OSError:
            break
        if not piece:
            break
        data += piece
    if not data.startswith(b"HTTP/"):
        raise EOFError
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), body.decode("utf-8", "replace")
