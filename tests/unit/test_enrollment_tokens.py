"""One-time tokens: for one certificate, with these names, once."""

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from handfast.ca.authenticating import Credentials
from handfast.ca.limits import Limits, Rate
from handfast.ca.order import Issued
from handfast.ca.policy import OPERATOR, Requester
from handfast.errors import ConfigError, Denied, HandfastError, Malformed, NotFound, RateLimited, Unauthenticated
from handfast.pki.names import parse_names
from handfast.pki.subject import parse_subject
from tests.requesting import World, a_world, order

SECRET = "hft_a-token"  # of this test
EMPTY = x509.Name([])


def a_token(world: World, *words: str, profile: str = "device", by: Requester = OPERATOR, secret: str = SECRET) -> str:
    return world.authority.office.make_token(secret, profile, words or ("cam.example.org",), by=by).id


def bearer(world: World, secret: str = SECRET) -> Requester:
    return world.authority.authenticate(Credentials(secret=secret))


def test_a_token_gets_its_certificate_and_no_second_one() -> None:
    world = a_world()
    identifier = a_token(world)
    requester = bearer(world)
    issued = world.authority.enroll(order("cam.example.org", by=requester))
    assert isinstance(issued, Issued)
    assert issued.record.requester == "operator"
    with pytest.raises(Unauthenticated):
        bearer(world)
    with pytest.raises(Unauthenticated):
        world.authority.enroll(order("cam.example.org", by=requester))
    assert world.authority.office.tokens() == ()
    event = world.authority.store.events(limit=100)[-1]
    assert (event.action, event.actor) == ("certificate.issued", f"token:{identifier}")


def test_a_token_that_came_too_late_begins_nothing() -> None:
    world = a_world()
    a_token(world)
    requester = bearer(world)
    first = world.authority.enroll(order("cam.example.org", by=requester))
    with pytest.raises(Unauthenticated):
        world.authority.issue(order("cam.example.org", by=requester))
    assert isinstance(first, Issued)
    assert [record.serial for record in world.authority.store.by_name("cam.example.org")] == [first.record.serial]


def test_names_and_subject_may_be_fewer_than_the_token_has() -> None:
    world = a_world()
    a_token(world, "Camera 7", "cam.example.org", "10.0.0.7")
    requester = bearer(world)
    wanted = order("cam.example.org", by=requester, subject=parse_subject("CN=Camera 7"))
    assert isinstance(world.authority.enroll(wanted), Issued)


@pytest.mark.parametrize(
    "changes",
    [
        {"names": parse_names(["other.example.org"])},
        {"names": parse_names(["cam.example.org", "other.example.org"])},
        {"profile": "server"},
        {"profile": "issuing"},
        {"subject": parse_subject("CN=admin")},
        {"subject": parse_subject("CN=cam.example.org,O=Admins")},
    ],
)
def test_a_token_is_good_for_nothing_else_and_not_used_up_by_trying(changes: dict[str, Any]) -> None:
    world = a_world()
    a_token(world)
    with pytest.raises(HandfastError):
        world.authority.enroll(order("cam.example.org", by=bearer(world), **changes))
    assert isinstance(world.authority.enroll(order("cam.example.org", by=bearer(world))), Issued)


def test_a_token_renews_and_revokes_nothing() -> None:
    world = a_world()
    record = world.issue("cam.example.org").record
    a_token(world)
    with pytest.raises(Denied):
        world.authority.enroll(order("cam.example.org", by=bearer(world), replaces=record.serial))
    with pytest.raises(Denied):
        world.authority.revoke(record, requester=bearer(world))


def test_a_token_is_good_until_it_expires() -> None:
    world = a_world()
    a_token(world)
    requester = bearer(world)
    world.clock.advance(timedelta(days=1, seconds=-1))
    assert bearer(world).name == requester.name
    world.clock.advance(timedelta(seconds=1))
    with pytest.raises(Unauthenticated):
        bearer(world)
    with pytest.raises(Unauthenticated):
        world.authority.enroll(order("cam.example.org", by=requester))


def test_a_revoked_token_is_good_for_nothing_also_when_it_was_authenticated_before() -> None:
    world = a_world()
    identifier = a_token(world)
    requester = bearer(world)
    assert world.authority.office.revoke_token(identifier[:6]).id == identifier
    with pytest.raises(Unauthenticated):
        bearer(world)
    with pytest.raises(Unauthenticated):
        world.authority.enroll(order("cam.example.org", by=requester))
    with pytest.raises(NotFound):
        world.authority.office.revoke_token(identifier)


@pytest.mark.parametrize("text", ["", "a", "nothing"])
def test_a_token_is_named_by_enough_of_its_id(text: str) -> None:
    world = a_world()
    a_token(world)
    with pytest.raises(NotFound):
        world.authority.office.revoke_token(text)


def test_nobody_makes_a_token_for_what_they_could_not_have_themselves() -> None:
    world = a_world()
    web = world.add("web", "requester", profiles=frozenset({"device"}), patterns=("*.web.example.org",))
    assert a_token(world, "a.web.example.org", by=web)
    for words, profile in ((("cam.example.org",), "device"), (("a.web.example.org",), "server")):
        with pytest.raises(Denied):
            a_token(world, *words, profile=profile, by=web, secret="hft_b")
    with pytest.raises(Denied):
        a_token(world, by=world.add("alan", "auditor"), secret="hft_c")
    with pytest.raises(Denied):
        a_token(world, "a.web.example.org", "secret.example.org", by=bearer(world), secret="hft_d")


def test_a_token_does_not_make_tokens_for_other_names() -> None:
    world = a_world()
    a_token(world)
    with pytest.raises(Denied):
        a_token(world, "other.example.org", by=bearer(world), secret="hft_more")


def test_one_sees_and_ends_ones_own_tokens_only() -> None:
    world = a_world()
    web = world.add("web", "requester", profiles=None)
    other = a_token(world)
    mine = a_token(world, by=web, secret="hft_mine")
    assert [token.id for token in world.authority.office.tokens(by=web)] == [mine]
    with pytest.raises(NotFound):
        world.authority.office.revoke_token(other, by=web)
    assert world.authority.office.revoke_token(mine, by=web).id == mine


@pytest.mark.parametrize(
    ("words", "profile", "lifetime"),
    [
        ((), "device", timedelta(days=1)),
        (("",), "device", timedelta(days=1)),
        (("bad@@example",), "device", timedelta(days=1)),
        (("cam.example.org",), "devise", timedelta(days=1)),
        (("cam.example.org",), "issuing", timedelta(days=1)),
        (("cam.example.org",), "device", timedelta(days=91)),
        (("cam.example.org",), "device", timedelta(0)),
    ],
)
def test_a_token_that_makes_no_sense_is_refused(words: tuple[str, ...], profile: str, lifetime: timedelta) -> None:
    with pytest.raises((ConfigError, Malformed)):
        a_world().authority.office.make_token(SECRET, profile, words, lifetime=lifetime)


def test_a_refused_certificate_does_not_use_the_token_up() -> None:
    world = a_world(limits=Limits(per_profile=Rate(1, timedelta(minutes=1))))
    web = world.add("web", "requester", profiles=None)
    a_token(world)
    world.issue("x.example.org", by=web)
    with pytest.raises(RateLimited):
        world.authority.enroll(order("cam.example.org", by=bearer(world)))
    world.clock.advance(timedelta(minutes=1))
    assert isinstance(world.authority.enroll(order("cam.example.org", by=bearer(world))), Issued)


def test_of_many_threads_one_redeems_a_token(tmp_path: Path) -> None:
    world = a_world(location=str(tmp_path / "ca.sqlite"))
    for number in range(10):
        secret = f"hft_{number}"
        a_token(world, secret=secret)
        assert _race(world, bearer(world, secret)) == ["Issued", *["Unauthenticated"] * 3]
    assert len(world.authority.store.by_name("cam.example.org")) == 10
    world.authority.store.close()


def _race(world: World, requester: Requester) -> list[str]:
    """What four threads get that redeem one token at the same moment."""
    outcomes: list[str] = []
    barrier = threading.Barrier(4)

    def redeem() -> None:
        barrier.wait()
        try:
            outcomes.append(type(world.authority.enroll(order("cam.example.org", by=requester))).__name__)
        except Unauthenticated as error:
            outcomes.append(type(error).__name__)

    threads = [threading.Thread(target=redeem) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(outcomes)
