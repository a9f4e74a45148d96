"""What a static web server gives to relying parties, as files: CRLs, certificates of CAs, and answers of OCSP."""

import mmap
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import get_ident

from cryptography.x509 import ocsp as library

from handfast.ca.answering import Standing
from handfast.errors import ConfigError, Malformed
from handfast.keys.files import PUBLIC, write_atomically
from handfast.pki.crl import number_of
from handfast.pki.ocsp_response import CertStatus

CRLS = "crl"
CERTIFICATES = "ca"
ANSWERS = "ocsp"
# The web server, who is somebody else, enters.
ENTERED = 0o755
_NEW = ".new"


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file. number: of a CRL. is_new: it was written; else what is there is as new."""

    path: Path
    number: int | None
    is_new: bool


@dataclass(frozen=True, slots=True)
class Answers:
    """What write_answers() did for one issuer. lacking: some are due, and the key is not here."""

    issuer: str
    count: int = 0
    written: int = 0
    lacking: bool = False


def replaced(path: Path, data: bytes) -> StaticFile:
    """The file with this in it. Raises ConfigError."""
    is_new = not path.exists() or path.read_bytes() != data
    if is_new:
        write_atomically(path, data, mode=PUBLIC)
    return StaticFile(path, None, is_new)


def number_in(path: Path) -> int:
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


def may_stay(path: Path, one: Standing, now: datetime, *, stands: Callable[[int], bool]) -> bool:
    """Whether the answer there says how it stands, and is in the first half of its life. stands: whether the responder
    with the certificate of that serial is not revoked."""
    try:
        there = library.load_der_ocsp_response(path.read_bytes())
        begins, ends = there.this_update_utc, there.next_update_utc
        is_same = there.serial_number == one.identifier.serial and said(there) == one.status
        signer = there.certificates[0].serial_number
    except (FileNotFoundError, ValueError, IndexError):
        return False
    if not stands(signer):
        return False
    # One from the future was written by a machine whose clock goes faster: it is the newer one.
    return begins > now or (is_same and ends is not None and now < begins + (ends - begins) / 2)


def is_later(path: Path, one: Standing, than: datetime, *, stands: Callable[[int], bool]) -> bool:
    """Whether the answer there says how it stands, too, by a responder that stands, and was made after that."""
    try:
        there = library.load_der_ocsp_response(path.read_bytes())
        is_same = there.serial_number == one.identifier.serial and said(there) == one.status
        return is_same and there.this_update_utc > than and stands(there.certificates[0].serial_number)
    except (FileNotFoundError, ValueError, IndexError):
        return False


def said(answer: library.OCSPResponse) -> CertStatus:
    """What an answer about one certificate says of it."""
    is_known = answer.certificate_status is not library.OCSPCertStatus.UNKNOWN
    return CertStatus(is_known, answer.revocation_time_utc, answer.revocation_reason)


def replace_answer(folder: Path, name: str, answer: bytes) -> None:
    """Write it whole, without an fsync: what a crash leaves is seen and mended by the next run. Raises ConfigError."""
    path, new = folder / name, folder / f"{_NEW}-{get_ident()}"
    try:
        new.write_bytes(answer)
        new.chmod(PUBLIC)
        if "/" in name:
            path.parent.mkdir(mode=ENTERED, parents=True, exist_ok=True)
        new.replace(path)
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror}"
        raise ConfigError(msg, hint="choose a directory that you may write, with space left on it") from None


def remove_ended(folder: Path, now: datetime, lifetime: timedelta) -> None:
    """Those of certificates that have expired are not made anew, and end. Their folders go with them."""
    for path in _old_files(folder, (now - lifetime).timestamp()):
        try:
            ends = library.load_der_ocsp_response(path.read_bytes()).next_update_utc
        except ValueError:
            ends = None
        if ends is None or ends < now:
            path.unlink()
            for parent in path.relative_to(folder).parents[:-1]:
                if any((folder / parent).iterdir()):
                    break
                (folder / parent).rmdir()


def _old_files(folder: Path, before: float) -> Iterator[Path]:
    for at, _, names in os.walk(folder, topdown=False):
        for name in names:
            path = Path(at, name)
            if path.stat().st_mtime < before:
                yield path
