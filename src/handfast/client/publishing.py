"""Lists and CA certificates of a service, verified, as files for a static web server: never an older over a newer."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from handfast.client import documents
from handfast.client.api import Api, path_of
from handfast.client.desk import KnownIssuer
from handfast.client.documents import read
from handfast.client.genuine import HINT, Judge, judge_of
from handfast.client.static_files import CERTIFICATES, CRLS, ENTERED, StaticFile, number_in, replaced
from handfast.errors import Malformed
from handfast.keys.files import PUBLIC, alone_in, make_directory, write_atomically
from handfast.pki.pem import certificates
from handfast.protocols.crl import chain_of

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Listed:
    """One list that the service has. is_late: it ends soon, and there is no newer one."""

    file: str
    issuer: str
    number: int
    is_late: bool


def listed(api: Api) -> tuple[Listed, ...]:
    """All of them."""

    def parse(document: documents.Document) -> tuple[Listed, ...]:
        return tuple(
            Listed(_file_name(one["file"]), one["issuer"], int(one["number"]), bool(one["is_late"]))
            for one in document["publications"]
        )

    return read(api.get("publications"), parse)


def fetch_files(
    api: Api, issuers: Sequence[KnownIssuer], lists: Sequence[Listed], directory: Path, *, clock: Clock
) -> list[StaticFile]:
    """Write the certificates of the CAs, and the lists that are newer than those that are there and have not ended.

    Each list is verified by the key of its CA, which has to be the key of its certificate that is there, if one is.
    Raises Malformed, ConfigError, Unavailable.
    """
    for name in (CRLS, CERTIFICATES):
        make_directory(directory / name, mode=ENTERED)
    with alone_in(directory):
        files: list[StaticFile] = []
        for one in issuers:
            files += _of_ca(one, directory / CERTIFICATES)
        judges = {one.name: judge_of(one.name, one.certificate, clock) for one in issuers}
        wanted = [one for one in lists if one.issuer in judges]
        newest = [_newest(api, one, judges[one.issuer], directory / CRLS / one.file) for one in wanted]
        return files + [one for one in newest if one is not None]


def _of_ca(one: KnownIssuer, folder: Path) -> Iterator[StaticFile]:
    path = folder / f"{_file_name(one.name)}.cer"
    if path.exists() and certificates(path.read_bytes(), str(path))[0].public_key() != one.certificate.public_key():
        hint = f"{HINT}; if the CA was made anew, remove {path}"
        raise Malformed(f"the service's {one.name} has another key than the one whose certificate is here", hint=hint)
    yield replaced(path, one.certificate.public_bytes(Encoding.DER))
    yield replaced(path.with_suffix(".p7c"), chain_of((one.certificate, *one.chain)))


def _newest(api: Api, one: Listed, judge: Judge, path: Path) -> StaticFile | None:
    """None when there is none here, and the service's has ended: relying parties are better off without."""
    there = number_in(path)
    if there >= one.number:
        return StaticFile(path, there, is_new=False)
    data = api.fetch(path_of(CRLS, one.file))
    crl = judge.crl(data, one.file, least=one.number)
    if crl.next_update is None or crl.next_update < judge.clock():
        return StaticFile(path, there, is_new=False) if there >= 0 else None
    write_atomically(path, data, mode=PUBLIC)
    return StaticFile(path, crl.number, is_new=True)


def _file_name(text: str) -> str:
    """A name that stays in its folder, whatever the service says. Raises ValueError."""
    if not text or text.startswith(".") or "/" in text or not text.isprintable():
        raise ValueError(f"{text!r} is no name of a file")
    return text
