"""Everything that relying parties fetch, as files for a static web server or a CDN: the paths are those of the URLs."""

from collections.abc import Iterator
from pathlib import Path

from handfast.ca.authority import Authority
from handfast.client.static_files import CERTIFICATES, CRLS, ENTERED, StaticFile, number_in, replaced
from handfast.keys.files import PUBLIC, alone_in, make_directory, write_atomically
from handfast.protocols.crl import chain_of


def write_static(authority: Authority, directory: Path) -> list[StaticFile]:
    """Write what changed since; never an older CRL over a newer one. Raises ConfigError, Unavailable."""
    for name in (CRLS, CERTIFICATES):
        make_directory(directory / name, mode=ENTERED)
    with alone_in(directory):
        return [*_certificates(authority, directory / CERTIFICATES), *_lists(authority, directory / CRLS)]


def _certificates(authority: Authority, folder: Path) -> Iterator[StaticFile]:
    for issuer in authority.issuers.values():
        yield replaced(folder / f"{issuer.name}.cer", issuer.der)
        yield replaced(folder / f"{issuer.name}.p7c", chain_of((issuer.certificate, *issuer.chain)))


def _lists(authority: Authority, folder: Path) -> Iterator[StaticFile]:
    publications = authority.store.publications
    for known in (one for name in authority.issuers for one in publications.all(name)):
        path = folder / known.which.file_name
        there = number_in(path)
        # A shard of a million certificates need not be read to see that it is there.
        published = publications.get(known.which) if there < known.record.number else None
        if published is None:
            yield StaticFile(path, there, is_new=False)
            continue
        write_atomically(path, published.der, mode=PUBLIC)
        yield StaticFile(path, published.record.number, is_new=True)
