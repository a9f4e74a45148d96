"""Which certificate a command is about, and how it is shown."""

from datetime import datetime
from pathlib import Path

from handfast.ca.finding import one_of
from handfast.ca.records import CertificateRecord, State
from handfast.cli._output import print_fields, print_table, state_word
from handfast.client.desk import Desk
from handfast.errors import NotFound
from handfast.pki import pem
from handfast.pki.keys import describe_key
from handfast.pki.serial import serial_text

ALIVE = frozenset({State.VALID, State.NOT_YET_VALID, State.HELD})
MAXIMUM_FILE = 10 * 1024 * 1024


def find(authority: Desk, text: str, *, alive: bool = False) -> CertificateRecord:
    """The record meant by a file, serial, fingerprint or name. Raises NotFound, Malformed, or Conflict with a list.

    alive: among several, the only one that is neither revoked nor over is meant.
    """
    path = Path(text)
    if "/" in text and path.is_dir():
        path /= "cert.pem"
    if not path.is_file():
        if "/" in text and "://" not in text:
            hint = "give a certificate file, a serial, a fingerprint or a name"
            raise NotFound(f"there is no file {text}", hint=hint)
        return _named(authority, text, alive=alive)
    contents = pem.read(read_file(path), source=text)
    if not contents.certificates:
        hint = "give a certificate file; for a name that is also a file's, give the serial"
        raise NotFound(f"{text} holds {contents.describe()}, and no certificate", hint=hint)
    return authority.find_certificate(contents.certificates[0])


def _named(authority: Desk, text: str, *, alive: bool) -> CertificateRecord:
    found = authority.candidates(text)
    if alive:
        now = authority.clock()
        living = [one for one in found if one.state(now) in ALIVE]
        if len(living) == 1:
            return living[0]
    return one_of(text, found)


def read_file(path: Path) -> bytes:
    """A file of a size that a certificate, key or request may have. Raises NotFound, OSError."""
    if path.is_file() and path.stat().st_size > MAXIMUM_FILE:
        hint = "give a certificate, key or request file"
        raise NotFound(f"{path} is larger than {MAXIMUM_FILE} bytes: it is not what is wanted here", hint=hint)
    return path.read_bytes()


def record_json(record: CertificateRecord, now: datetime) -> dict[str, object]:
    """A record as JSON has it; the keys are stable."""
    revocation = record.revocation if record.revocation is not None and record.revocation.is_in_force else None
    return {
        "serial": serial_text(record.serial),
        "fingerprint": record.fingerprint.hex() if record.fingerprint else None,
        "label": record.label,
        "subject": record.subject,
        "names": [str(name) for name in record.names],
        "profile": record.profile,
        "issuer": record.issuer,
        "state": record.state(now).value,
        "not_before": record.not_before,
        "not_after": record.not_after,
        "key_id": record.key_id.hex(),
        "replaces": serial_text(record.replaces) if record.replaces is not None else None,
        "requester": record.requester,
        "created_at": record.created_at,
        "revoked_at": revocation.revoked_at if revocation else None,
        "reason": revocation.reason.value if revocation else None,
    }


def print_record(record: CertificateRecord, now: datetime) -> None:
    """Everything by which a person recognizes a certificate."""
    certificate = record.x509()
    fields: list[tuple[str, object]] = [
        ("certificate", record.label),
        ("state", state_line(record, now)),
        ("profile", record.profile),
        ("subject", record.subject),
        ("names", "\n".join(str(name) for name in record.names)),
        ("valid from", f"{record.not_before:%Y-%m-%d %H:%M} UTC"),
        ("valid until", f"{record.not_after:%Y-%m-%d %H:%M} UTC"),
        ("key", describe_key(certificate.public_key()) if certificate is not None else ""),
        ("serial", serial_text(record.serial)),
        ("SHA-256", record.fingerprint.hex() if record.fingerprint else ""),
        ("issuer", record.issuer),
        ("replaces", serial_text(record.replaces) if record.replaces is not None else ""),
    ]
    print_fields(fields)


def state_line(record: CertificateRecord, now: datetime) -> str:
    """`revoked since 2026-11-26 (keyCompromise)`, `valid`."""
    state = state_word(record.state(now).value)
    if record.revocation is None or not record.revocation.is_in_force:
        return state
    return f"{state} since {record.revocation.revoked_at:%Y-%m-%d %H:%M} UTC ({record.revocation.reason})"


def print_records(records: tuple[CertificateRecord, ...], now: datetime) -> None:
    """A table with a line for each; the fingerprint is as much as a command needs to find it again."""
    rows = [
        (
            record.fingerprint.hex()[:16] if record.fingerprint else "-",
            record.label,
            record.profile,
            f"{record.not_after:%Y-%m-%d}",
            record.state(now).value,
        )
        for record in records
    ]
    print_table(("fingerprint", "name", "profile", "until", "state"), rows, whole=("fingerprint", "until", "state"))
