"""The desk and its batches: everybody gets their own answer, and the disk is written a few times for all of them."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from handfast.ca.authority import Authority
from handfast.ca.order import Issued, Order
from handfast.ca.records import Listing, Reason, State
from handfast.errors import Conflict, Denied
from handfast.keys.generate import generate_key
from handfast.keys.passphrase import no_passphrase
from handfast.pki.subject import parse_subject
from handfast.protocols.exchange import Peer
from handfast.server.desk import Desk
from handfast.server.founding import Plan, create_authority
from handfast.server.peers import require_standing
from handfast.server.together import Together
from handfast.server.workers import Workers

_KEY = generate_key()


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[Authority]:
    made = create_authority(tmp_path / "ca", Plan(name="Trial"), passphrase=no_passphrase)
    yield replace(made, carrier=Together(made.store))
    made.store.close()


def _order(name: str, profile: str = "device") -> Order:
    return Order(profile=profile, public_key=_KEY.public_key(), subject=parse_subject(f"CN={name}"))


def _at_desk(*calls: Callable[[], Any]) -> list[Any]:
    """The results, or errors, of calls that all come to the desk before it opens."""

    async def all_of_them() -> list[Any]:
        desk = Desk(asyncio.get_running_loop())
        coming = [asyncio.ensure_future(desk.run(call)) for call in calls]
        await asyncio.sleep(0)
        desk.start()
        try:
            return await asyncio.gather(*coming, return_exceptions=True)
        finally:
            desk.stop()

    return asyncio.run(all_of_them())


def test_many_are_issued_with_a_few_writes_to_the_disk(authority: Authority) -> None:
    commits: list[str] = []
    database = authority.store.database  # type: ignore[attr-defined]  # of this store
    database._writer.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)

    issued = _at_desk(*(lambda n=n: authority.issue(_order(f"cam-{n}")) for n in range(40)))

    assert all(isinstance(one, Issued) for one in issued)
    assert sorted(one.record.label for one in issued) == sorted(f"cam-{n}" for n in range(40))
    assert len(commits) <= 4
    for one in issued:
        assert authority.find_certificate(one.certificate).state(authority.clock()) is State.VALID


def test_who_is_refused_spoils_nothing_for_the_others(authority: Authority) -> None:
    taken = authority.issue(_order("first")).record.serial
    clumsy = replace(authority, new_serial=lambda: taken)

    answers = _at_desk(
        lambda: authority.issue(_order("cam-1")),
        lambda: clumsy.issue(_order("cam-2")),
        lambda: authority.issue(_order("cam-3")),
        lambda: authority.issue(_order("root", "issuing")),
    )

    assert [type(one) for one in (answers[0], answers[2])] == [Issued, Issued]
    assert isinstance(answers[1], Conflict)
    page = authority.search(Listing(now=authority.clock(), profile="device"))
    assert {record.label for record in page.records} == {"first", "cam-1", "cam-3"}


def test_writes_of_other_kinds_go_through_the_desk_too(authority: Authority) -> None:
    records = [authority.issue(_order(f"cam-{n}")).record for n in range(3)]

    revoked = _at_desk(
        *(lambda one=one: authority.revoke(one, Reason.SUPERSEDED) for one in records),
        lambda: authority.revoke(records[0], Reason.KEY_COMPROMISE),
    )

    assert [one.state(authority.clock()) for one in revoked[:3]] == [State.REVOKED] * 3
    assert isinstance(revoked[3], Conflict)


@pytest.mark.parametrize("error", [Denied("no", hint="ask"), ValueError("a bug")])
def test_an_error_comes_back_to_whoever_asked(error: Exception) -> None:
    def refuse() -> None:
        raise error

    answers = _at_desk(refuse, lambda: "fine")

    assert answers == [error, "fine"]


def test_a_bug_in_a_write_comes_back_and_the_desk_goes_on(authority: Authority) -> None:
    database = authority.store.database  # type: ignore[attr-defined]  # of this store

    def break_down(_: object) -> None:
        raise ValueError("a bug")

    answers = _at_desk(lambda: database.write(break_down), lambda: 1)
    again = _at_desk(lambda: authority.issue(_order("cam")))

    assert isinstance(answers[0], ValueError)
    assert answers[1] == 1
    assert isinstance(again[0], Issued)


def test_workers_give_results_and_errors_back_and_finish_what_is_queued() -> None:
    done: list[int] = []

    async def all_of_them() -> list[Any]:
        workers = Workers(2)
        workers.start()
        results = await asyncio.gather(*(workers.run(lambda n=n: 10 // n) for n in (5, 0)), return_exceptions=True)  # type: ignore[misc]  # n is bound
        left = [asyncio.ensure_future(workers.run(lambda n=n: done.append(n))) for n in range(5)]  # type: ignore[misc]  # n is bound
        await asyncio.sleep(0)
        workers.stop()
        await asyncio.gather(*left)
        return results

    results = asyncio.run(all_of_them())

    assert results[0] == 2
    assert isinstance(results[1], ZeroDivisionError)
    assert sorted(done) == [0, 1, 2, 3, 4]


def test_a_peer_is_shut_out_once_its_certificate_ends_or_is_revoked(authority: Authority) -> None:
    issued = authority.issue(_order("cam"))
    peer = Peer(address="192.0.2.1", chain=(issued.certificate,))
    end = issued.certificate.not_valid_after_utc

    require_standing(replace(authority, clock=lambda: end), peer)
    with pytest.raises(Denied, match="expired"):
        require_standing(replace(authority, clock=lambda: end + timedelta(seconds=1)), peer)
    authority.revoke(issued.record)
    with pytest.raises(Denied, match="revoked"):
        require_standing(authority, peer)


def test_a_hold_shuts_out_until_it_is_released_and_a_revoked_ca_shuts_out_all_below_it(authority: Authority) -> None:
    issued = authority.issue(_order("cam"))
    peer = Peer(address="192.0.2.1", chain=(issued.certificate, *issued.chain, issued.anchor))

    held = authority.hold(issued.record)
    with pytest.raises(Denied, match="on hold"):
        require_standing(authority, peer)
    authority.release(held)
    require_standing(authority, peer)
    authority.revoke(authority.find_certificate(issued.chain[0]), Reason.CA_COMPROMISE)
    with pytest.raises(Denied, match="the CA above you is revoked"):
        require_standing(authority, peer)


def test_who_has_no_certificate_or_one_that_is_not_on_record_is_not_shut_out(
    authority: Authority, tmp_path: Path
) -> None:
    other = create_authority(tmp_path / "other", Plan(name="Other"), passphrase=no_passphrase)
    unknown = other.issue(_order("cam")).certificate
    other.store.close()

    require_standing(authority, Peer(address="192.0.2.1"))
    require_standing(authority, Peer(address="192.0.2.1", chain=(unknown,)))
