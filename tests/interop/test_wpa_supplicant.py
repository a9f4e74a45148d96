"""The rendered Wi-Fi client, run by wpa_supplicant's own code against the rendered FreeRADIUS."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from handfast.prove.deploy import Place, setting_for, write_all
from handfast.prove.eapol import SHARED
from handfast.prove.find import program_of
from handfast.prove.process import run
from handfast.prove.stage import material_of, running
from handfast.prove.throw_away import throw_away_pki
from handfast.registry import load
from handfast.targets.contract import Case, Level
from tests.programs import required_program
from tests.proving import require_programs


@pytest.mark.parametrize("level", Level)
def test_the_rendered_network_block_logs_in_and_checks_the_server(tmp_path: Path, level: Level) -> None:
    require_programs("freeradius")
    required_program("eapol_test")
    pki = throw_away_pki(lambda: datetime.now(UTC))
    server, program = program_of("freeradius")
    target = load("targets", "wpa-supplicant").target
    user = pki.visitors[Case.USER]
    with running(server, program, pki, tmp_path / "server") as (stage, _):
        said = {}
        for name in ("localhost", "wrong.example.test"):
            place = Place(directory=tmp_path / name, names=(name,), port=1812, level=level)
            setting = setting_for(target, place)
            write_all(target, setting, material_of(pki, pki.server, pki.crls), datetime.now(UTC))
            (tmp_path / name / "client.pem").write_text(user.chain, encoding="ascii")
            (tmp_path / name / "client.key").write_text(user.key, encoding="ascii")
            config = tmp_path / name / "network.conf"
            host, port = stage.address
            command = ("eapol_test", "-c", str(config), "-a", host, "-p", str(port), "-s", SHARED, "-t", "20")
            said[name] = run(command, directory=tmp_path, patience=60).stdout

    assert said["localhost"].rstrip().endswith("SUCCESS"), said["localhost"][-2000:]
    assert said["wrong.example.test"].rstrip().endswith("FAILURE")
    assert "domain mismatch" in said["wrong.example.test"].lower()
