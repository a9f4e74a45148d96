"""A backup of an authority in PostgreSQL comes back in SQLite and in PostgreSQL: nothing lost, nothing forgiven."""

from collections.abc import Callable
from pathlib import Path

import pytest

from handfast.ca.audit import verify_chain
from handfast.ca.order import Order
from handfast.ca.records import CertificateRecord, State
from handfast.errors import Conflict
from handfast.keys.generate import generate_key
from handfast.keys.passphrase import no_passphrase
from handfast.pki.subject import parse_subject
from handfast.server.assembly import assemble, open_parts, utc_now
from handfast.server.backup import back_up
from handfast.server.founding import Plan, create_authority
from handfast.server.restoring import Sources, restore
from tests.databases import Server

KEY = generate_key().public_key()
Place = Callable[[Server], str]


@pytest.mark.parametrize("place", [lambda _: "sqlite:ca.sqlite", Server.new_database], ids=["sqlite", "postgresql"])
def test_a_backup_from_postgresql_comes_back_whole(postgresql_server: Server, tmp_path: Path, place: Place) -> None:
    settings = f'store = "{postgresql_server.new_database()}"\n'
    create_authority(tmp_path / "ca", Plan(name="Test", settings=settings), passphrase=no_passphrase).store.close()
    parts = open_parts(tmp_path / "ca", passphrase=no_passphrase)
    authority = assemble(parts)

    def issue(name: str) -> CertificateRecord:
        order = Order(profile="device", public_key=KEY, subject=parse_subject(f"CN={name}"))
        return authority.issue(order).record

    gone, held = issue("gone"), issue("held")
    authority.hold(held)
    back_up(parts, tmp_path / "b.tar")
    since = issue("since")
    authority.revoke(gone)
    authority.release(held)
    parts.store.close()

    sources = Sources(store=place(postgresql_server))
    report = restore(tmp_path / "b.tar", tmp_path / "again", sources, passphrase=no_passphrase)

    assert (report.counts["certificates finished"], report.counts["revocations"]) == (1, 2)
    again = open_parts(tmp_path / "again", passphrase=no_passphrase)
    states = [again.store.by_serial(one.serial)[0].state(utc_now()) for one in (gone, held, since)]
    assert states == [State.REVOKED, State.VALID, State.VALID]
    assert verify_chain(again.store.events(limit=1000)) == ()
    again.store.close()


def test_a_database_that_holds_an_authority_is_not_overwritten(postgresql_server: Server, tmp_path: Path) -> None:
    settings = f'store = "{postgresql_server.new_database()}"\n'
    create_authority(tmp_path / "ca", Plan(name="Test", settings=settings), passphrase=no_passphrase).store.close()
    parts = open_parts(tmp_path / "ca", passphrase=no_passphrase)
    back_up(parts, tmp_path / "b.tar")
    parts.store.close()
    with pytest.raises(Conflict, match="an authority in the database"):
        restore(tmp_path / "b.tar", tmp_path / "again", Sources(), passphrase=no_passphrase)
    assert not (tmp_path / "again").exists()
