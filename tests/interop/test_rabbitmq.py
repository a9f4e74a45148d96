"""RabbitMQ, run for real: the whole matrix on one broker, since it is slow to start, and broken CRLs."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from handfast.errors import HandfastError
from handfast.prove.deploy import Place, files_for, setting_for, write_all
from handfast.prove.find import program_of
from handfast.prove.matrix import Proof
from handfast.prove.rehearsal import FAULTS, Fault
from handfast.prove.stage import material_of
from handfast.prove.throw_away import throw_away_pki
from handfast.targets.contract import Case
from tests.proving import require_all_as_expected, require_programs

NAME = "rabbitmq"


def test_everybody_is_let_in_or_refused_as_expected(tmp_path: Path) -> None:
    require_programs(NAME)
    target, program = program_of(NAME)
    # Servers with a wrong certificate test the client only, and each would be one more start.
    pki = replace(throw_away_pki(lambda: datetime.now(UTC)), bad_servers={})

    rows = Proof(target, program, pki, tmp_path / "server", pki.revoke).rows()

    require_all_as_expected(NAME, rows)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_broken_crl_is_never_written(tmp_path: Path, fault: Fault) -> None:
    target, _ = program_of(NAME)
    pki = throw_away_pki(lambda: datetime.now(UTC))
    setting = setting_for(target, Place(directory=tmp_path / "out", names=("localhost",), port=5671))
    good = pki.revoke((pki.visitors[Case.REVOKED].serial,))
    write_all(target, setting, material_of(pki, pki.server, good), datetime.now(UTC))

    with pytest.raises(HandfastError):
        files_for(target, setting, material_of(pki, pki.server, fault.spoil(pki, good)), datetime.now(UTC))
