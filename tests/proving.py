"""Runs a program's whole matrix for a test, and says what was not as expected."""

from datetime import UTC, datetime
from pathlib import Path

from handfast import registry
from handfast.prove.check import Verdict, own_test
from handfast.prove.deploy import Place, setting_for, write_all
from handfast.prove.find import program_of
from handfast.prove.matrix import Proof, Row
from handfast.prove.program import Program
from handfast.prove.rehearsal import Rehearsal
from handfast.prove.stage import material_of
from handfast.prove.throw_away import throw_away_pki
from handfast.targets.contract import ADMITTED, Case, Level
from tests.programs import required_program


def require_programs(name: str) -> None:
    """Skip, or fail in CI, when a program of this target is missing."""
    program: Program = registry.load("prove.programs", name).program
    for executable in program.needs:
        required_program(executable)


def prove(name: str, directory: Path) -> tuple[Row, ...]:
    """The rows of the matrix."""
    require_programs(name)
    target, program = program_of(name)
    pki = throw_away_pki(lambda: datetime.now(UTC))
    return Proof(target, program, pki, directory, pki.revoke).rows()


def rehearse(name: str, directory: Path) -> tuple[Row, ...]:
    """The rows of the rehearsal of broken CRLs."""
    require_programs(name)
    target, program = program_of(name)
    return Rehearsal(target, program, throw_away_pki(lambda: datetime.now(UTC)), directory).rows()


def require_all_as_expected(name: str, rows: tuple[Row, ...]) -> None:
    """Every case of the matrix is there and right; who is let in is known by name; what is let in against the rule has
    its remedy; every refusal whose words the target knows has them in the log."""
    wrong = [f"{row.title} ({row.tls}): {row.expected}, observed {row.observed}" for row in rows if not row.as_expected]
    assert not wrong, "\n".join(wrong)
    assert {row.case for row in rows} >= set(Case)
    target, _ = program_of(name)
    words = {refusal.case for refusal in target.refusals if refusal.log}
    for row in rows:
        if row.case in ADMITTED:
            continue
        if row.expected == "let in":
            assert row.note, row.title
        elif row.case in words:
            assert row.log, f"{row.title}: the log does not say why"


def own_verdict(
    name: str, directory: Path, *, level: Level = Level.INTERMEDIATE, upstream: str = "", revoked: tuple[int, ...] = ()
) -> Verdict:
    """What the program's own test says of what is rendered."""
    require_programs(name)
    target, _ = program_of(name)
    pki = throw_away_pki(lambda: datetime.now(UTC))
    place = Place(
        directory=directory,
        names=("localhost",),
        port=8443,
        listen="127.0.0.1",
        level=level,
        upstream=upstream,
        revoked=revoked,
    )
    setting = setting_for(target, place)
    write_all(target, setting, material_of(pki, pki.server, pki.crls), datetime.now(UTC))
    verdict = own_test(target, setting)
    assert verdict is not None, f"{name} has no test of its own"
    return verdict
