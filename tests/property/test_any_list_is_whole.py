"""A list made upon the one before is, octet for octet, the one made of all that the store knows."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handfast.ca import list_entries
from handfast.ca.published import Which
from handfast.ca.records import CertificateRecord, Reason
from handfast.errors import Conflict
from tests.publishing_world import DELTA, FULL, World

LISTS = (FULL, Which("issuing", 1), Which("issuing", 2), DELTA)
REASONS = (Reason.UNSPECIFIED, Reason.KEY_COMPROMISE, Reason.SUPERSEDED)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Step(NamedTuple):
    """What to do, and with which certificate or list, or how long."""

    what: str
    number: int


STEPS = st.builds(
    Step,
    st.sampled_from(("issue", "revoke", "hold", "hold", "release", "release", "wait", "publish", "publish", "archive")),
    st.integers(0, 11),
)


@pytest.fixture(autouse=True, scope="module")
def small_pieces() -> Iterator[None]:
    """Of two or three entries, so that a list has many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(list_entries, "PIECE", 100)
        yield


def act(world: World, records: list[CertificateRecord], step: Step) -> None:
    record = records[step.number % len(records)] if records else world.issue(DAY)
    actions: dict[str, Callable[[], object]] = {
        "issue": lambda: records.append(world.issue(step.number * DAY + HOUR)),
        "revoke": lambda: world.authority.revoke(record, REASONS[step.number % len(REASONS)]),
        "hold": lambda: world.authority.hold(record),
        "release": lambda: world.authority.release(record),
        "archive": lambda: world.store.retire(ended_before=world.now - step.number * DAY, now=world.now),
    }
    try:
        actions[step.what]()
    except Conflict:
        pass  # what is revoked stays so, and what is not held cannot be released


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, min_size=10, max_size=60))
def test_every_list_is_the_one_made_of_all(steps: list[Step]) -> None:
    world = World(shards=2, has_deltas=True)
    records = [world.issue((number + 1) * DAY) for number in range(8)]
    for record in records[:5]:
        world.authority.hold(record)
    for which in LISTS:
        world.authority.publish(which)

    for step in steps:
        if step.what == "wait":
            world.now += step.number * 7 * HOUR
        elif step.what == "publish":
            which = LISTS[step.number % len(LISTS)]
            made = world.authority.publish(which)
            assert made.der == world.whole(which)
            assert len(world.crl(which)) == made.entries
        else:
            act(world, records, step)
