"""Lists over time: numbers and times rise, half-life brings a new one, and shards and deltas hold what is theirs."""

import threading
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime

from cryptography import x509

from handfast.ca.due import LARGE, LARGE_EVERY, ages, due, publish_due
from handfast.ca.published import Entries, Published, Which
from handfast.ca.publishing import BACKDATE
from handfast.ca.records import Reason
from handfast.pki.crl import number_of
from handfast.pki.issuer_identity import identity_of
from handfast.pki.keys import PrivateKey
from handfast.protocols.crl import serve_crl
from handfast.protocols.exchange import Peer, Request
from tests.publishing_world import CA, DELTA, FULL, KEY, START, World

WEEK = timedelta(days=7)
NO_ENTRIES = Entries({}, 0)


def extension(crl: x509.CertificateRevocationList, cls: type[x509.ExtensionType]) -> x509.Extension[x509.ExtensionType]:
    return crl.extensions.get_extension_for_class(cls)


def test_a_list_is_published_at_half_life_though_nothing_changed() -> None:
    world = World()
    assert world.publish() == ["issuing.crl"]
    assert world.publish() == []
    world.now += WEEK / 2 - timedelta(minutes=2)
    assert world.publish() == []
    world.now += timedelta(minutes=2)
    assert world.publish() == ["issuing.crl"]


def test_a_revocation_is_in_the_next_list_at_once() -> None:
    world = World()
    record = world.issue()
    world.publish()
    world.authority.revoke(record, Reason.KEY_COMPROMISE)
    assert world.publish() == ["issuing.crl"]
    assert world.listed(FULL) == {record.serial: x509.ReasonFlags.key_compromise}
    assert world.publish() == []


def test_numbers_and_times_rise_also_when_the_clock_stands_or_goes_back() -> None:
    world = World()
    crls = []
    for step in (0, 0, 1, -3600, 0, 7200):
        world.now += timedelta(seconds=step)
        crls.append(x509.load_der_x509_crl(world.authority.crl()))
    numbers = [extension(crl, x509.CRLNumber).value.crl_number for crl in crls]  # type: ignore[attr-defined]  # of that class
    times = [crl.last_update_utc for crl in crls]
    assert numbers == sorted(set(numbers))
    assert times == sorted(set(times))


def test_no_list_is_made_whose_this_update_lies_ahead() -> None:
    world = World()
    for _ in range(int(BACKDATE.total_seconds()) + 1):
        world.authority.crl()
    world.authority.revoke(world.issue())
    assert world.publish() == []
    world.now += timedelta(seconds=1)
    assert world.publish() == ["issuing.crl"]


def test_a_certificate_is_revoked_in_its_own_shard_and_in_the_list_of_all() -> None:
    world = World(shards=2)
    one, other = world.issue(), world.issue()
    assert world.publish() == ["issuing.crl", "issuing-1.crl", "issuing-2.crl"]
    world.authority.revoke(one)
    shard = one.serial % 2 + 1
    assert world.publish() == ["issuing.crl", f"issuing-{shard}.crl"]
    assert set(world.listed(FULL)) == set(world.listed(Which("issuing", shard))) == {one.serial}
    assert world.listed(Which("issuing", 3 - shard)) == {}
    assert other.serial % 2 + 1 != shard


def test_certificate_and_list_name_the_same_url() -> None:
    world = World(shards=2)
    record = world.issue()
    world.publish()
    certificate = world.authority.find(f"{record.serial:x}").x509()
    assert certificate is not None
    points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    scope = extension(world.crl(Which("issuing", record.serial % 2 + 1)), x509.IssuingDistributionPoint)
    assert scope.critical
    assert list(points[0].full_name or ()) == list(scope.value.full_name)  # type: ignore[attr-defined]  # of that class


def test_a_shard_stays_what_it_was_when_their_number_changes() -> None:
    world = World(shards=2)
    record = world.issue()
    world.publish()
    issuer = world.authority.issuers["issuing"]
    fewer = replace(issuer, identity=identity_of(CA, replace(issuer.identity.urls, shards=0)))
    world.authority = replace(world.authority, issuers={"issuing": fewer})
    world.authority.revoke(record)
    shard = Which("issuing", record.serial % 2 + 1)
    assert shard.file_name in world.publish()
    assert set(world.listed(shard)) == {record.serial}


def test_a_delta_tells_what_changed_since_its_base() -> None:
    world = World(has_deltas=True)
    before, after, held = world.issue(), world.issue(), world.issue()
    world.authority.revoke(before)
    world.authority.hold(held)
    assert world.publish() == ["issuing.crl", "issuing-delta.crl"]
    assert world.listed(DELTA) == {}
    world.authority.revoke(after, Reason.SUPERSEDED)
    world.authority.release(held)
    assert world.publish() == ["issuing.crl", "issuing-delta.crl"]
    assert world.listed(DELTA) == {
        after.serial: x509.ReasonFlags.superseded,
        held.serial: x509.ReasonFlags.remove_from_crl,
    }
    assert set(world.listed(FULL)) == {before.serial, after.serial}
    indicator = extension(world.crl(DELTA), x509.DeltaCRLIndicator)
    assert indicator.critical
    full, delta = (extension(world.crl(one), x509.CRLNumber).value for one in (FULL, DELTA))
    assert delta.crl_number > full.crl_number > indicator.value.crl_number  # type: ignore[attr-defined]  # of those classes


def test_the_base_of_a_delta_moves_on_when_it_has_ended() -> None:
    world = World(has_deltas=True)
    world.publish()
    bases = []
    for _ in range(20):
        world.now += timedelta(hours=13)
        assert "issuing-delta.crl" in world.publish()
        published = world.authority.store.publications.get(DELTA)
        assert published is not None
        assert published.base is not None
        assert world.now - published.base.at < WEEK
        bases.append(published.base.number)
    assert bases == sorted(bases)
    assert len(set(bases)) == 2


def test_a_large_list_waits_an_hour_when_its_delta_does_not() -> None:
    world = World(has_deltas=True)
    world.publish()
    publications = world.authority.store.publications
    published = publications.get(FULL)
    assert published is not None
    event = world.authority.store.events()[0]
    large = replace(
        published,
        entries=LARGE + 1,
        record=replace(published.record, number=3, this_update=START + timedelta(seconds=9)),
    )
    publications.put(large, NO_ENTRIES, event)
    world.authority.revoke(world.issue())
    issuer = world.authority.issuers["issuing"]
    assert due(world.authority, issuer, world.now + timedelta(minutes=1)) == (DELTA,)
    assert FULL in due(world.authority, issuer, world.now + LARGE_EVERY + timedelta(seconds=9))


def test_an_older_list_replaces_none() -> None:
    world = World()
    world.publish()
    publications = world.authority.store.publications
    first = publications.get(FULL)
    assert first is not None
    world.authority.revoke(world.issue())
    world.publish()
    newer = publications.get(FULL)
    assert not publications.put(first, NO_ENTRIES, world.authority.store.events()[0])
    assert publications.get(FULL) == newer


def test_a_late_list_is_told_of_once_and_no_sooner() -> None:
    world = World()
    world.publish()
    world.key = None
    world.now += WEEK / 2
    assert publish_due(world.authority, world.now).late == ()
    world.now += WEEK / 4
    assert [publish_due(world.authority, world.now).late for _ in range(2)] == [(FULL,), ()]
    assert [event.action for event in world.authority.store.events()].count("crl.late") == 1
    assert [one.is_late(world.now) for one in ages(world.authority)] == [True]
    world.key = KEY
    assert world.publish() == ["issuing.crl"]
    assert [one.is_late(world.now) for one in ages(world.authority)] == [False]


def test_of_many_who_publish_at_once_each_takes_another_number() -> None:
    world = World()
    numbers: list[int] = []

    def work() -> None:
        numbers.extend(number_of(world.authority.crl()) for _ in range(5))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    signed = [
        int(one.detail["number"]) for one in world.authority.store.events(limit=1000) if one.action == "crl.signed"
    ]
    # Whoever was overtaken makes it again, under another number.
    assert len(signed) == len(set(signed)) >= 20
    assert len(numbers) == 20
    last = world.authority.store.publications.get(FULL)
    assert last is not None
    assert last.record.number == max(signed) >= max(numbers)


def test_of_two_who_publish_at_once_neither_gives_out_a_second_list_of_the_same_moment() -> None:
    world, other = World(), World()
    other.store, other.authority = world.store, replace(other.authority, store=world.store)
    world.authority.publish(FULL)
    both_made, first_is_out = threading.Event(), threading.Event()
    made: list[Published] = []
    rival = threading.Thread(target=lambda: made.append(other.authority.publish(FULL)))

    def unlock_ours() -> PrivateKey:
        if not rival.is_alive() and not made and world.store.last_crl("issuing").number == 2:  # type: ignore[union-attr]  # there is one
            rival.start()
            assert both_made.wait(60)
        return KEY

    def unlock_theirs() -> PrivateKey:
        if world.store.last_crl("issuing").number == 3:  # type: ignore[union-attr]  # there is one
            both_made.set()
            assert first_is_out.wait(60)
        return KEY

    world.unlocking, other.unlocking = unlock_ours, unlock_theirs
    first = world.authority.publish(FULL)
    first_is_out.set()
    rival.join()

    (second,) = made
    assert first.record.number == 2 < second.record.number
    assert first.record.this_update < second.record.this_update
    assert world.store.publications.get(FULL) == second


def asked(world: World, since: datetime | None = None) -> tuple[int, datetime]:
    """The status of the list, and the moment that Last-Modified tells. since: what If-Modified-Since says."""
    headers = {} if since is None else {"if-modified-since": format_datetime(since, usegmt=True)}
    peer, parameters = Peer(address="192.0.2.1"), {"name": "issuing"}
    request = Request(method="GET", path="/crl/issuing.crl", peer=peer, parameters=parameters, headers=headers)
    response = serve_crl(request, world.authority)
    return response.status, parsedate_to_datetime(response.headers["Last-Modified"])


def test_a_list_of_the_second_in_which_another_may_follow_is_given_again() -> None:
    world = World()
    world.publish()
    status, told = asked(world)
    # RFC 9110 section 8.8.2.1: never a moment that is still to come.
    assert (status, told) == (200, world.now)
    assert asked(world, told)[0] == 200
    world.now += timedelta(seconds=1)
    assert asked(world, told) == (200, world.now)
    assert asked(world, world.now)[0] == 304


def test_only_the_very_moment_that_was_told_spares_a_list() -> None:
    world = World()
    world.publish()
    world.now += timedelta(hours=1)
    _, told = asked(world)
    assert asked(world, told) == (304, told)
    for other in (told - timedelta(seconds=1), told + timedelta(seconds=1), world.now):
        assert asked(world, other) == (200, told)
