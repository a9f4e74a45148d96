"""What waits until others approve it: its key lies in NAME.waiting until the certificate is there."""

import shutil
from pathlib import Path

import click

from handfast.ca.order import Issued
from handfast.ca.records import Pending
from handfast.cli._issued import KEY
from handfast.cli._output import note, print_json, say
from handfast.cli._status import UNAVAILABLE
from handfast.cli._which import read_file
from handfast.keys.files import PRIVATE, make_directory, write_atomically
from handfast.keys.generate import generate_key
from handfast.pki import pem
from handfast.pki.keys import KeyKind, PrivateKey, kind_of
from handfast.pki.pem import to_pem


def key_for(folder: Path, kind: KeyKind | None) -> PrivateKey:
    """The key that waits for its certificate in that folder, else a new one. kind: None for any, P-256 when new."""
    path = _waiting(folder) / KEY
    if path.is_file():
        key = pem.one_key(read_file(path), None, str(path))
        if kind is None or kind_of(key.public_key()) is kind:
            return key
    return generate_key(kind or KeyKind.P256)


def require_issued(answer: Issued | Pending, folder: Path, key: PrivateKey | None = None, *, as_json: bool) -> Issued:
    """The certificate. One that waits is told, its key is kept, and the command left with status 3."""
    if isinstance(answer, Issued):
        return answer
    place = _keep(folder, key) if key is not None else None
    after = round(answer.retry_after.total_seconds())
    if as_json:
        kept = str(place) if place is not None else None
        print_json({"pending": {"transaction": answer.transaction, "retry_after": after, "folder": kept}})
    else:
        say(f"waits for approval: request {answer.transaction}")
        note(f"run the same command again once others agreed: handfast approvals approve {answer.transaction}")
        if place is not None:
            note(f"its key is in {place}; the same command goes on with it")
    raise click.exceptions.Exit(UNAVAILABLE)


def forget(folder: Path) -> None:
    """What waited is in its place now."""
    shutil.rmtree(_waiting(folder), ignore_errors=True)


def _keep(folder: Path, key: PrivateKey) -> Path:
    place = _waiting(folder)
    make_directory(place.parent)
    make_directory(place)
    write_atomically(place / KEY, to_pem(key), mode=PRIVATE)
    return place


def _waiting(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.waiting")
