"""hostapd, run for real: the whole matrix, broken CRLs, and no resumption."""

from datetime import UTC, datetime
from pathlib import Path

from handfast.prove.find import program_of
from handfast.prove.program import Outcome, Visit
from handfast.prove.stage import running
from handfast.prove.throw_away import throw_away_pki
from handfast.targets.contract import Case
from tests.proving import prove, require_all_as_expected, require_programs

NAME = "hostapd"


def test_everybody_is_let_in_or_refused_as_expected(tmp_path: Path) -> None:
    require_all_as_expected(NAME, prove(NAME, tmp_path / "server"))


def test_who_logs_in_again_makes_a_full_handshake(tmp_path: Path) -> None:
    require_programs(NAME)
    target, program = program_of(NAME)
    pki = throw_away_pki(lambda: datetime.now(UTC))
    with running(target, program, pki, tmp_path / "server") as (_, run):
        # Each of these visits logs in, and then once more with the session that it was given.
        for version in run.versions:
            seen = run.visit(Visit(pki.visitors[Case.USER], version))

            assert seen.outcome is Outcome.ADMITTED
            assert not seen.resumed
