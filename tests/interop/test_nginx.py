"""nginx, run for real: the whole matrix, broken CRLs, spoofed headers, and its own test of what is rendered."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from handfast.prove.check import own_test
from handfast.prove.deploy import Place, setting_for, write_all
from handfast.prove.find import program_of
from handfast.prove.matrix import Cast
from handfast.prove.program import Outcome, Running, Stage, Visit
from handfast.prove.stage import Given, material_of, running
from handfast.prove.throw_away import throw_away_pki
from handfast.prove.visit import Door, http
from handfast.targets.contract import Case, Level
from tests.proving import prove, require_all_as_expected, require_programs

NAME = "nginx"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, Running]]:
    require_programs(NAME)
    target, program = program_of(NAME)
    pki = throw_away_pki(lambda: datetime.now(UTC))
    with running(target, program, pki, tmp_path_factory.mktemp("server")) as (stage, run):
        yield stage, run


def test_everybody_is_let_in_or_refused_as_expected(tmp_path: Path) -> None:
    require_all_as_expected(NAME, prove(NAME, tmp_path / "server"))


@pytest.mark.parametrize(
    "header",
    ["X-Client-Subject", "X_Client_Subject", "X-Client_Subject", "x_client-subject", "Client-Cert", "Client_Cert"],
)
def test_a_client_cannot_set_the_identity_headers(server: tuple[Stage, Running], header: str) -> None:
    stage, _ = server
    bodies: list[str] = []
    door = Door(
        stage.address, "localhost", stage.pki.root, http("localhost", headers=((header, "CN=root"),), seen=bodies)
    )

    seen = door.visit(Visit(stage.pki.visitors[Case.USER]))

    assert seen.outcome in {Outcome.ADMITTED, Outcome.REFUSED}
    assert bodies
    assert "CN=root" not in bodies[0]


def test_the_identity_reaches_the_application(server: tuple[Stage, Running]) -> None:
    stage, _ = server
    bodies: list[str] = []
    door = Door(stage.address, "localhost", stage.pki.root, http("localhost", seen=bodies))
    user = stage.pki.visitors[Case.USER]

    door.visit(Visit(user))

    headers = dict(line.split(": ", 1) for line in bodies[0].splitlines() if ": " in line)
    headers = {name.lower(): value for name, value in headers.items()}
    assert headers["x-client-verify"] == "SUCCESS"
    assert headers["x-client-subject"] == "CN=alice"
    assert int(headers["x-client-serial"], 16) == user.serial
    assert "BEGIN" in headers["x-client-cert"]


@pytest.mark.parametrize("level", Level)
@pytest.mark.parametrize("upstream", ["", "127.0.0.1:8000"])
@pytest.mark.parametrize("revoked", [(), (0xABC,)])
def test_the_program_itself_finds_nothing_wrong(
    tmp_path: Path, level: Level, upstream: str, revoked: tuple[int, ...]
) -> None:
    require_programs(NAME)
    target, _ = program_of(NAME)
    pki = throw_away_pki(lambda: datetime.now(UTC))
    place = Place(
        directory=tmp_path / "out",
        names=("localhost",),
        port=8443,
        listen="127.0.0.1",
        level=level,
        upstream=upstream,
        revoked=revoked,
    )
    setting = setting_for(target, place)
    write_all(target, setting, material_of(pki, pki.server, pki.crls), datetime.now(UTC))

    said = own_test(target, setting)

    assert said is not None
    assert said.passed, said.words


def test_the_deny_list_refuses_a_certificate_without_extensions(tmp_path: Path) -> None:
    require_programs(NAME)
    target, program = program_of(NAME)
    pki = throw_away_pki(lambda: datetime.now(UTC))
    denied = (pki.visitors[Case.BARE].serial,)
    with running(target, program, pki, tmp_path, Given(revoked=denied)) as (stage, run):
        cast = Cast(target, stage, run)

        assert cast.observe(Visit(pki.visitors[Case.BARE])).outcome is Outcome.REFUSED
        assert cast.observe(Visit(pki.visitors[Case.USER])).outcome is Outcome.ADMITTED
