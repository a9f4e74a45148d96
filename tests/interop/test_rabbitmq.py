"""RabbitMQ, run for real: the whole matrix on one broker, since it is slow to start, and broken CRLs."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from handfast.prove.find import program_of
from handfast.prove.matrix import Proof
from handfast.prove.throw_away import throw_away_pki
from tests.proving import require_all_as_expected, require_programs

NAME = "rabbitmq"


def test_everybody_is_let_in_or_refused_as_expected(tmp_path: Path) -> None:
    require_programs(NAME)
    target, program = program_of(NAME)
    # Servers with a wrong certificate test the client only, and each would be one more start.
    pki = replace(throw_away_pki(lambda: datetime.now(UTC)), bad_servers={})

    rows = Proof(target, program, pki, tmp_path / "server", pki.revoke).rows()

    require_all_as_expected(NAME, rows)
