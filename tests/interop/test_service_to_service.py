"""Mutual TLS between services, by SPIFFE names: Envoy in front speaks to nginx as one service to another."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from handfast.prove.deploy import Place, setting_for, write_all
from handfast.prove.find import program_of
from handfast.prove.process import free_port
from handfast.prove.program import Observation, Outcome, Running, Stage, Visit
from handfast.prove.stage import Given, apply_revocation, material_of, running
from handfast.prove.throw_away import new_maker, throw_away_pki
from handfast.prove.visit import Door, http
from handfast.prove.visitors import ThrowAwayPki
from handfast.targets.contract import Case
from tests.proving import require_programs

PROXY, APPLICATION = "spiffe://example.org/proxy", "spiffe://example.org/application"


@dataclass(frozen=True, slots=True)
class World:
    """One CA, and a certificate for each of the two services."""

    proxy: ThrowAwayPki
    application: ThrowAwayPki
    proxy_serial: int


@pytest.fixture
def world() -> World:
    for name in ("envoy", "nginx"):
        require_programs(name)
    maker = new_maker(lambda: datetime.now(UTC))
    pki = throw_away_pki(lambda: datetime.now(UTC), maker)
    certificate, proxy = maker.pair("peer", "CN=proxy", "localhost", "127.0.0.1", PROXY)
    _, application = maker.pair("peer", "CN=application", "localhost", APPLICATION)
    return World(replace(pki, server=proxy), replace(pki, server=application), certificate.serial_number)


@contextmanager
def envoy(pki: ThrowAwayPki, directory: Path, upstream: str, uri: str) -> Iterator[tuple[Stage, Running]]:
    """Envoy, which takes nobody for the application but who has this URI."""
    target, program = program_of("envoy")
    directory.mkdir()
    place = Place(directory=directory, names=("localhost",), port=free_port(), listen="127.0.0.1", upstream=upstream)
    setting = replace(setting_for(target, place), options={"upstream-uri": uri})
    files = write_all(target, setting, material_of(pki, pki.server, pki.crls), datetime.now(UTC))
    stage = Stage(directory, setting, files, pki)
    run = program.start(stage)
    try:
        yield stage, run
    finally:
        run.stop()


def visit(stage: Stage, pki: ThrowAwayPki, bodies: list[str]) -> Observation:
    door = Door(stage.address, "localhost", pki.root, http("localhost", headers=(), seen=bodies))
    return door.visit(Visit(pki.visitors[Case.USER]))


def test_the_services_know_each_other_by_their_certificates(world: World, tmp_path: Path) -> None:
    target, program = program_of("nginx")
    bodies: list[str] = []
    with running(target, program, world.application, tmp_path / "nginx", Given()) as (nginx, run):
        upstream = f"127.0.0.1:{nginx.setting.port}"
        with envoy(world.proxy, tmp_path / "envoy", upstream, APPLICATION) as (front, _):
            seen = visit(front, world.proxy, bodies)
            assert seen.outcome is Outcome.ADMITTED, seen
            assert "x-client-subject: cn=proxy" in bodies[-1].lower()

            crls = world.proxy.revoke((world.proxy_serial,))
            apply_revocation(target, nginx, run, serials=(world.proxy_serial,), crls=crls)
        with envoy(world.proxy, tmp_path / "again", upstream, APPLICATION) as (front, _):
            seen = visit(front, world.proxy, bodies)
            assert seen.outcome is not Outcome.ADMITTED, "the proxy was revoked, and the application took it"


def test_an_application_with_another_name_is_not_spoken_to(world: World, tmp_path: Path) -> None:
    target, program = program_of("nginx")
    with running(target, program, world.application, tmp_path / "nginx", Given()) as (nginx, _):
        upstream = f"127.0.0.1:{nginx.setting.port}"
        with envoy(world.proxy, tmp_path / "envoy", upstream, "spiffe://example.org/other") as (front, _):
            seen = visit(front, world.proxy, [])

    assert seen.outcome is not Outcome.ADMITTED
    assert "503" in seen.words
