"""Frames of the journal: one line each, a CRC-32 and then JSON. A torn or damaged line is told from a whole one.

An append begins with an end of line, so that one that was torn spoils nothing but itself.
"""

import base64
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from handfast.ca.journal import Doubtful, Entry, Signed, Snapshot
from handfast.ca.records import (
    BatchRow,
    CertificateRecord,
    CrlRecord,
    IssuerRecord,
    Reason,
    Revocation,
    Role,
)
from handfast.pki.names import Name, NameKind
from handfast.stores.rows import moment, seconds

# RFC 5280 section 4.1.2.2: 20 octets.
_SERIALS = 1 << 160
Content = dict[str, Any]
_dumps = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True).encode


def frame(entry: Entry) -> bytes:
    """The line of an entry."""
    if type(entry) is Signed:  # half of all entries, and base64 needs no encoder
        body = b'["finished","%s"]' % base64.b64encode(entry.certificate)
    else:
        kind, content = _KINDS[type(entry)]
        body = _dumps([kind, content(entry)]).encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def entries(data: bytes) -> Iterator[Entry | Doubtful]:
    """The entries in the bytes of a segment, in order."""
    for line in data.splitlines():
        if line:
            yield _entry(line)


def _entry(line: bytes) -> Entry | Doubtful:
    body = line[9:]
    if line[:9] != b"%08x " % zlib.crc32(body):
        return Doubtful(is_torn=not body.endswith(b"]"), revocation=_perhaps_revoked(body))
    kind, content = json.loads(body)
    read = _READERS.get(kind)
    return read(content) if read is not None else Doubtful(is_torn=False, revocation=None)


def _perhaps_revoked(body: bytes) -> Revocation | None:
    try:
        kind, content = json.loads(body)
        told = _read_revocation(content) if kind == "revoked" else None
        return told if told is not None and 0 < told.serial < _SERIALS else None
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None


def certificate_content(record: CertificateRecord) -> Content:
    """A record without its certificate and revocation, for JSON."""
    batch = record.batch_row
    return {
        "serial": f"{record.serial:x}",
        "issuer": record.issuer,
        "profile": record.profile,
        "digest": record.profile_digest,
        "subject": record.subject,
        "label": record.label,
        "names": [str(name) for name in record.names],
        "not_before": seconds(record.not_before),
        "not_after": seconds(record.not_after),
        "key_id": record.key_id.hex(),
        "requester": record.requester,
        "at": record.created_at.timestamp(),
        "replaces": None if record.replaces is None else f"{record.replaces:x}",
        "batch": None if batch is None else [batch.batch, batch.row],
        "shard": record.shard,
    }


def read_certificate(content: Content) -> CertificateRecord:
    """The record of such content, as it was before it was finished."""
    return CertificateRecord(
        serial=int(content["serial"], 16),
        issuer=content["issuer"],
        profile=content["profile"],
        profile_digest=content["digest"],
        subject=content["subject"],
        label=content["label"],
        names=tuple(map(_name, content["names"])),
        not_before=moment(content["not_before"]),
        not_after=moment(content["not_after"]),
        key_id=bytes.fromhex(content["key_id"]),
        requester=content["requester"],
        created_at=datetime.fromtimestamp(content["at"], UTC),
        replaces=None if content["replaces"] is None else int(content["replaces"], 16),
        batch_row=None if content["batch"] is None else BatchRow(*content["batch"]),
        shard=content.get("shard", 0),
    )


def _name(text: str) -> Name:
    kind, _, value = text.partition(":")
    return Name(NameKind(kind), value)


def _revocation(revocation: Revocation) -> Content:
    return {
        "serial": f"{revocation.serial:x}",
        "issuer": revocation.issuer,
        "sequence": revocation.sequence,
        "reason": revocation.reason.value,
        "at": seconds(revocation.revoked_at),
        "not_after": seconds(revocation.not_after),
        "requester": revocation.requester,
    }


def _read_revocation(content: Content) -> Revocation:
    return Revocation(
        serial=int(content["serial"], 16),
        issuer=content["issuer"],
        sequence=content["sequence"],
        reason=Reason(content["reason"]),
        revoked_at=moment(content["at"]),
        not_after=moment(content["not_after"]),
        requester=content["requester"],
    )


def _crl(record: CrlRecord) -> Content:
    return {
        "issuer": record.issuer,
        "number": record.number,
        "this_update": seconds(record.this_update),
        "next_update": seconds(record.next_update),
    }


def _read_crl(content: Content) -> CrlRecord:
    """What it covers is not told: ids are another store's."""
    this_update = moment(content["this_update"])
    return CrlRecord(
        issuer=content["issuer"],
        number=content["number"],
        this_update=this_update,
        next_update=moment(content["next_update"]),
        covers=0,
        full_at=this_update,
    )


def _issuer(record: IssuerRecord) -> Content:
    return {
        "name": record.name,
        "role": record.role.value,
        "certificate": _text(record.certificate),
        "chain": [_text(one) for one in record.chain],
        "at": seconds(record.created_at),
        "is_encrypted": record.is_encrypted,
    }


def _read_issuer(content: Content) -> IssuerRecord:
    return IssuerRecord(
        name=content["name"],
        role=Role(content["role"]),
        certificate=base64.b64decode(content["certificate"]),
        chain=tuple(base64.b64decode(one) for one in content["chain"]),
        created_at=moment(content["at"]),
        is_encrypted=content["is_encrypted"],
    )


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


_KINDS: Mapping[type, tuple[str, Callable[[Any], Any]]] = {
    CertificateRecord: ("begun", certificate_content),
    Snapshot: ("profile", lambda one: [one.digest, one.text]),
    Signed: ("finished", lambda one: _text(one.certificate)),
    Revocation: ("revoked", _revocation),
    CrlRecord: ("crl", _crl),
    IssuerRecord: ("issuer", _issuer),
}
_READERS: Mapping[str, Callable[[Any], Entry]] = {
    "begun": read_certificate,
    "profile": lambda content: Snapshot(*content),
    "finished": lambda content: Signed(base64.b64decode(content)),
    "revoked": _read_revocation,
    "crl": _read_crl,
    "issuer": _read_issuer,
}
