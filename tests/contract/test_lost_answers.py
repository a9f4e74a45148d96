"""An Idempotency-Key makes one certificate, also when the service died before it could remember what it answered."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from handfast.ca.policy import RequesterRole
from handfast.keys.generate import generate_key
from handfast.pki.csr import proof_of
from handfast.pki.keys import KeyKind
from handfast.pki.pem import request_text
from handfast.pki.serial import serial_text
from handfast.server.assembly import utc_now
from handfast.stores.answers import SqlAnswers
from tests.api_world import Who, World, world_in


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with world_in(tmp_path / "ca") as world:
        yield world


@pytest.fixture
def officer(world: World) -> Who:
    return world.requester(RequesterRole.OFFICER)[1]


def new_csr() -> str:
    return request_text(proof_of(generate_key(KeyKind.P256)).der)


def lose_answers(world: World) -> None:
    """As it is some minutes after a crash between the certificate and its answer."""
    answers = world.authority.store.answers
    assert isinstance(answers, SqlAnswers)
    answers.database.write(lambda transaction: transaction.rows("DELETE FROM answer", []))


def test_asked_again_with_the_same_csr_it_is_the_same_certificate(world: World, officer: Who) -> None:
    body = {"profile": "device", "subject": "CN=cam-1", "csr": new_csr()}
    first = world.ask(officer, "POST", "/certificates", body, idempotency_key="order-1")
    lose_answers(world)
    count = world.authority.store.certificate_count()
    again = world.ask(officer, "POST", "/certificates", body, idempotency_key="order-1")
    assert (first.status, again.status, again.document["pem"]) == (201, 201, first.document["pem"])
    assert world.authority.store.certificate_count() == count

    other = world.ask(officer, "POST", "/certificates", body, idempotency_key="order-2")
    assert other.document["certificate"]["serial"] != first.document["certificate"]["serial"]


@pytest.mark.parametrize(
    ("hour", "later", "is_same"),
    [
        (23, timedelta(hours=2), True),
        (23, timedelta(hours=24, seconds=-1), True),
        (23, timedelta(hours=24), False),
        (10, timedelta(hours=26), False),
    ],
)
def test_a_key_is_good_for_a_day_whatever_the_date(tmp_path: Path, hour: int, later: timedelta, is_same: bool) -> None:
    begun = utc_now().replace(hour=hour, minute=0, second=0, microsecond=0) + timedelta(days=1)
    moments = [begun]
    with world_in(tmp_path / "ca", clock=lambda: moments[-1]) as world:
        officer = world.requester(RequesterRole.OFFICER)[1]
        body = {"profile": "device", "subject": "CN=cam-1", "csr": new_csr()}
        first = world.ask(officer, "POST", "/certificates", body, idempotency_key="order-1")
        lose_answers(world)
        moments.append(begun + later)
        again = world.ask(officer, "POST", "/certificates", body, idempotency_key="order-1")
    assert (first.status, again.status) == (201, 201)
    assert (again.document["pem"] == first.document["pem"]) is is_same


def test_the_same_key_of_somebody_else_is_another_one(world: World, officer: Who) -> None:
    body = {"profile": "device", "subject": "CN=cam-1", "csr": new_csr()}
    first = world.ask(officer, "POST", "/certificates", body, idempotency_key="order-1")
    other = world.ask(
        world.requester(RequesterRole.OFFICER)[1], "POST", "/certificates", body, idempotency_key="order-1"
    )
    assert (first.status, other.status) == (201, 201)
    assert first.document["pem"] != other.document["pem"]


def test_a_key_that_was_in_the_lost_answer_is_said_to_be_lost(world: World, officer: Who) -> None:
    body = {"profile": "device", "subject": "CN=cam-1"}
    first = world.ask(officer, "POST", "/certificates", body, idempotency_key="order-1")
    lose_answers(world)
    again = world.ask(officer, "POST", "/certificates", body, idempotency_key="order-1")
    assert again.status == 409
    assert first.document["certificate"]["serial"] in again.document["hint"]


@pytest.mark.parametrize("how", ["renew", "rekey"])
def test_a_renewal_is_one_and_stays_its_requesters_credential(world: World, how: str) -> None:
    _, administrator = world.requester(RequesterRole.ADMINISTRATOR)
    issued = world.issue()
    pem = world.ask(administrator, "GET", f"/certificates/{issued.record.serial:x}/download").body.decode()
    body = {"name": "zoe", "role": "registration-officer", "certificate": pem}
    assert world.ask(administrator, "POST", "/requesters", body).status == 201
    zoe = Who(certificate=issued.certificate)

    wanted = {"csr": new_csr()} if how == "rekey" else {}
    path = f"/certificates/{issued.record.serial:x}/{how}"
    first = world.ask(zoe, "POST", path, wanted, idempotency_key="next")
    lose_answers(world)
    again = world.ask(zoe, "POST", path, wanted, idempotency_key="next")
    assert (first.status, again.status, again.document["pem"]) == (201, 201, first.document["pem"])
    assert again.document["replaced"]["serial"] == serial_text(issued.record.serial)
    (shown,) = [
        one for one in world.ask(administrator, "GET", "/requesters").document["requesters"] if one["name"] == "zoe"
    ]
    assert len(shown["credentials"]) == 2
