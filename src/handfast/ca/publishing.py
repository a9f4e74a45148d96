"""CRLs from the store: numbers that rise, times that rise, entries carried over (RFC 5280 section 5)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from handfast.ca.issuer import Issuer
from handfast.ca.ports import Store
from handfast.ca.records import AuditEvent, CrlRecord, Reason, Revocation
from handfast.errors import Malformed
from handfast.pki import der
from handfast.pki.crl import CrlHeader, encode_entry, join_crl

_SECOND = timedelta(seconds=1)
# Relying parties whose clock is behind take a new CRL at once; and CRLs made in the same second can be told apart.
BACKDATE = timedelta(minutes=1)
# Certificates that expired leave the CRL when its entries are next all taken from the store.
FULL_EVERY = timedelta(days=7)
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


def previous_of(data: bytes | None, last: CrlRecord | None, issuer: Issuer, *, now: datetime) -> Previous | None:
    """The last CRL as it was published, when its entries can be trusted and are not due to be taken anew.

    data: the file that was published, which may be gone, torn or changed: only its issuer's signature counts.
    """
    if data is None or last is None or now - last.full_at >= FULL_EVERY:
        return None
    try:
        crl = x509.load_der_x509_crl(data)
        number = crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        if number != last.number or not crl.is_signature_valid(issuer.identity.public_key):  # type: ignore[arg-type]  # a CA's key signs
            return None
        return Previous(last, entries_of(crl.tbs_certlist_bytes))
    except (ValueError, x509.ExtensionNotFound, InvalidSignature, Malformed):
        return None


def entries_of(tbs: bytes) -> memoryview:
    """The bytes of all entries of revokedCertificates, without looking at each."""
    view = memoryview(tbs)
    children = der.children(tbs, der.element_at(tbs))
    sequences = [one for one in children if one.tag == 0x30]
    # signature, issuer, and revokedCertificates when there are any; the times before it are no SEQUENCEs.
    if len(sequences) < 3:
        return view[:0]
    return view[sequences[2].start : sequences[2].end]


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


def is_hold(revocation: Revocation) -> bool:
    """True while the certificate may still be released."""
    return revocation.reason is Reason.CERTIFICATE_HOLD
