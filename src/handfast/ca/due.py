"""Which CRLs are due, and to publish them: when something was revoked, and at half-life (RFC 5280 section 5)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from handfast.ca.authority import Authority
from handfast.ca.issuer import Issuer
from handfast.ca.policy import Requester
from handfast.ca.published import ListKind, Published, Which
from handfast.ca.publishing import next_this_update
from handfast.ca.records import AuditEvent, Role
from handfast.errors import ConfigError

# A list over a megabyte is not made anew for every revocation: its delta and its shards are, and they are small.
LARGE = 25_000
LARGE_EVERY = timedelta(hours=1)
PUBLISHER = Requester("publisher", frozenset())


@dataclass(frozen=True, slots=True)
class Outcome:
    """What publish_due() did. late: lists that could not be published and
    whose last quarter of life has begun; each is told of once, in the audit log too."""

    published: tuple[Published, ...] = ()
    late: tuple[Which, ...] = ()


@dataclass(frozen=True, slots=True)
class ListAge:
    """A published list, for whoever watches. has_changes: True when something was revoked that is not in it."""

    which: Which
    number: int
    this_update: datetime
    next_update: datetime
    has_changes: bool

    def is_late(self, now: datetime) -> bool:
        """Whether its last quarter of life has begun."""
        return now >= self.this_update + (self.next_update - self.this_update) * 3 / 4


def lists_of(authority: Authority, issuer: Issuer) -> tuple[Which, ...]:
    """The lists of an issuer: of all, shards (those that were ever published too), and the delta."""
    known = [one.which for one in authority.store.publications.all(issuer.name)]
    wanted = [Which(issuer.name)]
    if issuer.role is Role.ISSUING:
        wanted += [Which(issuer.name, shard) for shard in range(1, issuer.identity.urls.shards + 1)]
    wanted += [one for one in known if one.shard]
    if authority.has_deltas and issuer.role is Role.ISSUING:
        wanted.append(Which(issuer.name, kind=ListKind.DELTA))
    return tuple(dict.fromkeys(wanted))


def due(authority: Authority, issuer: Issuer, now: datetime) -> tuple[Which, ...]:
    """The lists of an issuer that are to be made now."""
    publications = authority.store.publications
    newest = publications.newest(issuer.name)
    published = {one.which: one for one in publications.all(issuer.name)}
    wanted = lists_of(authority, issuer)
    has_others = len(wanted) > 1
    found = [one for one in wanted if _is_due(published.get(one), one, newest, now=now, has_others=has_others)]
    delta = Which(issuer.name, kind=ListKind.DELTA)
    # A delta that is older than the full CRL says nothing to those who have it.
    if Which(issuer.name) in found and delta in wanted and delta not in found:
        found.append(delta)
    return tuple(found)


def publish_due(authority: Authority, now: datetime) -> Outcome:
    """Publish what is due, of each issuer whose key is there; tell, once for each list, what is late.

    now: aware UTC. To be called every second, by as many replicas as there are. Raises Unavailable.
    """
    published: list[Published] = []
    late: list[Which] = []
    for issuer in authority.issuers.values():
        try:
            published += [authority.publish(which, requester=PUBLISHER) for which in due(authority, issuer, now)]
        except ConfigError as error:
            late += _tell_late(authority, issuer, now, error.message)
    return Outcome(tuple(published), tuple(late))


def ages(authority: Authority) -> tuple[ListAge, ...]:
    """All published lists, for metrics and for people."""
    found = []
    for name in authority.issuers:
        newest = authority.store.publications.newest(name)
        for one in authority.store.publications.all(name):
            record = one.record
            behind = newest.get(one.which.shard, 0) > record.covers
            found.append(ListAge(one.which, record.number, record.this_update, record.next_update, behind))
    return tuple(found)


def _is_due(
    published: Published | None, which: Which, newest: Mapping[int, int], *, now: datetime, has_others: bool
) -> bool:
    if published is None or now >= published.half_life:
        return True
    if newest.get(which.shard, 0) <= published.record.covers:
        return False
    if which.shard == 0 and which.kind is ListKind.FULL and has_others and published.entries > LARGE:
        return now - published.record.this_update >= LARGE_EVERY
    # thisUpdate rises by a second each time: it must not come to lie in the future.
    return next_this_update(which, [published.record], None, now=now) <= now


def _tell_late(authority: Authority, issuer: Issuer, now: datetime, why: str) -> Iterable[Which]:
    for one in authority.store.publications.all(issuer.name):
        if now < one.late_at:
            continue
        key, value = f"crl-late/{one.which.file_name}", str(one.record.number)
        if authority.store.note(key) != value:
            detail = {
                "list": one.which.file_name,
                "number": value,
                "next_update": one.record.next_update.isoformat(),
                "why": why,
            }
            event = AuditEvent(at=now, actor=PUBLISHER.name, action="crl.late", issuer=issuer.name, detail=detail)
            authority.store.set_note(key, value, event)
            yield one.which
