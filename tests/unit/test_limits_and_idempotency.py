"""Limits are shared and exact; the same request under the same key is done once."""

import threading
from datetime import timedelta
from pathlib import Path

import pytest

from handfast.ca.answers import AnswerKey
from handfast.ca.limits import Limits, Rate, parse_rate
from handfast.ca.policy import OPERATOR
from handfast.errors import ConfigError, Conflict, RateLimited
from handfast.pki.profile import BUILT_IN
from handfast.server.settings import parse_settings
from handfast.stores.sqlite import open_store
from tests.requesting import NOW, World, a_world

MINUTE = timedelta(minutes=1)
KEY = AnswerKey("web", "k1")


@pytest.mark.parametrize(
    ("text", "rate"),
    [("100/1m", Rate(100, MINUTE)), (" 5 / 1d ", Rate(5, timedelta(days=1))), ("1/1H", Rate(1, timedelta(hours=1)))],
)
def test_a_rate_is_read(text: str, rate: Rate) -> None:
    assert parse_rate(text) == rate
    assert parse_rate(str(rate)) == rate


@pytest.mark.parametrize("text", ["", "100", "0/1m", "/1m", "100/", "100/m", "-1/1m", "1.5/1m", "100/0s", "many/1m"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_rate(text)


def test_handfast_toml_says_limits_and_approvals() -> None:
    text = '[limits]\nper_requester = "100/1m"\nper_profile = ""\n[profiles.server]\napprovals = 2'
    found = parse_settings(text)
    assert found.limits == Limits(per_requester=Rate(100, MINUTE))
    assert found.approvals == {"server": 2}
    assert found.profiles["server"] == BUILT_IN["server"], "that others must agree does not change the certificate"


@pytest.mark.parametrize(
    "text",
    [
        '[limits]\nper_day = "1/1d"',
        "[limits]\nper_requester = 100",
        '[limits]\nper_requester = "100"',
        "limits = 1",
        "[profiles.server]\napprovals = -1",
        "[profiles.server]\napprovals = 21",
        "[profiles.server]\napprovals = true",
        '[profiles.server]\napprovals = "1"',
    ],
)
def test_limits_and_approvals_that_make_no_sense_are_refused_by_their_name(text: str) -> None:
    with pytest.raises(ConfigError, match=r"limits|profiles\.server\.approvals"):
        parse_settings(text)


def test_the_limit_is_had_and_one_more_is_not_until_the_next_window() -> None:
    world = a_world(limits=Limits(per_requester=Rate(2, MINUTE)))
    web = world.add("web", "requester", profiles=None)
    for _ in range(2):
        world.issue("cam.example.org", by=web)
    with pytest.raises(RateLimited) as caught:
        world.issue("cam.example.org", by=web)
    assert timedelta() < caught.value.retry_after <= MINUTE
    world.clock.advance(caught.value.retry_after)
    assert world.issue("cam.example.org", by=web)


def test_one_requesters_limit_is_not_anothers_and_a_profiles_is_everybodys() -> None:
    world = a_world(limits=Limits(per_requester=Rate(1, MINUTE), per_profile=Rate(2, MINUTE)))
    web, other, third = (world.add(name, "requester", profiles=None) for name in ("web", "other", "third"))
    world.issue("cam.example.org", by=web)
    world.issue("cam.example.org", by=other)
    with pytest.raises(RateLimited, match="profile device"):
        world.issue("cam.example.org", by=third)
    assert world.issue("www.example.org", by=third, profile="server")


def test_what_is_refused_takes_nothing_of_the_limit() -> None:
    world = a_world(limits=Limits(per_requester=Rate(1, MINUTE)), allowed={"device": ("*.example.org",)})
    web = world.add("web", "requester", profiles=None)
    with pytest.raises(Exception, match="may not certify"):
        world.issue("cam.example.com", by=web)
    assert world.issue("cam.example.org", by=web)


def test_the_person_at_the_machine_has_no_limit() -> None:
    world = a_world(limits=Limits(per_requester=Rate(1, MINUTE), per_profile=Rate(1, MINUTE)))
    assert all(world.issue("cam.example.org", by=OPERATOR) for _ in range(3))


def test_a_flood_leaves_no_flood_in_the_audit_log() -> None:
    world = a_world(limits=Limits(per_requester=Rate(1, MINUTE)))
    web = world.add("web", "requester", profiles=None)
    world.issue("cam.example.org", by=web)
    before = len(world.authority.store.events(limit=1000))
    for _ in range(5):
        with pytest.raises(RateLimited):
            world.issue("cam.example.org", by=web)
    assert len(world.authority.store.events(limit=1000)) == before


def test_two_replicas_share_a_limit(tmp_path: Path) -> None:
    place = str(tmp_path / "ca.sqlite")
    limits = Limits(per_requester=Rate(5, MINUTE))
    first, second = (a_world(limits=limits, location=place, first_serial=one) for one in (1 << 157, 1 << 158))
    web = first.add("web", "requester", profiles=None)
    got: list[bool] = []

    def ask(world: World) -> None:
        for _ in range(4):
            try:
                world.issue("cam.example.org", by=web)
                got.append(True)
            except RateLimited:
                got.append(False)

    threads = [threading.Thread(target=ask, args=(world,)) for world in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [False] * 3 + [True] * 5
    for world in (first, second):
        world.authority.store.close()


def test_an_answer_is_given_again_for_the_same_request() -> None:
    answers = open_store(":memory:").answers
    assert answers.claim(KEY, b"request", now=NOW) is None
    with pytest.raises(Conflict, match="worked on"):
        answers.claim(KEY, b"request", now=NOW)
    answers.keep(KEY, b"answer")
    assert answers.claim(KEY, b"request", now=NOW + timedelta(hours=23)) == b"answer"


def test_the_same_key_with_another_request_is_a_conflict() -> None:
    answers = open_store(":memory:").answers
    answers.claim(KEY, b"request", now=NOW)
    answers.keep(KEY, b"answer")
    with pytest.raises(Conflict, match="another request"):
        answers.claim(KEY, b"other", now=NOW)
    assert answers.claim(AnswerKey("other", "k1"), b"other", now=NOW) is None, "another requester's key is another one"


def test_what_failed_may_be_tried_again_and_what_was_answered_is_not_forgotten() -> None:
    answers = open_store(":memory:").answers
    answers.claim(KEY, b"request", now=NOW)
    answers.forget(KEY)
    assert answers.claim(KEY, b"request", now=NOW) is None
    answers.keep(KEY, b"answer")
    answers.forget(KEY)
    assert answers.claim(KEY, b"request", now=NOW) == b"answer"


def test_a_key_is_free_again_after_a_day() -> None:
    answers = open_store(":memory:").answers
    answers.claim(KEY, b"request", now=NOW)
    answers.keep(KEY, b"answer")
    assert answers.claim(KEY, b"other", now=NOW + timedelta(hours=24)) is None
