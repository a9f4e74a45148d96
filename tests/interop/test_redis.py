"""Redis, run for real: the whole matrix, what it cannot refuse, and stunnel in front of it, which can."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from handfast.prove.find import program_of
from handfast.prove.program import Outcome, Stage, Visit
from handfast.prove.programs.redis import ping
from handfast.prove.stage import Given, running
from handfast.prove.throw_away import throw_away_pki
from handfast.prove.visit import Door
from handfast.targets.contract import Case, RenderedFile
from tests.proving import prove, require_all_as_expected, require_programs

NAME = "redis"


def test_everybody_is_let_in_or_refused_as_expected(short_path: Path) -> None:
    rows = prove(NAME, short_path / "server")

    require_all_as_expected(NAME, rows)
    revoked = next(row for row in rows if row.case is Case.REVOKED)
    assert revoked.expected == "let in"
    assert "stunnel" in revoked.note


def _in_the_clear(files: tuple[RenderedFile, ...]) -> tuple[RenderedFile, ...]:
    """The same, listening without TLS: only stunnel reaches it, on loopback."""
    kept = [line for line in files[0].content.splitlines() if not line.startswith(("tls-", "port "))]
    port = next(line.split()[1] for line in files[0].content.splitlines() if line.startswith("tls-port"))
    return (replace(files[0], content="\n".join([f"port {port}", *kept]) + "\n"),)


def _address(stage: Stage) -> str:
    return f"{stage.address[0]}:{stage.address[1]}"


def test_stunnel_in_front_refuses_who_is_revoked(short_path: Path) -> None:
    require_programs(NAME)
    require_programs("stunnel")
    pki = throw_away_pki(lambda: datetime.now(UTC))
    target, program = program_of("stunnel")
    redis, redis_program = program_of(NAME)
    clear = replace(redis, render=lambda setting: _in_the_clear(redis.render(setting)))
    crls = pki.revoke((pki.visitors[Case.REVOKED].serial,))
    with running(clear, redis_program, pki, short_path / "redis") as (behind, _):
        front = replace(target, render=lambda setting: target.render(replace(setting, upstream=_address(behind))))
        with running(front, program, pki, short_path / "stunnel", Given(crls=crls)) as (stage, _):
            door = Door(stage.address, "localhost", pki.root, ping())

            user = door.visit(Visit(pki.visitors[Case.USER]))
            revoked = door.visit(Visit(pki.visitors[Case.REVOKED]))

    assert (user.outcome, user.words) == (Outcome.ADMITTED, "+PONG")
    assert revoked.outcome in {Outcome.REFUSED, Outcome.CLOSED}
