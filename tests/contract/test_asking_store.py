"""Every store knows requesters, tokens, approvals, answers and quotas: one suite for all plugins."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from handfast import registry
from handfast.ca.answers import AnswerKey
from handfast.ca.authenticating import Credentials
from handfast.ca.claims import QuotaUse
from handfast.ca.limits import Limits, Rate
from handfast.ca.order import Issued
from handfast.ca.policy import OPERATOR
from handfast.ca.records import Pending
from handfast.errors import Conflict, NotFound, RateLimited, Unauthenticated
from handfast.stores.sql import SqlStore
from tests.databases import Server
from tests.requesting import NOW, a_world, order


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStore]:
    kind, location = "sqlite", str(tmp_path / "ca.sqlite")
    if request.param == "postgresql":
        server: Server = request.getfixturevalue("postgresql_server")
        kind, _, location = server.new_database().partition(":")
    opened: SqlStore = registry.load("stores", kind).open_store(location)
    yield opened
    opened.close()


def test_requesters_are_found_by_their_credentials_and_gone_when_removed(store: SqlStore) -> None:
    world = a_world(store=store)
    certificate = world.issue("carol").certificate
    world.add("carol", "administrator", certificate=certificate)
    world.add("web", "requester", secret="hfr_web", profiles=frozenset({"device"}), patterns=("*.example.org",))
    by_certificate = world.authority.authenticate(Credentials(certificate=certificate))
    by_secret = world.authority.authenticate(Credentials(secret="hfr_web"))
    assert (by_certificate.name, by_secret.name) == ("carol", "web")
    assert [str(pattern) for pattern in by_secret.patterns or ()] == ["dns:*.example.org"]
    assert [record.name for record in store.requesters.all()] == ["carol", "web"]
    assert [one.requester for one in store.requesters.credentials()] == ["carol", "web"]
    with pytest.raises(Conflict):
        world.add("web", "requester")
    world.authority.office.remove_requester("web")
    with pytest.raises(Unauthenticated):
        world.authority.authenticate(Credentials(secret="hfr_web"))
    with pytest.raises(NotFound):
        world.authority.office.remove_requester("web")


def test_a_token_is_redeemed_once(store: SqlStore) -> None:
    world = a_world(store=store)
    token = world.authority.office.make_token("hft_x", "device", ["cam.example.org"])
    assert world.authority.office.tokens() == (token,)
    bearer = world.authority.authenticate(Credentials(secret="hft_x"))
    assert isinstance(world.authority.enroll(order("cam.example.org", by=bearer)), Issued)
    with pytest.raises(Unauthenticated):
        world.authority.enroll(order("cam.example.org", by=bearer))
    assert len(store.by_name("cam.example.org")) == 1


def test_a_request_waits_is_approved_and_becomes_one_certificate(store: SqlStore) -> None:
    world = a_world(store=store, approvals={"device": 2})
    web = world.add("web", "requester", profiles=None)
    wanted = order("cam.example.org", by=web)
    waiting = world.authority.enroll(wanted)
    assert waiting == world.authority.enroll(wanted)
    assert isinstance(waiting, Pending)
    world.authority.approve(waiting.transaction, OPERATOR)
    with pytest.raises(Conflict):
        world.authority.approve(waiting.transaction, OPERATOR)
    world.authority.approve(waiting.transaction, world.add("ann", "approver"))
    first, second = world.authority.enroll(wanted), world.authority.enroll(wanted)
    assert isinstance(first, Issued)
    assert isinstance(second, Issued)
    assert first.certificate == second.certificate
    with pytest.raises(Conflict):
        world.authority.reject(waiting.transaction, OPERATOR)


def test_a_rejected_request_keeps_its_reason(store: SqlStore) -> None:
    world = a_world(store=store, approvals={"device": 1})
    waiting = world.authority.enroll(order("cam.example.org", by=world.add("web", "requester", profiles=None)))
    assert isinstance(waiting, Pending)
    assert world.authority.reject(waiting.transaction, OPERATOR, "no").reason == "no"
    assert world.authority.pending() == ()
    assert [one.state for one in world.authority.pending(waiting=False)] == ["rejected"]


def test_tokens_and_requesters_are_counted(store: SqlStore) -> None:
    world = a_world(store=store)
    assert store.tokens.count(now=world.clock()) == {"redeemable": 0, "expired": 0}
    for name in ("a", "b", "c"):
        world.authority.office.make_token(f"hft_{name}", "device", [f"{name}.example.org"])
    bearer = world.authority.authenticate(Credentials(secret="hft_a"))
    world.authority.enroll(order("a.example.org", by=bearer))
    assert store.tokens.count(now=world.clock()) == {"redeemable": 2, "expired": 0}
    later = world.clock() + timedelta(days=366)
    assert store.tokens.count(now=later) == {"redeemable": 0, "expired": 2}
    assert store.requesters.count() == 0
    world.add("ann", "approver")
    assert store.requesters.count() == 1


def test_approvals_are_counted_by_their_states(store: SqlStore) -> None:
    world = a_world(store=store, approvals={"device": 2})
    web, ann = world.add("web", "requester", profiles=None), world.add("ann", "approver")
    asked = [order(f"cam-{number}.example.org", by=web) for number in range(5)]
    transactions = [getattr(world.authority.enroll(one), "transaction", "") for one in asked]
    for transaction in transactions[:3]:
        world.authority.approve(transaction, OPERATOR)
    for transaction in transactions[:2]:
        world.authority.approve(transaction, ann)
    world.authority.enroll(asked[0])
    world.authority.reject(transactions[4], ann)
    counted = store.approvals.count(now=world.clock())
    states = [one.state for one in world.authority.pending(waiting=False)]
    assert counted == {"waiting": 2, "approved": 1, "rejected": 1, "issued": 1}
    assert counted == {state: states.count(state) for state in counted}
    assert sum(store.approvals.count(now=world.clock() + timedelta(days=4000)).values()) == 0


def test_a_limit_is_counted_and_undone_with_what_it_was_for(store: SqlStore) -> None:
    world = a_world(store=store, limits=Limits(per_requester=Rate(1, timedelta(minutes=1))))
    web = world.add("web", "requester", profiles=None)
    world.issue("cam.example.org", by=web)
    with pytest.raises(RateLimited):
        world.issue("cam.example.org", by=web)
    use = QuotaUse("requester web", NOW, NOW + timedelta(minutes=1), 1, NOW + timedelta(seconds=50))
    with pytest.raises(RateLimited) as limited:
        store.quotas.take((use,))
    assert limited.value.retry_after == timedelta(seconds=10), "who was overtaken waits no longer than others"
    assert store.quotas.taken(use) == 1
    later = QuotaUse("requester web", use.end, use.end + timedelta(minutes=1), 1, use.end)
    store.quotas.take((later,))
    assert (store.quotas.taken(use), store.quotas.taken(later)) == (0, 1), "windows that are over are forgotten"


def test_an_answer_is_given_once_and_kept(store: SqlStore) -> None:
    key = AnswerKey("web", "k")
    assert store.answers.claim(key, b"request", now=NOW) is None
    with pytest.raises(Conflict):
        store.answers.claim(key, b"request", now=NOW)
    store.answers.keep(key, b"answer")
    assert store.answers.claim(key, b"request", now=NOW) == b"answer"
    with pytest.raises(Conflict):
        store.answers.claim(key, b"other", now=NOW)
