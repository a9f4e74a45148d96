"""Four eyes: what waits, who may agree, and what it becomes."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from handfast.ca.authenticating import Credentials
from handfast.ca.issuing import Decision, record_of
from handfast.ca.limits import Limits, Rate
from handfast.ca.order import Issued
from handfast.ca.policy import OPERATOR, Requester
from handfast.ca.ports import Store
from handfast.ca.records import Pending
from handfast.errors import Conflict, Denied, NotFound, RateLimited, Unacceptable
from handfast.keys.generate import generate_key
from handfast.pki.names import parse_names
from tests.requesting import World, a_world, order

ANOTHER_KEY = generate_key().public_key()


def asked(world: World, by: Requester, **changes: Any) -> Issued | Pending:
    return world.authority.enroll(order("cam.example.org", by=by, **changes))


def waiting(world: World, by: Requester, **changes: Any) -> str:
    """The transaction of a request that waits."""
    answer = asked(world, by, **changes)
    assert isinstance(answer, Pending)
    assert answer.retry_after > timedelta()
    return answer.transaction


def four_eyes(count: int = 1, *, limits: Limits | None = None, location: str = ":memory:") -> tuple[World, Requester]:
    world = a_world(approvals={"device": count}, limits=limits, location=location)
    return world, world.add("web", "requester", profiles=None)


def test_a_request_waits_is_approved_and_becomes_one_certificate() -> None:
    world, web = four_eyes()
    transaction = waiting(world, web)
    assert waiting(world, web) == transaction, "the same request gets the same answer"
    record = world.authority.approve(transaction, world.add("ann", "approver"))
    assert (record.state, record.approved_by) == ("approved", ("ann",))
    first, second = asked(world, web), asked(world, web)
    assert isinstance(first, Issued)
    assert isinstance(second, Issued)
    assert first.certificate == second.certificate
    assert second.chain == first.chain
    assert len(world.authority.store.by_name("cam.example.org")) == 1
    assert world.authority.pending() == ()
    assert [one.state for one in world.authority.pending(waiting=False)] == ["issued"]


def test_each_step_is_on_record() -> None:
    world, web = four_eyes()
    transaction = waiting(world, web)
    waiting(world, web)
    world.authority.approve(transaction, OPERATOR)
    asked(world, web)
    asked(world, web)
    events = world.authority.store.events(limit=100)
    assert [(event.actor, event.action) for event in events[1:]] == [
        ("web", "request.pending"),
        ("operator", "request.approved"),
        ("web", "certificate.issued"),
    ]


def test_who_asked_cannot_approve_also_as_an_administrator() -> None:
    world, _ = four_eyes()
    admin = world.add("carol", "administrator")
    transaction = waiting(world, admin)
    with pytest.raises(Denied, match="asked"):
        world.authority.approve(transaction, admin)
    assert world.authority.approve(transaction, world.add("dave", "administrator")).is_approved


def test_who_made_the_token_cannot_approve_what_it_asks_for() -> None:
    world, _ = four_eyes()
    admin = world.add("carol", "administrator")
    world.authority.office.make_token("hft_x", "device", ["cam.example.org"], by=admin)
    bearer = world.authority.authenticate(Credentials(secret="hft_x"))
    transaction = waiting(world, bearer)
    with pytest.raises(Denied, match="asked"):
        world.authority.approve(transaction, admin)
    world.authority.approve(transaction, world.add("ann", "approver"))
    assert isinstance(asked(world, bearer), Issued)


@pytest.mark.parametrize("role", ["registration-officer", "auditor", "requester"])
def test_only_an_approver_or_an_administrator_decides(role: str) -> None:
    world, web = four_eyes()
    transaction = waiting(world, web)
    other = world.add("other", role)
    with pytest.raises(Denied):
        world.authority.approve(transaction, other)
    with pytest.raises(Denied):
        world.authority.reject(transaction, other)


def test_each_counts_once() -> None:
    world, web = four_eyes(2)
    transaction = waiting(world, web)
    ann = world.add("ann", "approver")
    assert not world.authority.approve(transaction, ann).is_approved
    with pytest.raises(Conflict, match="ann"):
        world.authority.approve(transaction, ann)
    assert waiting(world, web) == transaction
    assert world.authority.approve(transaction, world.add("bob", "approver")).is_approved
    assert isinstance(asked(world, web), Issued)


def test_a_rejected_request_is_denied_with_the_reason_and_stays_so() -> None:
    world, web = four_eyes()
    transaction = waiting(world, web)
    world.authority.reject(transaction, OPERATOR, "not our camera")
    for _ in range(2):
        with pytest.raises(Denied, match="not our camera"):
            asked(world, web)
    for decide in (world.authority.approve, world.authority.reject):
        with pytest.raises(Conflict, match="rejected"):
            decide(transaction, OPERATOR)


def test_what_was_approved_may_still_be_rejected_until_it_is_issued() -> None:
    world, web = four_eyes()
    transaction = waiting(world, web)
    world.authority.approve(transaction, OPERATOR)
    assert world.authority.reject(transaction, OPERATOR).state == "rejected"
    with pytest.raises(Denied):
        asked(world, web)


def test_what_was_issued_is_not_decided_any_more() -> None:
    world, web = four_eyes()
    transaction = waiting(world, web)
    world.authority.approve(transaction, OPERATOR)
    asked(world, web)
    for decide in (world.authority.approve, world.authority.reject):
        with pytest.raises(Conflict, match="issued"):
            decide(transaction, world.add(f"x{decide.__name__}", "approver"))


def test_what_nobody_asked_is_not_found() -> None:
    world, _ = four_eyes()
    for decide in (world.authority.approve, world.authority.reject):
        with pytest.raises(NotFound):
            decide("0123", OPERATOR)


@pytest.mark.parametrize(
    "changes",
    [{"public_key": ANOTHER_KEY}, {"names": parse_names(["evil.example.org"])}, {"lifetime": timedelta(days=1)}],
)
def test_an_approval_is_for_that_very_request(changes: dict[str, Any]) -> None:
    world, web = four_eyes()
    transaction = waiting(world, web)
    world.authority.approve(transaction, OPERATOR)
    assert waiting(world, web, **changes) != transaction


def test_anothers_same_request_is_another_one() -> None:
    world, web = four_eyes()
    transaction = waiting(world, web)
    assert waiting(world, world.add("web2", "requester", profiles=None)) != transaction


def test_what_may_not_be_had_does_not_wait() -> None:
    world, web = four_eyes()
    bound = world.add("bound", "requester", profiles=None, patterns=("*.web.example.org",))
    with pytest.raises(Denied):
        asked(world, bound)
    with pytest.raises(Unacceptable):
        asked(world, web, names=parse_names(["*.example.org"]), profile="device")
    assert world.authority.pending() == ()


def test_the_profile_cannot_be_had_past_the_approvers() -> None:
    world, web = four_eyes()
    officer = world.add("olga", "registration-officer")
    with pytest.raises(Denied, match="approval"):
        world.issue("cam.example.org", by=web)
    record = world.issue("cam.example.org").record
    with pytest.raises(Denied, match="approval"):
        world.authority.rekey(record, ANOTHER_KEY, requester=officer)
    with pytest.raises(Denied, match="approval"):
        world.authority.decide(order("cam.example.org", by=officer))


def test_a_device_renews_what_was_approved_once() -> None:
    world, _ = four_eyes()
    old = world.issue("cam.example.org").certificate
    device = world.authority.authenticate(Credentials(certificate=old))
    assert isinstance(asked(world, device, public_key=ANOTHER_KEY, replaces=old.serial_number), Issued)
    assert isinstance(asked(world, device, names=(), replaces=old.serial_number, requester=OPERATOR), Pending)


def test_a_request_survives_a_restart(tmp_path: Path) -> None:
    place = str(tmp_path / "ca.sqlite")
    world, web = four_eyes(location=place)
    transaction = waiting(world, web)
    world.authority.store.close()
    again = a_world(approvals={"device": 1}, location=place)
    assert [one.transaction for one in again.authority.pending()] == [transaction]
    again.authority.approve(transaction, OPERATOR)
    assert isinstance(asked(again, web), Issued)
    again.authority.store.close()


def test_a_certificate_that_is_over_is_decided_anew() -> None:
    world, web = four_eyes()
    world.authority.approve(waiting(world, web), OPERATOR)
    issued = asked(world, web)
    assert isinstance(issued, Issued)
    world.authority.revoke(issued.record)
    assert isinstance(asked(world, web), Pending)


def test_more_approvals_that_are_asked_for_later_are_needed() -> None:
    world, web = four_eyes()
    world.authority.approve(waiting(world, web), OPERATOR)
    stricter = replace(world.authority, policy=replace(world.authority.policy, approvals={"device": 2}))
    assert isinstance(stricter.enroll(order("cam.example.org", by=web)), Pending)


def test_what_nobody_decides_is_forgotten_after_a_month() -> None:
    world, web = four_eyes()
    transaction = waiting(world, web)
    world.clock.advance(timedelta(days=30))
    assert world.authority.pending() == ()
    assert waiting(world, web) != transaction


def test_one_sees_ones_own_requests_only() -> None:
    world, web = four_eyes()
    mine = waiting(world, web)
    other = world.add("other", "requester", profiles=None)
    assert [one.transaction for one in world.authority.pending(web)] == [mine]
    assert world.authority.pending(other) == ()


def test_waiting_counts_against_the_limit_and_asking_again_does_not() -> None:
    world, web = four_eyes(limits=Limits(per_requester=Rate(1, timedelta(minutes=1))))
    transaction = waiting(world, web)
    with pytest.raises(RateLimited):
        asked(world, web, public_key=ANOTHER_KEY)
    assert waiting(world, web) == transaction


def test_a_certificate_that_was_begun_and_never_signed_is_finished_when_it_is_asked_for_again() -> None:
    world, web = four_eyes()
    world.authority.approve(waiting(world, web), OPERATOR)
    broken = replace(world.authority, carrier=_only_begin)
    with pytest.raises(ZeroDivisionError):
        broken.enroll(order("cam.example.org", by=web))
    assert isinstance(asked(world, web), Pending), "whoever began it may still be at it"
    world.clock.advance(timedelta(minutes=1))
    issued = asked(world, web)
    assert isinstance(issued, Issued)
    assert len(world.authority.store.by_name("cam.example.org")) == 1


def _only_begin(decisions: Sequence[Decision], store: Store) -> list[Issued]:
    store.begin([record_of(one) for one in decisions], claims=[claim for one in decisions for claim in one.claims])
    raise ZeroDivisionError
