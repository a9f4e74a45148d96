"""A list made upon the one before: what leaves it and what comes, and that no more is written than changed."""

from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest

from handfast.ca import list_entries
from handfast.ca.published import Which
from handfast.ca.publishing import FULL_EVERY, MARGIN
from handfast.ca.records import Reason
from handfast.stores.sql import SqlStore
from tests.publishing_world import DELTA, FULL, World

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def test_holds_releases_ends_and_other_reasons_change_the_list_upon_the_list() -> None:
    world = World()
    ends, freed, hardened, stays = (world.issue(days * DAY) for days in (1, 60, 60, 60))
    for record in (ends, freed, hardened):
        world.authority.hold(record)
    world.authority.revoke(stays)
    world.now += 5 * DAY
    made_whole_at = world.now
    everybody = {one.serial for one in (ends, freed, hardened, stays)}

    def listed() -> set[int]:
        world.now += DAY - HOUR
        made = world.authority.publish(FULL)
        assert made.record.full_at == made_whole_at or made.record.number == 1
        assert made.der == world.whole(FULL)
        return set(world.listed(FULL))

    assert listed() == everybody
    made_whole_at = world.now
    world.authority.release(freed)
    assert listed() == everybody - {freed.serial}
    world.authority.revoke(hardened, Reason.KEY_COMPROMISE)
    world.authority.hold(freed)
    assert listed() == everybody
    assert world.listed(FULL)[hardened.serial] == Reason.KEY_COMPROMISE.flag
    assert listed() == everybody - {ends.serial}


def test_what_is_revoked_long_after_its_end_comes_on_no_list() -> None:
    world = World(has_deltas=True)
    ended, alive = world.issue(DAY), world.issue(60 * DAY)
    world.now += DAY + MARGIN
    for which in (FULL, DELTA):
        world.authority.publish(which)
    for record in (ended, alive):
        world.authority.revoke(record)
    world.now += 2 * HOUR
    for which in (FULL, DELTA):
        made = world.authority.publish(which)
        assert made.der == world.whole(which)
        assert set(world.listed(which)) == {alive.serial}


def test_an_entry_stays_for_one_list_beyond_the_end_however_long_that_takes() -> None:
    world = World()
    record = world.issue(DAY)
    world.authority.revoke(record)
    world.authority.publish(FULL)
    world.now += DAY + 10 * MARGIN
    world.authority.publish(FULL)
    assert set(world.listed(FULL)) == {record.serial}
    world.authority.publish(FULL)
    assert world.listed(FULL) == {}


def test_a_delta_upon_another_base_does_not_tell_what_was_before_it() -> None:
    world = World(has_deltas=True)
    # Shorter than the time after which any list is made anew.
    world.authority = replace(world.authority, crl_lifetime=3 * DAY)
    for which in (FULL, DELTA):
        world.authority.publish(which)
    record = world.issue(60 * DAY)
    world.authority.revoke(record)
    told = []
    for _ in range(8):
        world.now += 10 * HOUR
        for which in (FULL, DELTA):
            assert world.authority.publish(which).der == world.whole(which)
        told.append(record.serial in world.listed(DELTA))
    assert told == [True] * 7 + [False]


def test_what_was_archived_after_a_restore_is_on_the_next_list_no_more() -> None:
    world = World(shards=1)
    ended, alive = world.issue(DAY), world.issue(60 * DAY)
    shard = Which("issuing", 1)
    for record in (ended, alive):
        world.authority.revoke(record)
    world.now += 2 * DAY
    world.authority.publish(shard)
    world.now += FULL_EVERY - HOUR
    world.store.publications.outdate("issuing")
    assert world.store.retire(ended_before=world.now, now=world.now) == 2
    assert world.authority.publish(shard).der == world.whole(shard)
    assert set(world.listed(shard)) == {alive.serial}


def test_what_was_archived_while_nothing_was_published_is_on_the_next_list_no_more() -> None:
    world = World()
    record = world.issue(DAY)
    world.authority.revoke(record)
    world.authority.publish(FULL)
    world.now += 3 * DAY
    world.authority.publish(FULL)
    world.now += FULL_EVERY + 2 * MARGIN
    assert world.store.retire(ended_before=world.now, now=world.now) == 2
    assert world.authority.publish(FULL).der == world.whole(FULL)


def test_nothing_is_archived_that_is_on_a_list() -> None:
    world = World(shards=1)
    record = world.issue(DAY)
    shard = Which("issuing", 1)
    world.authority.revoke(record)
    for which in (FULL, shard):
        world.authority.publish(which)
    world.now += DAY + MARGIN - HOUR
    for which in (FULL, shard):
        world.authority.publish(which)
    world.now += 2 * HOUR
    moved = [world.store.retire(ended_before=world.now, now=world.now)]
    for which in (FULL, shard):
        world.authority.publish(which)
        assert world.listed(which) == {}
        moved.append(world.store.retire(ended_before=world.now, now=world.now))
    # First the certificate, and its revocation when the last of the lists is without it.
    assert moved == [1, 0, 1]


def test_only_pieces_that_differ_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_entries, "PIECE", 100)
    world = World()
    world.authority.publish(FULL)
    records = [world.issue(60 * DAY) for _ in range(30)]
    for record in records:
        world.authority.hold(record)
    world.authority.publish(FULL)
    before = rows_of(world)
    world.authority.release(records[15])
    world.authority.revoke(world.issue())
    world.authority.publish(FULL)
    after = rows_of(world)
    assert len(before) >= 10
    assert len(before - after) <= 2
    assert len(after - before) <= 2


def test_upon_a_list_that_was_overtaken_all_is_written_anew() -> None:
    world = World()
    publications = world.store.publications
    for _ in range(3):
        world.authority.revoke(world.issue())
    world.authority.publish(FULL)
    upon, event = publications.kept(FULL), world.store.events()[0]
    assert upon is not None
    world.authority.revoke(world.issue())
    mine = world.authority.publish(FULL)
    entries = publications.kept(FULL)
    assert entries is not None
    overtaking = world.authority.publish(FULL)
    after = overtaking.record
    record = replace(mine.record, number=after.number + 1, this_update=after.this_update + HOUR)
    later = replace(mine, record=record)

    assert publications.put(later, entries.entries, event, upon=upon)

    assert publications.get(FULL) == later
    assert not publications.put(later, entries.entries, event, upon=upon)


def test_a_list_that_was_kept_whole_is_given_out_and_the_next_one_made_anew() -> None:
    world = World()
    record = world.issue()
    world.authority.revoke(record)
    made = world.authority.publish(FULL)
    database = cast("SqlStore", world.store).database
    database.write(lambda transaction: transaction.rows("DELETE FROM published_entries"))
    database.write(lambda transaction: transaction.rows("UPDATE published SET der = ?, tail = NULL", [made.der]))

    assert world.store.publications.get(FULL) == made
    assert world.store.publications.kept(FULL) is None

    world.now += HOUR
    made = world.authority.publish(FULL)
    assert made.record.full_at == world.now
    assert set(world.listed(FULL)) == {record.serial}


def rows_of(world: World) -> set[tuple[int, bytes]]:
    database = cast("SqlStore", world.store).database
    return {(row[0], row[1]) for row in database.read("SELECT rowid, entries FROM published_entries")}
