"""A copy of a store is the same store, by SQLite's own copying and row by row, as between two kinds of databases."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from handfast.ca.audit import verify_chain
from handfast.errors import ConfigError, Conflict
from handfast.keys.passphrase import no_passphrase
from handfast.server.assembly import open_parts
from handfast.server.founding import Plan, create_authority
from handfast.stores.copying import age, audit_of, fill, load, require_sound, tables
from handfast.stores.sqlite import open_store


@pytest.fixture
def source(tmp_path: Path) -> Path:
    create_authority(tmp_path / "ca", Plan(name="Test"), passphrase=no_passphrase).store.close()
    return tmp_path / "ca" / "ca.sqlite"


def contents(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(path)) as connection:
        return {name: sorted(connection.execute(f"SELECT * FROM {name}"), key=repr) for name in tables(connection)}


def test_a_copy_holds_every_row(source: Path, tmp_path: Path) -> None:
    store = open_store(str(source))
    store.copy_to(str(tmp_path / "copy"))
    fill(str(tmp_path / "rows"), store.database.stream)
    store.close()
    assert contents(tmp_path / "copy") == contents(tmp_path / "rows") == contents(source)


def test_a_copy_is_loaded_into_an_empty_store_and_into_no_other(source: Path, tmp_path: Path) -> None:
    target = open_store(str(tmp_path / "target"))
    load(str(source), target.database)
    assert verify_chain(target.events(limit=1000)) == ()
    with pytest.raises(Conflict, match="an authority in the database"):
        load(str(source), target.database)
    target.close()
    assert contents(tmp_path / "target") == contents(source)


def test_a_damaged_copy_is_refused(source: Path, tmp_path: Path) -> None:
    data = bytearray(source.read_bytes())
    data[4096:6000] = b"\xff" * 1904
    (tmp_path / "damaged").write_bytes(data)
    (tmp_path / "text").write_text("no database" * 1000)
    for name in ("damaged", "text"):
        with pytest.raises(ConfigError, match="damaged"):
            require_sound(tmp_path / name)
    with pytest.raises(ConfigError, match="cannot be read"):
        audit_of(str(tmp_path / "text"))


def test_tokens_of_an_old_store_are_void_and_its_revocations_go_on_far_above(source: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(source)) as raw, raw:
        raw.execute("INSERT INTO token VALUES (x'00', 'device', '[]', '[]', 'operator', 0, 9)")
    before = open_parts(source.parent, passphrase=no_passphrase)
    last = before.store.last_revocation_id()
    before.store.close()
    assert age(str(source)) == 1
    assert contents(source)["token"] == []
    after = open_parts(source.parent, passphrase=no_passphrase)
    assert after.store.last_revocation_id() > last + 1_000_000
    after.store.close()
