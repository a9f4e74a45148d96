"""What a service does by itself, every half second or hour, looks at nothing that grows."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from handfast.ca.authority import Authority
from handfast.ca.due import ages, publish_due
from handfast.ca.order import Order
from handfast.ca.records import CertificateRecord
from handfast.keys.generate import generate_key
from handfast.keys.passphrase import no_passphrase
from handfast.pki.subject import parse_subject
from handfast.server.assembly import Parts, assemble, open_parts
from handfast.server.founding import Plan, create_authority
from handfast.server.housekeeping import retire
from handfast.server.noticing import notices_of
from handfast.stores import words
from handfast.stores.database import Transaction
from tests.contract.test_opening import GROWING
from tests.statements import told_statements

KEY = generate_key().public_key()
DAY = timedelta(days=1)


@dataclass
class Running:
    """An authority with a delta, two shards and lists of all; and what its store was asked since the last look."""

    directory: Path
    parts: Parts
    authority: Authority
    told: list[str]

    def issue(self) -> CertificateRecord:
        order = Order(profile="device", public_key=KEY, subject=parse_subject("CN=cam"))
        return self.authority.issue(order).record

    def scanned(self) -> set[str]:
        """The tables that its questions went through from one end to the other."""
        questions = [one for one in self.told if one.lstrip().upper().startswith("SELECT")]
        assert questions
        with closing(sqlite3.connect(self.directory / "ca.sqlite")) as raw:
            aliases = {"r": "revocation", "c": "certificate", "i": "issued", "s": "revocation_shard"}
            plans = [row[3] for one in questions for row in raw.execute(f"EXPLAIN QUERY PLAN {one}")]
        names = {plan.split()[1] for plan in plans if plan.startswith("SCAN")}
        return {aliases.get(name, name) for name in names} & {*GROWING, "published_entries"}


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    create_authority(tmp_path, Plan(name="Test"), passphrase=no_passphrase).store.close()
    told = told_statements(monkeypatch)
    parts = open_parts(tmp_path, passphrase=no_passphrase)
    authority = replace(assemble(parts), has_deltas=True)
    made = Running(tmp_path, parts, authority, told)
    for _ in range(3):
        authority.revoke(made.issue())
    publish_due(authority, authority.clock())
    yield made
    parts.store.close()


def revoke(running: Running) -> None:
    held, revoked = running.issue(), running.issue()
    running.authority.hold(held)
    running.authority.release(held)
    running.authority.revoke(revoked)


TICKS: dict[str, Callable[[Running], object]] = {
    "nothing is due": lambda one: publish_due(one.authority, one.authority.clock()),
    "something was revoked": lambda one: publish_due(one.authority, one.authority.clock() + DAY / 2),
    "everything is due": lambda one: publish_due(one.authority, one.authority.clock() + 4 * DAY),
    "metrics": lambda one: ages(one.authority),
    "notices": lambda one: list(notices_of(one.authority, [30 * DAY])),
    "house": lambda one: retire(one.parts),
    "feed": lambda one: one.parts.store.publications.revocations(after=2, limit=100),
}


@pytest.mark.parametrize("tick", TICKS.values(), ids=list(TICKS))
def test_no_statement_of_a_tick_scans_a_table_that_grows(tick: Callable[[Running], object], running: Running) -> None:
    revoke(running)
    running.told.clear()
    tick(running)
    assert running.scanned() == set()


def test_filling_the_words_of_searches_looks_at_each_certificate_alone(running: Running) -> None:
    def job(transaction: Transaction) -> None:
        transaction.rows("DELETE FROM certificate_word")
        words.fill(transaction, lambda done, total: None)

    running.told.clear()
    running.parts.store.database.write(job)  # type: ignore[attr-defined]  # a store in SQL
    assert running.scanned() == set()
