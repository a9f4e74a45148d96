"""Lists made upon the ones before, from a store in PostgreSQL and by two replicas: the same as from all of it."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial

import pytest

from handfast.ca.published import Which
from handfast.stores.postgresql import open_store
from handfast.stores.sql import SqlStore
from tests.databases import Server
from tests.publishing_world import DELTA, FULL, World

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LISTS = (FULL, Which("issuing", 1), DELTA)


@pytest.fixture
def stores(postgresql_server: Server) -> Iterator[tuple[SqlStore, SqlStore]]:
    location = postgresql_server.new_database().partition(":")[2]
    one, other = open_store(location), open_store(location)
    yield one, other
    one.close()
    other.close()


def test_replicas_take_turns_at_lists_that_are_whole(stores: tuple[SqlStore, SqlStore]) -> None:
    worlds = [World(shards=1, has_deltas=True, store=store) for store in stores]
    first = worlds[0]
    ends, freed, hardened = (first.issue(days * DAY) for days in (1, 60, 60))
    others = [first.issue(60 * DAY) for _ in range(6)]
    for record in (ends, freed, hardened):
        first.authority.hold(record)
    first.now += 5 * DAY
    began = first.now
    changes: list[Callable[[], object]] = [
        lambda: None,
        lambda: first.authority.release(freed),
        lambda: first.authority.revoke(hardened),
        *(partial(first.authority.revoke, record) for record in others),
    ]
    for turn, change in enumerate(changes):
        change()
        world = worlds[turn % 2]
        world.now = began + turn * 10 * HOUR
        for which in LISTS:
            made = world.authority.publish(which)
            assert made.der == first.whole(which) == worlds[1].whole(which)
            assert made.record.full_at == began

    listed = {one.serial for one in (hardened, *others)}
    assert set(first.listed(FULL)) == set(first.listed(LISTS[1])) == listed
