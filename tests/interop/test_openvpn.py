"""OpenVPN, run for real: the whole matrix, broken CRLs, and a tunnel that must be cut."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from handfast.prove.find import program_of
from handfast.prove.process import wait_until
from handfast.prove.program import Outcome, Running, Stage, Visit
from handfast.prove.programs.openvpn import Server, serve
from handfast.prove.stage import apply_revocation, running
from handfast.prove.throw_away import throw_away_pki
from handfast.targets.contract import Case
from tests.proving import prove, require_all_as_expected, require_programs

NAME = "openvpn"


def test_everybody_is_let_in_or_refused_as_expected(tmp_path: Path) -> None:
    require_all_as_expected(NAME, prove(NAME, tmp_path / "server"))


def test_an_open_tunnel_outlives_a_revocation_until_it_is_killed(tmp_path: Path) -> None:
    require_programs(NAME)
    target, program = program_of(NAME)
    pki = throw_away_pki(lambda: datetime.now(UTC))
    revoked = pki.visitors[Case.REVOKED]
    servers: list[Server] = []

    def start(stage: Stage) -> Running:
        servers.append(serve(stage))
        return servers[0].running()

    with running(target, replace(program, start=start), pki, tmp_path / "server") as (stage, run):
        server = servers[0]
        (tmp_path / "client").mkdir()
        client = server.connect(Visit(revoked), tmp_path / "client")
        try:
            wait_until(lambda: revoked.name in server.connected(), "the client is in")
            serials = (revoked.serial,)
            apply_revocation(target, stage, run, serials=serials, crls=pki.revoke(serials))

            assert run.visit(Visit(revoked)).outcome is Outcome.REFUSED
            assert revoked.name in server.connected()

            server.kick()
            wait_until(lambda: revoked.name not in server.connected(), "the client is out")
            wait_until(lambda: b"Connection reset" in client.output.read_bytes(), "the client was refused")

            assert revoked.name not in server.connected()
        finally:
            client.stop()
