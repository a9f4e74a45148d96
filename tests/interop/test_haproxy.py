"""HAProxy, run for real: the whole matrix, broken CRLs, spoofed headers, and the deny-list while it runs."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from handfast.prove.find import program_of
from handfast.prove.program import Running, Stage, Visit
from handfast.prove.stage import running
from handfast.prove.throw_away import throw_away_pki
from handfast.prove.visit import Door, http
from handfast.targets.contract import Case, Level
from tests.keep_alive import ask, connected
from tests.proving import own_verdict, prove, require_all_as_expected, require_programs

NAME = "haproxy"


@pytest.fixture
def server(short_path: Path) -> Iterator[tuple[Stage, Running]]:
    require_programs(NAME)
    target, program = program_of(NAME)
    pki = throw_away_pki(lambda: datetime.now(UTC))
    with running(target, program, pki, short_path / "server") as (stage, run):
        yield stage, run


def test_everybody_is_let_in_or_refused_as_expected(short_path: Path) -> None:
    require_all_as_expected(NAME, prove(NAME, short_path / "server"))


def test_a_client_cannot_set_the_identity_headers(server: tuple[Stage, Running]) -> None:
    stage, _ = server
    bodies: list[str] = []
    names = [
        *("X-Client-Subject", "X_Client_Subject", "X-Client_Subject", "x_client-subject", "X-Client-Verify"),
        *("X-Client-Serial", "X-Client-Cert", "Client-Cert", "Client_Cert", "Client-Cert-Chain", "Client-Cert_Chain"),
    ]
    spoofed = tuple((name, "CN=root") for name in names)
    door = Door(stage.address, "localhost", stage.pki.root, http("localhost", headers=spoofed, seen=bodies))

    door.visit(Visit(stage.pki.visitors[Case.USER]))

    assert bodies
    assert "CN=root" not in bodies[0]


def test_the_identity_reaches_the_application(server: tuple[Stage, Running]) -> None:
    stage, _ = server
    bodies: list[str] = []
    door = Door(stage.address, "localhost", stage.pki.root, http("localhost", seen=bodies))
    user = stage.pki.visitors[Case.USER]

    door.visit(Visit(user))

    headers = dict(line.lower().split(": ", 1) for line in bodies[0].splitlines() if ": " in line)
    assert headers["x-client-subject"] == "cn=alice"
    assert int(headers["x-client-serial"], 16) == user.serial
    assert headers["client-cert"].startswith(":mii")
    assert headers["client-cert"].endswith(":")


@pytest.mark.parametrize("level", Level)
@pytest.mark.parametrize("upstream", ["", "127.0.0.1:8000"])
def test_the_program_itself_finds_nothing_wrong(short_path: Path, level: Level, upstream: str) -> None:
    said = own_verdict(NAME, short_path / "out", level=level, upstream=upstream, revoked=(0xABC,))

    assert said.passed, said.words


def test_a_serial_number_on_the_socket_ends_a_connection_that_is_open(server: tuple[Stage, Running]) -> None:
    stage, run = server
    visitor = stage.pki.visitors[Case.USER]
    assert run.deny

    with connected(stage, visitor) as connection:
        before = ask(connection)
        run.deny((visitor.serial,))
        after = ask(connection)

    assert (before, after) == (200, 403)
