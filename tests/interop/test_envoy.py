"""Envoy, run for real: the whole matrix, spoofed headers, and its own test of what is rendered."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from handfast.prove.check import own_test
from handfast.prove.deploy import Place, setting_for, write_all
from handfast.prove.find import program_of
from handfast.prove.program import Visit
from handfast.prove.stage import material_of, running
from handfast.prove.throw_away import throw_away_pki
from handfast.prove.visit import Door, http
from handfast.targets.contract import Case, Level
from tests.proving import prove, require_all_as_expected, require_programs

NAME = "envoy"
HEADERS = ("X-Client-Subject", "X_Client_Subject", "X-Client_Subject", "Client-Cert", "Client_Cert",
           "X-Forwarded-Client-Cert", "X_Forwarded_Client_Cert")  # fmt: skip


def test_everybody_is_let_in_or_refused_as_expected_by_envoy(tmp_path: Path) -> None:
    require_all_as_expected(NAME, prove(NAME, tmp_path / "server"))


def test_a_client_cannot_set_the_identity_headers_of_envoy(tmp_path: Path) -> None:
    require_programs(NAME)
    target, program = program_of(NAME)
    pki = throw_away_pki(lambda: datetime.now(UTC))
    user = pki.visitors[Case.USER]
    bodies: list[str] = []
    with running(target, program, pki, tmp_path / "server") as (stage, _):
        for header in HEADERS:
            talk = http("localhost", headers=((header, "CN=root"),), seen=bodies)
            Door(stage.address, "localhost", pki.root, talk).visit(Visit(user))

    assert len(bodies) == len(HEADERS)
    assert not [body for body in bodies if "CN=root" in body]
    headers = dict(line.split(": ", 1) for line in bodies[0].lower().splitlines() if ": " in line)
    assert int(headers["x-client-serial"], 16) == user.serial
    assert headers["x-client-subject"] == "cn=alice"
    assert headers["x-client-verify"] == "success"


@pytest.mark.parametrize("level", Level)
@pytest.mark.parametrize("options", [{}, {"upstream-uri": "spiffe://example.org/app", "client-uri": "spiffe://x/"}])
@pytest.mark.parametrize("upstream", ["", "127.0.0.1:8000"])
def test_envoy_itself_finds_nothing_wrong(tmp_path: Path, level: Level, options: dict[str, str], upstream: str) -> None:
    require_programs(NAME)
    target, _ = program_of(NAME)
    pki = throw_away_pki(lambda: datetime.now(UTC))
    place = Place(directory=tmp_path / "out", names=("localhost",), port=8443, level=level, upstream=upstream)
    setting = replace(setting_for(target, place), options=options)
    write_all(target, setting, material_of(pki, pki.server, pki.crls), datetime.now(UTC))

    said = own_test(target, setting)

    assert said is not None
    assert said.passed, said.words
