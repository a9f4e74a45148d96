"""CRLs from the store: numbers that rise, times that rise, entries carried over (RFC 5280 section 5)."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from handfast.ca.issuer import Issuer
from handfast.ca.ports import Store
from handfast.ca.records import AuditEvent, CrlRecord, Revocation
from handfast.pki import der
from handfast.pki.crl import CrlHeader, encode_entry, join_crl

_SECOND = timedelta(seconds=1)
# Relying parties whose clock is behind take a new CRL at once; and CRLs made in the same second can be told apart.
BACKDATE = timedelta(minutes=1)
# Certificates that expired leave the CRL when its entries are next all taken from the store.
FULL_EVERY = timedelta(days=7)
# Each change costs as much as several entries taken from the store.
MOST_CHANGES = 20_000
# RFC 5280 section 3.3: an entry stays for one CRL beyond the certificate's end.
MARGIN = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Previous:
    """The last CRL, whose entries can be carried over: its record, and its entries in DER."""

    record: CrlRecord
    entries: memoryview


def next_crl(issuer: str, last: CrlRecord | None, *, covers: int, now: datetime, lifetime: timedelta) -> CrlRecord:
    """The number and times of the next CRL: both strictly above the last one's."""
    this_update = now.replace(microsecond=0) - BACKDATE
    if last is not None:
        this_update = max(this_update, last.this_update + _SECOND)
    return CrlRecord(
        issuer=issuer,
        number=1 if last is None else last.number + 1,
        this_update=this_update,
        next_update=max(now.replace(microsecond=0), this_update) + lifetime,
        covers=covers,
        full_at=now if last is None else last.full_at,
    )


def header_of(record: CrlRecord) -> CrlHeader:
    """What the CRL says of itself."""
    return CrlHeader(number=record.number, this_update=record.this_update, next_update=record.next_update)


def sign_crl(store: Store, issuer: Issuer, record: CrlRecord, previous: Previous | None) -> bytes:
    """The CRL that the record was written for. Raises ConfigError when the issuer's key is not there."""
    key = issuer.unlock()
    if previous is not None:
        pieces = carried_over(store, issuer.name, record, previous)
    else:
        pieces = list(store.encoded_entries(issuer.name, until=record.covers, alive_at=record.this_update - MARGIN))
    return join_crl(pieces, header_of(record), issuer=issuer.identity, key=key)


def signed_event(record: CrlRecord, actor: str, now: datetime) -> AuditEvent:
    """The audit event of a CRL."""
    detail = {"number": str(record.number), "next_update": record.next_update.isoformat()}
    return AuditEvent(at=now, actor=actor, action="crl.signed", issuer=record.issuer, detail=detail)


def note_key(issuer: str) -> str:
    """Under which the store notes what mark() says of the last CRL that was signed."""
    return f"crl/{issuer}"


def mark(record: CrlRecord, data: bytes) -> str:
    """Number and SHA-256 of a CRL: how it is known again when its entries are carried over."""
    return f"{record.number} {hashlib.sha256(data).hexdigest()}"


def published_event(record: CrlRecord, actor: str, now: datetime, noted: str) -> AuditEvent:
    """The audit event of a CRL that was signed."""
    return AuditEvent(at=now, actor=actor, action="crl.finished", issuer=record.issuer, detail={"mark": noted})


def is_due_in_full(last: CrlRecord, *, covers: int, now: datetime) -> bool:
    """Whether the entries are all taken from the store: once in a while, and when much of it is new."""
    return now - last.full_at >= FULL_EVERY or covers - last.covers > MOST_CHANGES


def previous_of(data: bytes | None, last: CrlRecord | None, noted: str | None) -> Previous | None:
    """The last CRL as it was published, when its entries can be trusted.

    data: the file that was published, which may be gone, torn or changed. noted: its mark in the store, which it must
    bear: checking that is ten times as fast as checking the signature on a million entries.
    """
    if data is None or last is None or mark(last, data) != noted:
        return None
    return Previous(last, entries_of(data))


def entries_of(crl: bytes) -> memoryview:
    """The bytes of all entries of revokedCertificates of a CRL in DER, without looking at each."""
    tbs = next(iter(der.children(crl, der.element_at(crl))))
    sequences = [one for one in der.children(crl, tbs) if one.tag == 0x30]
    # signature, issuer, and revokedCertificates when there are any; the times before it are no SEQUENCEs.
    if len(sequences) < 3:
        return memoryview(b"")
    return memoryview(crl)[sequences[2].start : sequences[2].end]


def carried_over(store: Store, issuer: str, record: CrlRecord, previous: Previous) -> list[bytes | memoryview]:
    """The previous CRL's entries, without those that changed since, and then those that are new."""
    changed: dict[int, Revocation] = {}
    stale: set[int] = set()
    for change in store.changes(issuer, after=previous.record.covers, until=record.covers):
        if change.sequence > 0:
            stale.add(change.serial)
        changed[change.serial] = change
    pieces = without(previous.entries, stale)
    pieces += [encode_entry(one.serial, one.revoked_at, one.reason.flag) for one in changed.values() if one.is_in_force]
    return pieces


def without(entries: memoryview, serials: set[int]) -> list[bytes | memoryview]:
    """The entries in as few pieces as possible, leaving out those of these serials."""
    cuts: list[tuple[int, int]] = []
    data = bytes(entries) if serials else b""
    for serial in serials:
        needle = b"\x02" + der.integer(serial)[1:]
        start = data.find(needle)
        while start >= 0 and not _begins_entry(data, start):
            start = data.find(needle, start + 1)
        if start >= 0:
            begin = start - 2
            cuts.append((begin, der.element_at(data, begin).end))
    pieces: list[bytes | memoryview] = []
    position = 0
    for begin, end in sorted(cuts):
        pieces.append(entries[position:begin])
        position = end
    pieces.append(entries[position:])
    return pieces


def _begins_entry(data: bytes, start: int) -> bool:
    """Whether the INTEGER at this place is the first thing in a SEQUENCE that is long enough for it and a time."""
    size = der.element_at(data, start).end - start
    return start >= 2 and data[start - 2] == 0x30 and size + 15 <= data[start - 1] < 0x80
