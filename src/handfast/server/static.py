"""Everything that relying parties fetch, as files for a static web server or a CDN: the paths are those of the URLs."""

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from handfast.ca.authority import Authority
from handfast.errors import Malformed
from handfast.keys.files import PUBLIC, alone_in, make_directory, write_atomically
from handfast.pki.crl import number_of
from handfast.protocols.crl import chain_of

CRLS = "crl"
CERTIFICATES = "ca"
# The web server, who is somebody else, enters.
_ENTERED = 0o755


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file. number: of a CRL. is_new: it was written; else what is there is as new."""

    path: Path
    number: int | None
    is_new: bool


def write_static(authority: Authority, directory: Path) -> list[StaticFile]:
    """Write what changed since; never an older CRL over a newer one. Raises ConfigError, Unavailable."""
    for name in (CRLS, CERTIFICATES):
        make_directory(directory / name, mode=_ENTERED)
    with alone_in(directory):
        return [*_certificates(authority, directory / CERTIFICATES), *_lists(authority, directory / CRLS)]


def _certificates(authority: Authority, folder: Path) -> Iterator[StaticFile]:
    for issuer in authority.issuers.values():
        yield _replaced(folder / f"{issuer.name}.cer", issuer.der)
        yield _replaced(folder / f"{issuer.name}.p7c", chain_of((issuer.certificate, *issuer.chain)))


def _lists(authority: Authority, folder: Path) -> Iterator[StaticFile]:
    publications = authority.store.publications
    for known in (one for name in authority.issuers for one in publications.all(name)):
        path = folder / known.which.file_name
        there = _number_in(path)
        # A shard of a million certificates need not be read to see that it is there.
        published = publications.get(known.which) if there < known.record.number else None
        if published is None:
            yield StaticFile(path, there, is_new=False)
            continue
        write_atomically(path, published.der, mode=PUBLIC)
        yield StaticFile(path, published.record.number, is_new=True)


def _replaced(path: Path, data: bytes) -> StaticFile:
    is_new = not path.exists() or path.read_bytes() != data
    if is_new:
        write_atomically(path, data, mode=PUBLIC)
    return StaticFile(path, None, is_new)


def _number_in(path: Path) -> int:
    """The number of the CRL there; -1 when there is none, or no whole one."""
    try:
        # Mapped: a list of a million entries is looked at in its first page and its last one.
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
            memoryview(mapped) as data,
        ):
            return number_of(data)
    except (FileNotFoundError, ValueError, Malformed):
        return -1
