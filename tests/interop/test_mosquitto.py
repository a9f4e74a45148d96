"""Mosquitto, run for real: the whole matrix, broken CRLs, and a session that must be silenced."""

import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path

from handfast.prove.find import program_of
from handfast.prove.program import Visit
from handfast.prove.programs.mosquitto import packet, publish, read_packet, text
from handfast.prove.stage import apply_revocation, running
from handfast.prove.throw_away import throw_away_pki
from handfast.prove.visit import PATIENCE, client_context
from handfast.targets.contract import Case
from tests.proving import prove, require_all_as_expected, require_programs

NOT_AUTHORIZED = 0x87

NAME = "mosquitto"


def test_everybody_is_let_in_or_refused_as_expected(tmp_path: Path) -> None:
    require_all_as_expected(NAME, prove(NAME, tmp_path / "server"))


def connect(address: tuple[str, int], visit: Visit, root: str) -> ssl.SSLSocket:
    raw = socket.create_connection(address, timeout=PATIENCE)
    secured = client_context(visit, root=root).wrap_socket(raw, server_hostname="localhost")
    packet(secured, 0x10, text("MQTT") + bytes([5, 2, 0, 60, 0]) + text("open"))
    assert read_packet(secured)[0] == 0x20
    return secured


def test_an_open_session_outlives_a_revocation_until_it_is_silenced_or_cut(tmp_path: Path) -> None:
    require_programs(NAME)
    target, program = program_of(NAME)
    pki = throw_away_pki(lambda: datetime.now(UTC))
    revoked = pki.visitors[Case.REVOKED]
    topic = f"devices/{revoked.name}/state"
    with (
        running(target, program, pki, tmp_path / "server") as (stage, run),
        connect(stage.address, Visit(revoked), pki.root) as session,
    ):
        serials = (revoked.serial,)
        apply_revocation(target, stage, run, serials=serials, crls=pki.revoke(serials))
        assert publish(session, topic, 1) == 0

        topics = Path(stage.setting.file("topics.acl"))
        topics.write_text(f"user {revoked.name}\ntopic deny #\n{topics.read_text()}", encoding="utf-8")
        run.reload()
        assert publish(session, topic, 2) == NOT_AUTHORIZED

        assert run.kick is not None
        run.kick()
        # MQTT 5 says good-bye first (DISCONNECT, server shutting down), or the connection just ends.
        try:
            assert session.recv(16)[:1] in {b"", b"\xe0"}
        except ConnectionError:
            pass
