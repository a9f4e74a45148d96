"""CRLs from the store: numbers that rise, times that rise, entries carried over (RFC 5280 section 5)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cryptography import x509

from handfast.ca.issuer import Issuer
from handfast.ca.ports import Store
from handfast.ca.published import Base, ListKind, Published, Which
from handfast.ca.records import AuditEvent, CrlRecord, Revocation
from handfast.errors import Conflict
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
# Each time that somebody else takes the number, somebody else has published.
_TRIES = 100


@dataclass(frozen=True, slots=True)
class Previous:
    """A published CRL, whose entries can be carried over."""

    covers: int
    count: int
    entries: memoryview


@dataclass(frozen=True, slots=True)
class Entries:
    """The entries of a CRL in DER, one or many in each piece, and how many they are."""

    pieces: list[bytes | memoryview]
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Publisher:
    """Makes and publishes the CRLs of one issuer. lifetime: of a full one."""

    store: Store
    issuer: Issuer
    lifetime: timedelta
    now: datetime
    actor: str

    def publish(self, which: Which) -> Published:
        """A new CRL, which is in the store when this returns; or a newer one that somebody else published meanwhile.

        Its number is on record before it is signed. Raises ConfigError when the issuer's key is not there.
        """
        self.issuer.unlock()
        full = Which(which.issuer, which.shard)
        if which.kind is ListKind.DELTA and full not in {one.which for one in self._published()}:
            self.publish(full)
        record = self._record(which)
        made = self._delta(which, record) if which.kind is ListKind.DELTA else self._full(which, record)
        is_newest = self.store.publications.put(made, self._event("crl.published", made.which, made.record))
        newest = made if is_newest else self.store.publications.get(which)
        return newest or made

    def _published(self) -> tuple[Published, ...]:
        return self.store.publications.all(self.issuer.name)

    def _record(self, which: Which) -> CrlRecord:
        """Take the next number, by whoever comes first."""
        for _ in range(_TRIES):
            # In this order: whoever took the number before had seen no revocation that is not seen now.
            last = self.store.last_crl(which.issuer)
            covers = self.store.last_revocation_id()
            record = self._next(which, last, covers)
            try:
                self.store.begin_crl(record, self._event("crl.signed", which, record))
            except Conflict:
                continue
            return record
        raise Conflict(
            f"others keep publishing the CRLs of {which.issuer}", hint="look who else publishes, and try again"
        )

    def _next(self, which: Which, last: CrlRecord | None, covers: int) -> CrlRecord:
        own = [one for one in self._published() if one.which.shard == which.shard]
        full_at = max((one.record.full_at for one in own if one.which == which), default=self.now)
        lifetime = delta_lifetime(self.lifetime) if which.kind is ListKind.DELTA else self.lifetime
        this_update = next_this_update(which, [one.record for one in own], last, now=self.now)
        return CrlRecord(
            issuer=which.issuer,
            number=1 if last is None else last.number + 1,
            this_update=this_update,
            next_update=max(self.now.replace(microsecond=0), this_update) + lifetime,
            covers=covers,
            full_at=full_at,
        )

    def _full(self, which: Which, record: CrlRecord) -> Published:
        published = self.store.publications.get(which)
        if published is not None and can_be_carried_over(published.record, record, now=self.now):
            before = Previous(published.record.covers, published.entries, entries_of(published.der))
            entries = carried_over(self.store, which, record, before)
        else:
            record = replace(record, full_at=self.now)
            alive_at = record.this_update - MARGIN
            found = self.store.publications.encoded_entries(which, until=record.covers, alive_at=alive_at)
            entries = counted(found)
        urls = self.issuer.identity.urls
        header = CrlHeader(
            number=record.number,
            this_update=record.this_update,
            next_update=record.next_update,
            scope=scope_of(urls.crl_of(which.shard)) if which.shard else None,
            freshest=() if which.shard else urls.delta,
        )
        return Published(which, record, entries.count, self._signed(entries, header))

    def _delta(self, which: Which, record: CrlRecord) -> Published:
        base = self._base(which)
        entries = changed_since(self.store, which, record, base)
        header = CrlHeader(
            number=record.number,
            this_update=record.this_update,
            next_update=record.next_update,
            base_number=base.number,
        )
        return Published(which, record, entries.count, self._signed(entries, header), base)

    def _base(self, which: Which) -> Base:
        """The base stays for the life of a full CRL, so that the delta fits all that relying parties may have kept."""
        last = self.store.publications.get(which)
        if last is not None and last.base is not None and self.now - last.base.at < self.lifetime:
            return last.base
        full = next(one for one in self._published() if one.which == Which(which.issuer))
        return Base(full.record.number, full.record.covers, self.now)

    def _signed(self, entries: Entries, header: CrlHeader) -> bytes:
        return join_crl(entries.pieces, header, issuer=self.issuer.identity, key=self.issuer.unlock())

    def _event(self, action: str, which: Which, record: CrlRecord) -> AuditEvent:
        detail = {
            "list": which.file_name,
            "number": str(record.number),
            "next_update": record.next_update.isoformat(),
        }
        return AuditEvent(at=self.now, actor=self.actor, action=action, issuer=which.issuer, detail=detail)


def delta_lifetime(full: timedelta) -> timedelta:
    """How long a delta CRL is good for: a seventh of a full one."""
    return max(full / 7, _SECOND * 2)


def next_this_update(which: Which, own: Iterable[CrlRecord], last: CrlRecord | None, *, now: datetime) -> datetime:
    """thisUpdate of the next CRL: above that of all with the same scope, and not below any other of the issuer.

    own: the published ones of the same scope. last: the one with the highest number, which may be imported.
    """
    moments = [now.replace(microsecond=0) - BACKDATE]
    times = [one.this_update for one in own]
    if times:
        moments.append(max(times) + _SECOND)
    if last is not None:
        # Without one of its own, the last one may have been of this scope, in another authority or before a restore.
        moments.append(last.this_update if times or which.shard else last.this_update + _SECOND)
    return max(moments)


def can_be_carried_over(published: CrlRecord, record: CrlRecord, *, now: datetime) -> bool:
    """Whether its entries are taken over: not once in a while, nor when much is new, nor from a later one."""
    is_due_in_full = now - published.full_at >= FULL_EVERY or record.covers - published.covers > MOST_CHANGES
    return published.number < record.number and published.covers <= record.covers and not is_due_in_full


def scope_of(urls: Iterable[str]) -> x509.IssuingDistributionPoint:
    """The scope of a shard: the certificates that point to these very URLs (RFC 5280 section 5.2.5)."""
    return x509.IssuingDistributionPoint(
        full_name=[x509.UniformResourceIdentifier(url) for url in urls],
        relative_name=None,
        only_contains_user_certs=False,
        only_contains_ca_certs=False,
        only_some_reasons=None,
        indirect_crl=False,
        only_contains_attribute_certs=False,
    )


def counted(pieces: Iterable[bytes]) -> Entries:
    """The pieces, and how many entries there are in them."""
    found: list[bytes | memoryview] = list(pieces)
    return Entries(found, sum(map(der.how_many, found)))


def entries_of(crl: bytes) -> memoryview:
    """The bytes of all entries of revokedCertificates of a CRL in DER, without looking at each."""
    tbs = next(iter(der.children(crl, der.element_at(crl))))
    sequences = [one for one in der.children(crl, tbs) if one.tag == 0x30]
    # signature, issuer, and revokedCertificates when there are any; the times before it are no SEQUENCEs.
    if len(sequences) < 3:
        return memoryview(b"")
    return memoryview(crl)[sequences[2].start : sequences[2].end]


def carried_over(store: Store, which: Which, record: CrlRecord, previous: Previous) -> Entries:
    """The previous CRL's entries, without those that changed since, and then those that are new."""
    changed: dict[int, Revocation] = {}
    stale: set[int] = set()
    for change in store.publications.changes(which, after=previous.covers, until=record.covers):
        if change.sequence > 0:
            stale.add(change.serial)
        changed[change.serial] = change
    kept, removed = without(previous.entries, stale)
    new = [encode_entry(one.serial, one.revoked_at, one.reason.flag) for one in changed.values() if one.is_in_force]
    return Entries([*kept, *new], previous.count - removed + len(new))


def changed_since(store: Store, which: Which, record: CrlRecord, base: Base) -> Entries:
    """The entries of a delta: how each certificate that changed since the base is now, removeFromCRL for released."""
    changed = {one.serial: one for one in store.publications.changes(which, after=base.covers, until=record.covers)}
    entries = [encode_entry(one.serial, one.revoked_at, one.reason.flag) for one in changed.values()]
    return Entries([*entries], len(entries))


def without(entries: memoryview, serials: set[int]) -> tuple[list[bytes | memoryview], int]:
    """The entries in as few pieces as possible, leaving out those of these serials; and how many were left out."""
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
    return pieces, len(cuts)


def _begins_entry(data: bytes, start: int) -> bool:
    """Whether the INTEGER at this place is the first thing in a SEQUENCE that is long enough for it and a time."""
    size = der.element_at(data, start).end - start
    return start >= 2 and data[start - 2] == 0x30 and size + 15 <= data[start - 1] < 0x80
