"""Where the passphrase of a CA key comes from: a file, a credential directory, or whoever is at the terminal."""

import os
from collections.abc import Callable
from pathlib import Path

from handfast.errors import ConfigError
from handfast.keys.files import read_private

# Called with the name of a key, when its passphrase is needed; None: there is none.
PassphraseSource = Callable[[str], bytes | None]
CREDENTIAL = "handfast-passphrase"
LEAST_LENGTH = 8
_MOST = 1024


def no_passphrase(name: str) -> bytes | None:
    """The source for keys that are knowingly kept unencrypted."""
    return None


def from_file(path: Path) -> PassphraseSource:
    """The first line of a file that only its owner may read."""
    return lambda name: _first_line(path)


def from_credentials() -> PassphraseSource | None:
    """The credential `handfast-passphrase` that systemd or the like provides; None when there is none.

    A key has its own where `handfast-passphrase-NAME` is there; a tenant's keys where `handfast-passphrase-TENANT` is.
    Its group may read it: systemd names the service's user in an ACL, and what that allows shows in the group's bits.
    """
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    if not directory or not Path(directory).is_dir():
        return None

    def source(name: str) -> bytes | None:
        tenant, dot, _ = name.rpartition(".")
        own = (f"{CREDENTIAL}-{name}", f"{CREDENTIAL}-{tenant}") if dot else (f"{CREDENTIAL}-{name}",)
        for path in (Path(directory, one) for one in (*own, CREDENTIAL)):
            if path.exists():
                return _first_line(path, group_reads=True)
        return None

    return source


def from_prompt(ask: Callable[[str], str], *, is_over: Callable[[], bool] = lambda: False) -> PassphraseSource:
    """Asks once for each key. ask: shows a prompt and returns what was typed, unseen. is_over: nobody is there to ask
    any more, and what was not typed before has no passphrase.
    """
    answers: dict[str, bytes] = {}

    def source(name: str) -> bytes | None:
        if name not in answers:
            if is_over():
                return None
            answers[name] = ask(f"Passphrase of the key {name}").encode()
        return answers[name] or None

    return source


def first_of(*sources: PassphraseSource | None) -> PassphraseSource:
    """The first of these that has a passphrase; each may be None."""
    present = [source for source in sources if source is not None]
    return lambda name: next((found for source in present if (found := source(name)) is not None), None)


def require_long_enough(passphrase: bytes) -> None:
    """Raise ConfigError for a passphrase that is too short to protect a CA."""
    if len(passphrase) < LEAST_LENGTH:
        msg = f"the passphrase has {len(passphrase)} characters; it needs at least {LEAST_LENGTH}"
        raise ConfigError(msg, hint="use several words")


def _first_line(path: Path, *, group_reads: bool = False) -> bytes:
    data = read_private(path, group_reads=group_reads)
    if len(data) > _MOST:
        raise ConfigError(f"{path} has {len(data)} bytes: it is no passphrase", hint="put the passphrase on one line")
    line = data.split(b"\n", 1)[0].rstrip(b"\r")
    if not line:
        raise ConfigError(f"{path} is empty", hint="put the passphrase on its first line")
    return line
