"""A store of an earlier handfast is brought up to date, and whoever waits for it is told."""

import os
import pty
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from handfast import registry
from handfast.ca.order import Order
from handfast.ca.records import Listing
from handfast.errors import Unavailable
from handfast.keys.generate import generate_key
from handfast.keys.passphrase import no_passphrase
from handfast.pki.subject import parse_subject
from handfast.server.archive import DATABASE, MANIFEST, new_archive, opened
from handfast.server.assembly import open_authority, open_parts, utc_now
from handfast.server.backup import back_up
from handfast.server.founding import Plan, create_authority
from handfast.server.restoring import Sources, restore
from handfast.stores import postgresql as postgresql_module
from handfast.stores import sqlite as sqlite_module
from handfast.stores.migrations import Migrating, latest
from tests.databases import Server
from tests.old_store import WORDLESS, make_old, set_back
from tests.serving import PATIENCE

HANDFAST = Path(sys.executable).with_name("handfast")


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    if request.param == "sqlite":
        return "sqlite", str(tmp_path / "ca.sqlite")
    server: Server = request.getfixturevalue("postgresql_server")
    kind, _, location = server.new_database().partition(":")
    return kind, location


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    """An authority, whose store an earlier handfast left, with a certificate for `alice`."""
    directory = tmp_path / "ca"
    create_authority(directory, Plan(name="Trial"), passphrase=no_passphrase).store.close()
    authority = open_authority(directory, passphrase=no_passphrase)
    order = Order(profile="device", public_key=generate_key().public_key(), subject=parse_subject("CN=alice"))
    authority.issue(order)
    authority.store.close()
    set_back(directory / "ca.sqlite")
    return directory


def test_a_watch_hears_of_the_begin_of_all_that_takes_long_and_of_the_end(place: tuple[str, str]) -> None:
    kind, location = place
    make_old(kind, location, count=2500)
    told: list[Migrating] = []

    registry.load("stores", kind).open_store(location, told.append).close()

    assert (told[0].since, told[0].until, told[0].number) == (WORDLESS, latest(), WORDLESS + 1)
    assert [(one.done, one.total) for one in told if one.done] == [(1000, 2500), (2000, 2500), (2500, 2500)]
    assert {one.number for one in told} == set(range(WORDLESS + 1, latest() + 1))
    assert [one.is_over for one in told] == [False] * (len(told) - 1) + [True]


def test_nobody_is_told_of_a_new_store_or_of_one_that_is_up_to_date(place: tuple[str, str]) -> None:
    kind, location = place
    told: list[Migrating] = []
    for _ in range(2):
        registry.load("stores", kind).open_store(location, told.append).close()
    assert told == []


def test_who_waited_while_another_process_did_it_finds_it_done(tmp_path: Path) -> None:
    path = str(tmp_path / "ca.sqlite")
    make_old("sqlite", path, count=1500)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        begins, told = threading.Event(), list[Migrating]()

        def watch(at: Migrating) -> None:
            told.append(at)
            begins.set()

        opening = threading.Thread(target=lambda: registry.load("stores", "sqlite").open_store(path, watch).close())
        opening.start()
        assert begins.wait(PATIENCE)
        # What a later handfast did meanwhile stays.
        other.execute("PRAGMA user_version = 999")
        other.execute("COMMIT")
        opening.join(PATIENCE)
        assert other.execute("PRAGMA user_version").fetchone() == (999,)
    assert [(one.number, one.is_over) for one in told] == [(WORDLESS + 1, False), (latest(), True)]


def test_who_waits_for_another_process_is_told_first_and_then_what_it_may_be(
    place: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, location = place
    make_old(kind, location)
    monkeypatch.setattr(sqlite_module, "BUSY_TIMEOUT", timedelta(seconds=0.5))
    monkeypatch.setitem(postgresql_module._SESSION, "statement_timeout", "500ms")
    told: list[Migrating] = []
    with writing(kind, location), pytest.raises(Unavailable) as raised:
        registry.load("stores", kind).open_store(location, told.append)
    assert [one.number for one in told] == [WORDLESS + 1]
    assert raised.value.hint.startswith("if another process is bringing it up to date, wait")


@contextmanager
def writing(kind: str, location: str) -> Iterator[None]:
    """Another process, which writes while the block runs."""
    if kind == "sqlite":
        with closing(sqlite3.connect(location, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
        return
    with psycopg.connect(f"postgresql:{location}") as waiting:
        waiting.execute("SELECT pg_advisory_xact_lock(1751215716, hashtext(current_schema()))")
        yield


def test_at_a_terminal_a_line_tells_who_waits_longer_than_a_second(ca: Path) -> None:
    ours, theirs = pty.openpty()
    command = [str(HANDFAST), "list", "--ca", str(ca)]
    with closing(sqlite3.connect(ca / "ca.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, text=True) as process:
            os.close(theirs)
            line = os.read(ours, 1000).decode()
            other.execute("ROLLBACK")
            out, _ = process.communicate(timeout=PATIENCE)
    rest = os.read(ours, 1000).decode()
    os.close(ours)

    assert line == f"\r\x1b[Kupdating the store: step {WORDLESS + 1} of {latest()}"
    assert rest.endswith("\r\x1b[K")
    assert (process.returncode, "alice" in out) == (0, True)


def test_what_is_over_in_a_moment_needs_no_words(ca: Path) -> None:
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    done = subprocess.run([HANDFAST, "list", "--ca", ca], stdout=subprocess.PIPE, stderr=theirs, check=False)
    with pytest.raises(BlockingIOError):
        os.read(ours, 1000)
    os.close(theirs)
    os.close(ours)
    assert (done.returncode, b"alice" in done.stdout) == (0, True)


def test_a_backup_of_an_earlier_handfast_comes_back_in_postgresql_and_its_words_are_found(
    ca: Path, tmp_path: Path, postgresql_server: Server
) -> None:
    parts = open_parts(ca, passphrase=no_passphrase)
    back_up(parts, tmp_path / "new.tar")
    parts.store.close()
    sources, told = Sources(store=postgresql_server.new_database()), list[Migrating]()

    old = aged(tmp_path / "new.tar", tmp_path / "site")
    restore(old, tmp_path / "again", sources, passphrase=no_passphrase, watch=told.append)

    assert told[-1].is_over
    again = open_parts(tmp_path / "again", passphrase=no_passphrase)
    with closing(again.store):
        found = again.store.search(Listing(now=utc_now(), text="alice")).records
        assert [one.label for one in found] == ["alice"]


def aged(backup: Path, folder: Path) -> Path:
    """The backup as an earlier handfast would have made it."""
    folder.mkdir()
    with opened(backup) as archive:
        manifest = archive.manifest
        archive.extract(folder)
    set_back(folder / DATABASE)
    target = backup.with_name("old.tar")
    with new_archive(target, folder) as writer:
        for name in manifest.files:
            writer.add_file(name, folder / name)
        writer.add(MANIFEST, replace(manifest, files=dict(writer.sums)).to_json())
    return target
