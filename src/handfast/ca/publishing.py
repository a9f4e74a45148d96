"""CRLs from the store: numbers that rise, times that rise, entries carried over (RFC 5280 section 5)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cryptography import x509

from handfast.ca.issuer import Issuer
from handfast.ca.list_entries import carried_over, latest
from handfast.ca.ports import Store
from handfast.ca.published import Base, Entries, Kept, ListKind, Published, Which
from handfast.ca.records import AuditEvent, CrlRecord
from handfast.errors import Conflict
from handfast.pki.crl import CrlHeader, join_crl

_SECOND = timedelta(seconds=1)
# Relying parties whose clock is behind take a new CRL at once; and CRLs made in the same second can be told apart.
BACKDATE = timedelta(minutes=1)
# Whatever went wrong in a list would be carried over to the next one: no longer than that.
FULL_EVERY = timedelta(days=7)
# Each change costs as much as several entries taken from the store.
MOST_CHANGES = 20_000
# RFC 5280 section 3.3: an entry stays for one CRL beyond the certificate's end.
MARGIN = timedelta(days=7)
# Each time that somebody else takes the number, somebody else has published.
_TRIES = 100


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
        for _ in range(_TRIES):
            published = self._made(which)
            if published is not None:
                return published
        raise _kept_publishing(which)

    def _made(self, which: Which) -> Published | None:
        """None when somebody else published meanwhile, and with a lower number: that one may lack what this one has."""
        wanted = self._wanted(which, self._record(which))
        kept = self.store.publications.kept(which)
        upon = kept if kept is not None and can_be_carried_over(kept.published, wanted, now=self.now) else None
        entries = None if upon is None else self._carried_over(upon, wanted)
        if entries is None:
            upon, entries = None, self.store.publications.entries(wanted)
            wanted = replace(wanted, record=replace(wanted.record, full_at=self.now))
        return self._put(wanted, entries, upon)

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
        raise _kept_publishing(which)

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

    def _wanted(self, which: Which, record: CrlRecord) -> Published:
        """The list that is to be made, without its entries and DER."""
        published = {one.which: one for one in self._published()}
        last = published.get(Which(which.issuer, which.shard))
        # No certificate leaves before a full list that was begun after its end has been published (section 3.3).
        alive_at = min([record.this_update - MARGIN, *([last.record.this_update] if last else [])])
        base = None
        if which.kind is ListKind.DELTA:
            base = self._base(published.get(which), published[Which(which.issuer)])
        return Published(which, record, alive_at, base=base)

    def _base(self, last: Published | None, full: Published) -> Base:
        """The base stays for the life of a full CRL, so that the delta fits all that relying parties may have kept."""
        if last is not None and last.base is not None and self.now - last.base.at < self.lifetime:
            return last.base
        return Base(full.record.number, full.record.covers, self.now)

    def _carried_over(self, upon: Kept, wanted: Published) -> Entries | None:
        """The entries upon those of the list before; None when so many leave that all are taken from the store."""
        publications, before = self.store.publications, upon.published
        covers, until = before.record.covers, wanted.record.covers
        changes = list(publications.changes(wanted.which, after=covers, until=until))
        leaving = publications.leaving(before, wanted, changes)
        if len(leaving) > MOST_CHANGES:
            return None
        is_delta = wanted.which.kind is ListKind.DELTA
        new = [one for one in latest(changes) if one.not_after >= wanted.alive_at and (is_delta or one.is_in_force)]
        return carried_over(upon.entries, leaving, new)

    def _put(self, wanted: Published, entries: Entries, upon: Kept | None) -> Published | None:
        der = join_crl(
            entries.pieces.values(), self._header(wanted), issuer=self.issuer.identity, key=self.issuer.unlock()
        )
        made = replace(wanted, entries=entries.count, der=der)
        event = self._event("crl.published", made.which, made.record)
        publications = self.store.publications
        if publications.put(made, entries, event, upon=upon):
            return made
        newest = publications.get(made.which)
        return newest if newest is not None and newest.record.number > made.record.number else None

    def _header(self, wanted: Published) -> CrlHeader:
        which, urls = wanted.which, self.issuer.identity.urls
        is_full = which.kind is ListKind.FULL
        return CrlHeader(
            number=wanted.record.number,
            this_update=wanted.record.this_update,
            next_update=wanted.record.next_update,
            base_number=None if wanted.base is None else wanted.base.number,
            scope=scope_of(urls.crl_of(which.shard)) if which.shard else None,
            freshest=urls.delta if is_full and not which.shard else (),
        )

    def _event(self, action: str, which: Which, record: CrlRecord) -> AuditEvent:
        detail = {
            "list": which.file_name,
            "number": str(record.number),
            "next_update": record.next_update.isoformat(),
        }
        return AuditEvent(at=self.now, actor=self.actor, action=action, issuer=which.issuer, detail=detail)


def _kept_publishing(which: Which) -> Conflict:
    return Conflict(f"others keep publishing the CRLs of {which.issuer}", hint="look who else publishes, and try again")


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


def can_be_carried_over(before: Published, wanted: Published, *, now: datetime) -> bool:
    """Whether its entries are taken over: of one that is older and not ended, not once in a while, nor when much is
    new. What has been archived since stood on none that has not ended (Store.retire).
    """
    old, new = before.record, wanted.record
    is_older = old.number < new.number and old.covers <= new.covers
    is_due_in_full = now - old.full_at >= FULL_EVERY or new.covers - old.covers > MOST_CHANGES
    return is_older and before.base == wanted.base and now <= old.next_update and not is_due_in_full


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
