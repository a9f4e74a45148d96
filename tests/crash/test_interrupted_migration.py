"""A store whose migration is interrupted, in the middle or just before its end, is as it was, and the next one ends."""

import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from handfast import registry
from handfast.ca.records import Listing, State
from handfast.stores import postgresql, sqlite
from handfast.stores.database import Database
from handfast.stores.migrations import latest
from tests.contract.test_store import NOW
from tests.databases import Server
from tests.old_store import WORDLESS, make_old
from tests.serving import PATIENCE

# Opens a store, and stands still where the migration is as far as it is told, inside of the transaction.
CHILD = """
import signal
import sys
from handfast import registry

# Whoever runs tests in the background of a shell has it ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)

kind, place, number, done = sys.argv[1:]

def watch(at):
    if (at.number, at.done) == (int(number), int(done)) and not at.is_over:
        print("there", flush=True)
        sys.stdin.readline()

registry.load("stores", kind).open_store(place, watch)
"""
COUNT = 2500
# After a thousand certificates of 0009; in the last migration.
PLACES = [(9, 1000), (11, 0)]


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """The kind and the location of a store of an earlier handfast."""
    if request.param == "sqlite":
        kind, location = "sqlite", str(tmp_path / "ca.sqlite")
    else:
        server: Server = request.getfixturevalue("postgresql_server")
        kind, _, location = server.new_database().partition(":")
    make_old(kind, location, count=COUNT)
    return kind, location


def contents(kind: str, place: str) -> dict[str, object]:
    """The version, the tables and indexes, and what is in some of them."""
    database: Database
    if kind == "sqlite":
        database = sqlite.SqliteDatabase(place)
        version, named = "PRAGMA user_version", "SELECT name, sql FROM sqlite_master ORDER BY name"
    else:
        database = postgresql.PostgresqlDatabase(f"{kind}:{place}")
        version = "SELECT MAX(version) FROM schema_version"
        named = (
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() UNION ALL "
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema() "
            "ORDER BY 1, 2"
        )
    with closing(database):
        return {
            "version": database.read(version)[0][0],
            "schema": [tuple(row) for row in database.read(named)],
            "certificates": [tuple(row) for row in database.read("SELECT * FROM certificate ORDER BY id")],
        }


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "Ctrl-C"])
@pytest.mark.parametrize("at", PLACES, ids=["in the middle", "before the end"])
def test_an_interrupted_migration_leaves_the_store_as_it_was(
    place: tuple[str, str], at: tuple[int, int], stop: signal.Signals
) -> None:
    before = contents(*place)
    assert before["version"] == WORDLESS
    command = [sys.executable, "-c", CHILD, *place, *map(str, at)]
    pipe = subprocess.PIPE

    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "there\n"
        child.send_signal(stop)
        child.wait(PATIENCE)

    assert contents(*place) == before
    kind, location = place
    with closing(registry.load("stores", kind).open_store(location)) as store:
        assert [one.serial for one in store.search(Listing(now=NOW, text="2500.exa")).records] == [2500]
        assert [one.serial for one in store.search(Listing(now=NOW, state=State.UNFINISHED)).records] == [7]
    assert contents(*place)["version"] == latest()


def test_ctrl_c_in_the_same_process_leaves_nothing_locked(place: tuple[str, str]) -> None:
    kind, location = place
    open_store: Callable[..., object] = registry.load("stores", kind).open_store

    def watch(at: object) -> None:
        if getattr(at, "done", 0):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_store(location, watch)

    with closing(registry.load("stores", kind).open_store(location)) as store:
        assert store.certificate_count() == 0
    assert contents(*place)["version"] == latest()
