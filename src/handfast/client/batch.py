"""The directory of a bulk issue: which batch it is of, who works in it, and the keys of its rows."""

import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from handfast.ca.bulk import Row
from handfast.errors import ConfigError, HandfastError, Unavailable
from handfast.keys.files import make_directory, read_private, write_atomically
from handfast.keys.generate import generate_key
from handfast.pki.keys import KeyKind, PrivateKey
from handfast.pki.pem import one_key, to_pem

KEY = "key.pem"
CERTIFICATE = "fullchain.pem"
_BATCH = "batch.json"
# Those of a run that was killed notice it after the chunk that they are at.
_PATIENCE = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkJob:
    """Rows that go into a directory, one directory for each. profile: for rows that name none."""

    rows: tuple[Row, ...]
    out: Path
    batch: str
    profile: str
    key_kind: KeyKind = KeyKind.P256

    def key_of(self, row: Row) -> PrivateKey:
        """The key in the row's directory; a new one, on the disk when this returns, where there is none."""
        folder = self.out / row.name
        path = folder / KEY
        if path.exists():
            return one_key(read_private(path), source=str(path))
        folder.mkdir(mode=0o700, exist_ok=True)
        key = generate_key(self.key_kind)
        write_atomically(path, to_pem(key))
        return key


@dataclass(slots=True)
class BulkReport:
    """What became of the rows. refused: the name and the reason of each that was refused."""

    issued: int = 0
    already: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)

    @property
    def done(self) -> int:
        """How many rows were seen to."""
        return self.issued + self.already + len(self.refused)

    def add(self, other: "BulkReport") -> None:
        """Count another part of the same batch."""
        self.issued += other.issued
        self.already += other.already
        self.refused += other.refused


def batch_of(out: Path) -> str:
    """The batch that this directory belongs to; a new one for a new directory. Raises ConfigError."""
    make_directory(out)
    path = out / _BATCH
    if not path.exists():
        write_atomically(path, json.dumps({"batch": secrets.token_hex(16)}) + "\n")
    try:
        batch = json.loads(path.read_bytes())["batch"]
    except (ValueError, KeyError, TypeError):
        batch = None
    if not isinstance(batch, str):
        hint = "restore it: without it, devices that have a certificate would get another"
        raise ConfigError(f"{path} does not say which batch this directory is of", hint=hint)
    return batch


@contextmanager
def alone_in(out: Path) -> Iterator[None]:
    """Nobody else issues into this directory meanwhile. Raises Unavailable when somebody does, for half a minute."""
    descriptor = os.open(out / _BATCH, os.O_RDONLY | os.O_CLOEXEC)
    try:
        end = time.monotonic() + _PATIENCE
        while not _locked(descriptor):
            if time.monotonic() > end:
                hint = "wait until it is done, or issue into another directory"
                raise Unavailable(f"another bulk issue is at work in {out}", hint=hint)
            time.sleep(0.1)
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def refusal(row: Row, error: HandfastError) -> tuple[str, str]:
    """How a report says that a row was refused."""
    return row.name, f"{error.message} ({error.hint})"
