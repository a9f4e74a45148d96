"""PostgreSQL, run for real: the whole matrix, broken CRLs, its own tests, and how sessions are cut."""

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from handfast.prove.find import program_of
from handfast.prove.program import Outcome, Running, Stage, Visit
from handfast.prove.programs.postgresql import Cluster, ask_for_tls, login
from handfast.prove.stage import running
from handfast.prove.throw_away import throw_away_pki
from handfast.prove.visit import Answer, Door
from handfast.targets.contract import Case
from tests.proving import prove, require_all_as_expected, require_programs

NAME = "postgresql"


@pytest.fixture
def server(short_path: Path) -> Iterator[tuple[Stage, Running]]:
    require_programs(NAME)
    target, program = program_of(NAME)
    pki = throw_away_pki(lambda: datetime.now(UTC))
    with running(target, program, pki, short_path / "server") as (stage, run):
        yield stage, run


def test_everybody_is_let_in_or_refused_as_expected(short_path: Path) -> None:
    require_all_as_expected(NAME, prove(NAME, short_path / "server"))


def test_postgresql_sees_no_error_in_what_is_rendered_and_makes_nobody_superuser(
    server: tuple[Stage, Running],
) -> None:
    stage, _ = server
    cluster = Cluster(stage.directory, stage.setting.port)
    asked_for = Door(stage.address, "localhost", stage.pki.root, login("postgres"), prelude=ask_for_tls)

    refused = asked_for.visit(Visit(stage.pki.visitors[Case.USER]))

    assert cluster.query("select count(*) from pg_file_settings where error is not null") == "0"
    assert cluster.query("select count(*) from pg_hba_file_rules where error is not null") == "0"
    assert cluster.query("select count(*) from pg_ident_file_mappings where error is not null") == "0"
    assert refused.outcome is Outcome.REFUSED


def test_nobody_takes_the_role_of_another(server: tuple[Stage, Running]) -> None:
    stage, run = server
    alice, device = stage.pki.visitors[Case.USER], stage.pki.visitors[Case.DEVICE]
    assert run.visit(Visit(device)).outcome is Outcome.ADMITTED
    pretending = Door(stage.address, "localhost", stage.pki.root, login(device.name), prelude=ask_for_tls)

    seen = pretending.visit(Visit(alice))

    assert seen.outcome is Outcome.REFUSED
    assert "certificate authentication failed" in seen.words


def test_a_session_that_is_open_is_cut_by_the_kick(server: tuple[Stage, Running]) -> None:
    stage, run = server
    alice = stage.pki.visitors[Case.USER]
    assert run.visit(Visit(alice)).outcome is Outcome.ADMITTED
    farewell: list[bytes] = []

    def stay(secured: ssl.SSLSocket) -> Answer:
        assert run.kick
        answer = login(alice.name, leave=False)(secured)
        run.kick()
        while piece := secured.recv(4096):
            farewell.append(piece)
        return answer

    Door(stage.address, "localhost", stage.pki.root, stay, prelude=ask_for_tls).visit(Visit(alice))

    assert b"terminating connection due to administrator command" in b"".join(farewell)
