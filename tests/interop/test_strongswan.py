"""strongSwan, run for real: the whole matrix, broken CRLs, and an IKE_SA that must be cut."""

import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from handfast.prove.find import program_of
from handfast.prove.program import Running, Stage, Visit
from handfast.prove.programs.strongswan import Gateway, serve
from handfast.prove.stage import apply_revocation, running
from handfast.prove.throw_away import throw_away_pki
from handfast.targets.contract import Case
from tests.proving import prove, require_all_as_expected, require_programs

NAME = "strongswan"


def test_everybody_is_let_in_or_refused_as_expected(tmp_path: Path) -> None:
    require_all_as_expected(NAME, prove(NAME, tmp_path / "server"))


def test_an_established_sa_outlives_a_revocation_until_it_is_terminated(tmp_path: Path) -> None:
    require_programs(NAME)
    target, program = program_of(NAME)
    pki = throw_away_pki(lambda: datetime.now(UTC))
    revoked = pki.visitors[Case.REVOKED]
    gateways: list[Gateway] = []

    def start(stage: Stage) -> Running:
        gateways.append(serve(stage))
        return gateways[0].running()

    with (
        running(target, replace(program, start=start), pki, tmp_path / "server") as (stage, run),
        tempfile.TemporaryDirectory(prefix="hf-", ignore_cleanup_errors=True) as home,
    ):
        gateway = gateways[0]
        gateway.prepare(Visit(revoked), Path(home))
        client = gateway.client(Path(home))
        try:
            client.swanctl("--load-all", "--noprompt")
            said = client.swanctl("--initiate", "--ike", "proof", "--timeout", "30")
            assert "completed successfully" in said
            serials = (revoked.serial,)
            apply_revocation(target, stage, run, serials=serials, crls=pki.revoke(serials))
            assert revoked.name in gateway.daemon.swanctl("--list-sas")

            gateway.kick()

            assert revoked.name not in gateway.daemon.swanctl("--list-sas")
            said = client.swanctl("--initiate", "--ike", "proof", "--timeout", "30")
            assert "AUTH_FAILED" in said
        finally:
            client.stop()
