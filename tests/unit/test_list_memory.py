"""A list that many fetch is read once, and never given out once there is a newer one."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from handfast.ca.published import Published, Which
from handfast.stores.list_memory import ListMemory
from handfast.stores.sqlite import open_store
from tests.publishing_world import FULL, World


def a_list(world: World, shard: int, octets: int) -> Published:
    (published,) = world.store.publications.all("issuing")
    return replace(published, which=Which("issuing", shard), der=bytes(octets))


def test_all_who_fetch_a_list_get_the_same_octets_until_another_replica_publishes(tmp_path: Path) -> None:
    ours, others = (World(store=open_store(str(tmp_path / "ca.sqlite"))) for _ in range(2))
    ours.authority.publish(FULL)
    first, second = (ours.store.publications.get(FULL) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.der is second.der

    others.now += timedelta(hours=1)
    newer = others.authority.publish(FULL)

    found = ours.store.publications.get(FULL)
    assert found is not None
    assert found.der == newer.der != first.der
    assert found.record.number == newer.record.number
    for world in (ours, others):
        world.store.close()


def test_what_was_outdated_is_given_with_its_times_as_they_are_now() -> None:
    world = World(shards=1)
    shard = Which("issuing", 1)
    world.authority.publish(shard)
    made = world.store.publications.get(shard)
    assert made is not None
    world.store.publications.outdate("issuing")
    outdated = world.store.publications.get(shard)
    assert outdated is not None
    assert outdated.record.next_update < made.record.this_update


def test_no_more_is_kept_than_fits_and_what_was_asked_for_last_stays() -> None:
    world = World()
    world.authority.publish(FULL)
    memory = ListMemory(largest=100)
    read: list[int] = []

    def ask(shard: int, octets: int) -> None:
        whole = a_list(world, shard, octets)

        def from_store() -> Published:
            read.append(shard)
            return whole

        assert memory.whole(replace(whole, der=b""), from_store) == whole

    for shard, octets in ((1, 40), (2, 60), (1, 40), (3, 41), (1, 40), (2, 60), (4, 101), (4, 101)):
        ask(shard, octets)
    assert read == [1, 2, 3, 2, 4, 4]
