"""Failed authentication and requests beyond a limit: counted within bounds, and told in sums that name no secret."""

from dataclasses import replace
from datetime import timedelta

import pytest

from handfast.ca.audit import verify_chain
from handfast.ca.authenticating import Credentials
from handfast.ca.limits import Limits, Rate
from handfast.ca.records import AuditEvent
from handfast.ca.refusals import FAILED, LIMITED, Refusal, record
from handfast.ca.requesters import SECRET_PREFIX
from handfast.ca.tokens import TOKEN_PREFIX
from handfast.errors import Denied, RateLimited, Unauthenticated, Unavailable
from handfast.protocols.exchange import Peer
from handfast.server.peers import require_standing
from handfast.server.refusals import Sums
from tests.requesting import CA, NOW, World, a_world

MINUTE = timedelta(minutes=1)
WRONG = SECRET_PREFIX + "0" * 43


def counting_world(limits: Limits | None = None) -> World:
    world = a_world(limits=limits)
    return replace(world, authority=replace(world.authority, refusals=Sums()))


def refused(world: World, **credentials: object) -> None:
    with pytest.raises(Unauthenticated):
        world.authority.authenticate(Credentials(**credentials))  # type: ignore[arg-type]  # what each test gives


def recorded(world: World, *, everything: bool = False) -> list[AuditEvent]:
    """The sums that are written now."""
    store = world.authority.store
    before = store.last_event_id()
    record(world.authority.refusals, store, world.clock(), everything=everything)
    return list(store.events(after=before))


def told(events: list[AuditEvent]) -> list[tuple[str, str, str, str]]:
    names = ("by", "requester", "reason", "count")
    return [tuple(event.detail.get(name, "") for name in names) for event in events]  # type: ignore[misc]  # four


def test_failed_attempts_are_told_by_what_was_presented_and_why() -> None:
    world = counting_world()
    world.add("carol", "administrator", certificate=world.issue("carol").certificate)
    for _ in range(3):
        refused(world, user="carol", secret=WRONG)
    refused(world, user="carol", secret="hunter2")
    refused(world, user="hunter2", secret=WRONG)
    refused(world, secret=TOKEN_PREFIX + "0" * 43)
    refused(world, certificate=CA)
    assert told(recorded(world)) == [
        ("secret", "carol", "not known", "3"),
        ("password", "carol", "not known", "1"),
        ("secret", "", "not known", "1"),
        ("token", "", "not known", "1"),
        ("certificate", "", "not issued here", "1"),
    ]


def test_what_was_typed_is_nowhere_in_the_log() -> None:
    world = counting_world()
    for user in ("hunter2", "correct horse", "x" * 5000, "operator"):
        refused(world, user=user, secret="hunter2")
    events = recorded(world)
    assert told(events) == [("password", "", "not known", "4")]
    assert "hunter2" not in repr(events)


def test_a_certificate_that_no_longer_stands_is_told_by_its_serial() -> None:
    world = counting_world()
    issued = world.issue("carol")
    world.authority.revoke(issued.record)
    refused(world, certificate=issued.certificate)
    with pytest.raises(Denied):
        require_standing(world.authority, Peer(address="", chain=(issued.certificate,)))
    events = recorded(world)
    assert [(event.serial, event.detail["reason"]) for event in events] == [
        (issued.record.serial, "revoked"),
        (issued.record.serial, "the certificate that you presented is revoked"),
    ]


def test_who_presents_nothing_is_not_counted() -> None:
    world = counting_world()
    refused(world)
    assert recorded(world, everything=True) == []


def test_requests_beyond_a_limit_are_told_with_who_made_them() -> None:
    world = counting_world(limits=Limits(per_requester=Rate(1, timedelta(hours=1))))
    web = world.add("web", "requester", profiles=None)
    world.issue("cam.example.org", by=web)
    for _ in range(5):
        with pytest.raises(RateLimited):
            world.issue("cam.example.org", by=web)
    (event,) = recorded(world)
    assert (event.actor, event.action, event.detail["count"]) == ("web", LIMITED, "5")


def test_a_flood_of_a_day_is_some_thirty_events_and_none_is_lost() -> None:
    world = counting_world()
    events: list[AuditEvent] = []
    for _ in range(24 * 60):
        refused(world, secret=WRONG)
        refused(world, secret=WRONG)
        events += recorded(world)
        world.clock.advance(MINUTE)
    events += recorded(world, everything=True)
    assert len(events) <= 32
    assert sum(int(event.detail["count"]) for event in events) == 2 * 24 * 60
    assert verify_chain(world.authority.store.events(limit=1000)) == ()


def test_different_ones_beyond_the_bound_are_counted_together() -> None:
    sums = Sums(most=3)
    for number in range(10):
        sums.note(Refusal(action=FAILED, reason="revoked", serial=number), NOW)
    taken = sums.take(NOW, everything=False)
    assert [(one.refusal.serial, one.count) for one in taken] == [(0, 1), (1, 1), (2, 1), (None, 7)]
    assert taken[-1].refusal.reason == "others"


def test_one_that_has_stopped_makes_room() -> None:
    sums = Sums(most=1)
    sums.note(Refusal(action=FAILED, reason="first"), NOW)
    assert len(sums.take(NOW, everything=False)) == 1
    assert sums.take(NOW + MINUTE, everything=False) == []
    sums.note(Refusal(action=FAILED, reason="second"), NOW + MINUTE)
    assert [one.refusal.reason for one in sums.take(NOW + MINUTE, everything=False)] == ["second"]


def test_what_the_store_does_not_take_is_written_later() -> None:
    world = counting_world()
    refused(world, secret=WRONG)

    class Down:
        def append(self, *events: AuditEvent) -> None:
            raise Unavailable("the store does not answer", hint="wait")

    with pytest.raises(Unavailable):
        record(world.authority.refusals, Down(), world.clock())  # type: ignore[arg-type]  # the one method that is used
    refused(world, secret=WRONG)
    assert told(recorded(world, everything=True)) == [("secret", "", "not known", "2")]
