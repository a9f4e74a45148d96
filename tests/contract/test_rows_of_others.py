"""A row of a bulk issue over the API: the same for its requester, and nobody else's."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from handfast.ca.order import Issued, Order
from handfast.ca.policy import RequesterRole
from handfast.ca.records import BatchRow
from handfast.errors import Unavailable
from handfast.keys.generate import generate_key
from handfast.pki.csr import proof_of
from handfast.pki.keys import KeyKind
from handfast.pki.pem import request_text
from handfast.pki.subject import parse_subject
from tests.api_world import World, world_in

BATCH = "0123456789abcdef" * 2


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with world_in(tmp_path / "ca") as world:
        yield world


def wanted(csr: str, name: str = "cam-1") -> dict[str, object]:
    row = {"batch": BATCH, "name": name}
    return {"profile": "device", "subject": f"CN={name}", "csr": csr, "row": row}


def new_csr() -> str:
    return request_text(proof_of(generate_key(KeyKind.P256)).der)


def test_asked_again_it_is_the_same_certificate_and_another_key_gets_none(world: World) -> None:
    _, officer = world.requester(RequesterRole.OFFICER)
    csr = new_csr()
    first = world.ask(officer, "POST", "/certificates", wanted(csr))
    assert first.status == 201
    before = world.authority.store.certificate_count()
    again = world.ask(officer, "POST", "/certificates", wanted(csr))
    assert (again.status, again.document["pem"]) == (201, first.document["pem"])
    other = world.ask(officer, "POST", "/certificates", wanted(new_csr()))
    assert (other.status, "another key" in other.document["detail"]) == (409, True)
    assert world.authority.store.certificate_count() == before


def test_several_who_ask_for_one_row_at_once_make_one_certificate(world: World) -> None:
    before = world.authority.store.certificate_count()
    for number in range(8):
        key, at_once = generate_key(KeyKind.P256).public_key(), threading.Barrier(4)
        row = BatchRow("officer:batch", f"cam-{number}")
        order = Order(profile="device", public_key=key, subject=parse_subject(f"CN=cam-{number}"), batch_row=row)

        def ask(order: Order, together: threading.Barrier) -> int:
            together.wait()
            try:
                issued = world.authority.enroll(order)
            except Unavailable:
                return 0  # another is just signing it: ask again
            assert isinstance(issued, Issued)
            return issued.record.serial

        with ThreadPoolExecutor(4) as pool:
            serials = set(pool.map(ask, [order] * 4, [at_once] * 4)) - {0}
        assert len(serials) == 1
    assert world.authority.store.certificate_count() == before + 8


def test_another_requesters_row_of_the_same_name_is_another_one(world: World) -> None:
    _, officer = world.requester(RequesterRole.OFFICER)
    _, other = world.requester(RequesterRole.OFFICER)
    csr = new_csr()
    first = world.ask(officer, "POST", "/certificates", wanted(csr)).document
    second = world.ask(other, "POST", "/certificates", wanted(csr)).document
    assert first["certificate"]["serial"] != second["certificate"]["serial"]
    assert first["certificate"]["requester"] != second["certificate"]["requester"]


def test_a_row_needs_a_csr_and_a_batch_of_random_bits(world: World) -> None:
    _, officer = world.requester(RequesterRole.OFFICER)
    without = {**wanted(""), "csr": None}
    assert world.ask(officer, "POST", "/certificates", without).status == 400
    short = {**wanted(new_csr()), "row": {"batch": "1", "name": "x"}}
    assert world.ask(officer, "POST", "/certificates", short).status == 422
