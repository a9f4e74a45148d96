"""Sessions that stand outlive a revocation; the kick that the target names ends them."""

import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from handfast.prove.find import program_of
from handfast.prove.program import Outcome, Running, Stage, Visit
from handfast.prove.programs import dovecot, mariadb, rabbitmq
from handfast.prove.stage import running
from handfast.prove.throw_away import throw_away_pki
from handfast.prove.visit import Answer, Dialogue, Door, Prelude
from handfast.targets.contract import Case
from tests.proving import require_programs

LOGINS: dict[str, tuple[Callable[[str], Dialogue], Prelude | None]] = {
    "dovecot": (lambda _: dovecot.log_in, None),
    "mariadb": (mariadb.login, mariadb.ask_for_tls),
    "rabbitmq": (lambda _: rabbitmq.amqp, None),
}


@pytest.mark.parametrize("name", LOGINS)
def test_a_session_that_is_open_is_ended_by_the_kick(name: str, short_path: Path) -> None:
    require_programs(name)
    target, program = program_of(name)
    assert target.kick
    pki = throw_away_pki(lambda: datetime.now(UTC))
    with running(target, program, pki, short_path / "server") as (stage, run):
        assert run.visit(Visit(pki.visitors[Case.USER])).outcome is Outcome.ADMITTED
        assert stays_until_kicked(name, stage, run)


def stands(secured: ssl.SSLSocket, seconds: float = 0.5) -> bool:
    """Whether the session is still open after this time; comes back sooner when it ends."""
    secured.settimeout(seconds)
    try:
        while secured.recv(4096):
            pass
    except TimeoutError:
        return True
    except ConnectionError:
        pass
    return False


def stays_until_kicked(name: str, stage: Stage, run: Running) -> bool:
    """Log in, stay, and kick: whether the server then ended the session that was open."""
    login, prelude = LOGINS[name]
    user = stage.pki.visitors[Case.USER]
    ended: list[bool] = []

    def stay(secured: ssl.SSLSocket) -> Answer:
        answer = login(user.name)(secured)
        assert answer.admitted, answer.words
        assert stands(secured)
        assert run.kick is not None
        run.kick()
        ended.append(not stands(secured, 60))
        return answer

    door = Door(stage.address, "localhost", stage.pki.root, stay, prelude=prelude)
    door.visit(Visit(user))
    return ended == [True]
