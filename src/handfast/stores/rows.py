"""Rows of the tables, as values and back."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from handfast.ca.records import (
    AuditEvent,
    BatchRow,
    CertificateRecord,
    CrlRecord,
    IssuerRecord,
    Reason,
    RecordStatus,
    Revocation,
    Role,
)
from handfast.pki import der
from handfast.pki.names import Name, NameKind

Row = Sequence[Any]
SERIAL_SIZE = 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SECOND = timedelta(seconds=1)
# json.dumps() makes an encoder each time that it is asked for anything but its defaults.
_json, _sorted_json = json.JSONEncoder().encode, json.JSONEncoder(sort_keys=True).encode

RECORD_COLUMNS = (
    "c.id, c.serial, c.issuer, c.profile, c.profile_digest, c.subject, c.label, c.names, c.not_before, c.not_after, "
    "c.key_id, c.requester, c.created_at, c.replaces, c.batch, c.batch_row, i.der, i.sha256, "
    "r.id, r.sequence, r.reason, r.revoked_at, r.requester"
)
REVOCATION_COLUMNS = "serial, issuer, sequence, reason, revoked_at, not_after, requester, id"


def serial_bytes(serial: int) -> bytes:
    """20 octets, so that they sort as the numbers do."""
    return serial.to_bytes(SERIAL_SIZE, "big")


@lru_cache(maxsize=1024)
def seconds(moment: datetime) -> int:
    """Whole seconds since 1970."""
    return (moment - _EPOCH) // _SECOND


@lru_cache(maxsize=4096)
def moment(since_epoch: int) -> datetime:
    """The aware datetime."""
    return _EPOCH + timedelta(seconds=since_epoch)


def record_row(record: CertificateRecord, identifier: int) -> tuple[object, ...]:
    """The values of a row of `certificate`, in the order of its columns."""
    batch = record.batch_row
    return (
        identifier,
        serial_bytes(record.serial),
        record.issuer,
        record.profile,
        record.profile_digest,
        record.subject,
        record.label,
        _json([str(name) for name in record.names]),
        seconds(record.not_before),
        seconds(record.not_after),
        record.key_id,
        record.requester,
        seconds(record.created_at),
        None if record.replaces is None else serial_bytes(record.replaces),
        None if batch is None else batch.batch,
        None if batch is None else batch.row,
    )


def name_rows(record: CertificateRecord, identifier: int) -> list[tuple[str, int]]:
    """What it can be found by, in lower case, each once."""
    texts = {record.label.lower(), *(name.value.lower() for name in record.names)}
    return [(text, identifier) for text in texts]


def record_of(row: Row) -> CertificateRecord:
    """The value of a row of RECORD_COLUMNS."""
    serial = int.from_bytes(row[1], "big")
    certificate = row[16]
    return CertificateRecord(
        id=row[0],
        serial=serial,
        issuer=row[2],
        profile=row[3],
        profile_digest=row[4],
        subject=row[5],
        label=row[6],
        names=names_of(row[7]),
        not_before=moment(row[8]),
        not_after=moment(row[9]),
        key_id=bytes(row[10]),
        requester=row[11],
        created_at=moment(row[12]),
        replaces=None if row[13] is None else int.from_bytes(row[13], "big"),
        batch_row=None if row[14] is None else BatchRow(row[14], row[15]),
        status=RecordStatus.BEGUN if certificate is None else RecordStatus.ISSUED,
        certificate=None if certificate is None else bytes(certificate),
        fingerprint=None if certificate is None else bytes(row[17]),
        revocation=None if row[18] is None else _joined_revocation(row, serial),
    )


def _joined_revocation(row: Row, serial: int) -> Revocation:
    return Revocation(
        serial=serial,
        issuer=row[2],
        id=row[18],
        sequence=row[19],
        reason=Reason(row[20]),
        revoked_at=moment(row[21]),
        not_after=moment(row[9]),
        requester=row[22],
    )


def names_of(text: str) -> tuple[Name, ...]:
    """The names in a row."""
    return tuple(map(_name_of, json.loads(text)))


def _name_of(text: str) -> Name:
    kind, _, value = text.partition(":")
    return Name(NameKind(kind), value)


def revocation_of(row: Row) -> Revocation:
    """The value of a row of REVOCATION_COLUMNS."""
    return Revocation(
        serial=int.from_bytes(row[0], "big"),
        issuer=row[1],
        sequence=row[2],
        reason=Reason(row[3]),
        revoked_at=moment(row[4]),
        not_after=moment(row[5]),
        requester=row[6],
        id=row[7],
    )


def crl_row(record: CrlRecord) -> tuple[object, ...]:
    """The values of a row of `crl`."""
    return (
        record.issuer,
        record.number,
        seconds(record.this_update),
        seconds(record.next_update),
        record.covers,
        seconds(record.full_at),
    )


def crl_of(row: Row) -> CrlRecord:
    """The value of a row of `crl`."""
    return CrlRecord(
        issuer=row[0],
        number=row[1],
        this_update=moment(row[2]),
        next_update=moment(row[3]),
        covers=row[4],
        full_at=moment(row[5]),
    )


def issuer_row(record: IssuerRecord) -> tuple[object, ...]:
    """The values of a row of `issuer` after its position. The chain is its certificates one after the other."""
    encrypted = int(record.is_encrypted)
    chain = b"".join(record.chain)
    return (record.name, record.role.value, record.certificate, chain, seconds(record.created_at), encrypted)


def issuer_of(row: Row) -> IssuerRecord:
    """The value of a row of `issuer` after its position."""
    chain, position = bytes(row[3]), 0
    certificates = []
    while position < len(chain):
        end = der.element_at(chain, position).end
        certificates.append(chain[position:end])
        position = end
    return IssuerRecord(
        name=row[0],
        role=Role(row[1]),
        certificate=bytes(row[2]),
        chain=tuple(certificates),
        created_at=moment(row[4]),
        is_encrypted=bool(row[5]),
    )


def event_row(event: AuditEvent, number: int, chained: bytes) -> tuple[object, ...]:
    """The values of a row of `audit`. chained: the hash over it and all before."""
    return (
        number,
        (event.at - _EPOCH) // _MICROSECOND,
        event.actor,
        event.action,
        event.issuer,
        None if event.serial is None else serial_bytes(event.serial),
        _sorted_json(dict(event.detail)),
        chained,
    )


def event_of(row: Row) -> AuditEvent:
    """The value of a row of `audit`. What somebody made unreadable becomes an event that breaks the chain."""
    try:
        return _event_of(row)
    except (ValueError, TypeError, OverflowError):
        return AuditEvent(id=row[0], at=_EPOCH, actor="", action="unreadable")


def _event_of(row: Row) -> AuditEvent:
    return AuditEvent(
        id=row[0],
        at=_EPOCH + timedelta(microseconds=row[1]),
        actor=_text(row[2]),
        action=_text(row[3]),
        issuer=_text(row[4]),
        serial=None if row[5] is None else int.from_bytes(row[5], "big"),
        detail=dict(json.loads(row[6])),
        hash=bytes(row[7]),
    )


def _text(value: object) -> str:
    """SQLite keeps octets in a column for text, when somebody puts them there."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value
