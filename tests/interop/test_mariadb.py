"""MariaDB, run for real: the whole matrix, and broken CRLs."""

from datetime import UTC, datetime
from pathlib import Path

from handfast.errors import Unavailable
from handfast.prove.find import program_of
from handfast.prove.program import Outcome, Visit
from handfast.prove.stage import running
from handfast.prove.throw_away import throw_away_pki
from handfast.targets.contract import Case
from tests.proving import prove, require_all_as_expected, require_programs

NAME = "mariadb"


def test_everybody_is_let_in_or_refused_as_expected(short_path: Path) -> None:
    require_all_as_expected(NAME, prove(NAME, short_path / "server"))


def test_a_truncated_or_empty_crl_changes_nothing(short_path: Path) -> None:
    require_programs(NAME)
    target, program = program_of(NAME)
    pki = throw_away_pki(lambda: datetime.now(UTC))
    revoked, user = pki.visitors[Case.REVOKED], pki.visitors[Case.USER]
    good = pki.revoke((revoked.serial,))
    with running(target, program, pki, short_path / "server") as (stage, run):
        path = Path(stage.setting.crl)
        path.write_text(good, encoding="ascii")
        run.reload()
        for broken in (good[: len(good) * 2 // 3], ""):
            path.write_text(broken, encoding="ascii")
            try:
                run.reload()
            except Unavailable:
                pass

            assert run.alive()
            assert run.visit(Visit(user)).outcome is Outcome.ADMITTED
            assert run.visit(Visit(revoked)).outcome in {Outcome.REFUSED, Outcome.CLOSED}
