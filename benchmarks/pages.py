"""Pages of certificates, by what they hold, with little and with much in the store, in SQLite and in PostgreSQL.

The bar: with a million certificates on record each page of fifty takes less than 100 ms."""

import random
import shutil
import sqlite3
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks._report import Table
from handfast.ca.records import CertificateRecord, Listing, Reason, State
from handfast.pki.names import parse_names
from handfast.stores import postgresql, rows, sqlite
from handfast.stores.copying import load, tables
from handfast.stores.sql import SqlStore
from handfast.stores.words import word_rows
from tests.databases import postgresql as server

RUNS = 5
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
_LIFETIME = timedelta(days=365)
_BODY = bytes(620)


def measure(folder: Path, *, quick: bool) -> list[Table]:
    """Elapsed milliseconds: the median of several, each by the store alone, the records made."""
    sizes = (1_000, 10_000) if quick else (1_000, 10_000, 100_000, 1_000_000)
    found = []
    with _databases() as open_in:
        for kind, make in open_in.items():
            table = Table(f"One page of 50, {kind}", ("page", *(f"{size:,} ms" for size in sizes)))
            columns = [_column(make(folder / f"{kind}-{size}.sqlite", size), size) for size in sizes]
            for name in columns[0]:
                table.add(name, *(f"{column[name]:.1f}" for column in columns))
            found.append(table)
        if len(open_in) == 1:
            found[-1].notes.append("PostgreSQL is not on PATH: not measured.")
    return found


@contextmanager
def _databases() -> Iterator[dict[str, Any]]:
    if shutil.which("psql") is None:
        yield {"SQLite": _filled}
        return
    with server() as running:

        def loaded(path: Path, size: int) -> SqlStore:
            _filled(path, size).close()
            store = postgresql.open_store(running.new_database().partition(":")[2])
            load(str(path), store.database)
            store.database.write(lambda transaction: transaction.rows("ANALYZE"))
            return store

        yield {"SQLite": _filled, "PostgreSQL": loaded}


def _column(store: SqlStore, size: int) -> dict[str, float]:
    with closing(store):
        return {name: _cost(store, listing) for name, listing in _listings(size).items()}


def _listings(size: int) -> dict[str, Listing]:
    plain = Listing(now=NOW)
    soon = NOW + timedelta(days=30)
    texts = {
        "a common word": "example.org", "a name": f"device-{size // 2}", "an inner word": f"{size // 3}.example",
        "an old fleet": "old-fleet", "nothing": "nowhere", "one letter": "d",
    }  # fmt: skip
    return {
        "all": plain,
        "all, deep": replace(plain, before=size // 2),
        **{state.value: replace(plain, state=state) for state in State},
        "a profile": replace(plain, profile="device"),
        "a rare profile": replace(plain, profile="rare"),
        "an issuer": replace(plain, issuer="issuing"),
        "valid, long ago": replace(plain, state=State.VALID, now=NOW - 9 * _LIFETIME),
        "valid, in far future": replace(plain, state=State.VALID, now=NOW + 9 * _LIFETIME),
        "expired, in far future": replace(plain, state=State.EXPIRED, now=NOW + 9 * _LIFETIME),
        "valid, ends in 30 days": replace(plain, state=State.VALID, expires_before=soon),
        "ends in a year": replace(plain, expires_before=NOW + _LIFETIME),
        **{f"text: {name}": replace(plain, text=text) for name, text in texts.items()},
        **{
            f"{state.value}, text: {name}": replace(plain, state=state, text=text)
            for state in (State.REVOKED, State.VALID, State.EXPIRED)
            for name, text in texts.items()
        },
        "a rare profile, valid": replace(plain, profile="rare", state=State.VALID),
        "no such profile, common word": replace(plain, profile="none", text="example.org"),
    }


def _cost(store: SqlStore, listing: Listing) -> float:
    costs = []
    for _ in range(RUNS):
        begin = time.perf_counter()
        store.search(listing)
        costs.append(time.perf_counter() - begin)
    return statistics.median(costs) * 1000


def _filled(path: Path, size: int) -> SqlStore:
    """A third is expired, the oldest; a hundredth revoked; a few are held, unfinished, of an old fleet, of a rare
    profile."""
    store = sqlite.open_store(str(path))
    chance = random.Random(size)  # not for secrets
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        if connection.execute("SELECT 1 FROM certificate").fetchone():
            return store
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        for start in range(1, size + 1, 10_000):
            records = [_record(number, size, chance) for number in range(start, min(start + 10_000, size + 1))]
            _insert(connection, "certificate", [rows.record_row(one, one.id) for one in records])
            _insert(connection, "certificate_name", [row for one in records for row in rows.name_rows(one, one.id)])
            _insert(connection, "certificate_word", [row for one in records for row in word_rows(one, one.id)])
            finished = [one.id for one in records if one.id % 10_007]
            _insert(
                connection, "issued", [(one, _BODY, chance.randbytes(32), chance.randbytes(20)) for one in finished]
            )
            _insert(connection, "unfinished", [(one.id,) for one in records if one.id % 10_007 == 0])
            _insert(connection, "revocation", [_revocation(one) for one in records if one.id % 100 == 50])
        connection.execute("UPDATE counter SET value = ?", [size])
        connection.execute("COMMIT")
    return store


def _insert(connection: sqlite3.Connection, table: str, values: Sequence[Sequence[object]]) -> None:
    assert table in tables(connection)
    if values:
        connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(values[0]))})", values)  # our own


def _record(number: int, size: int, chance: random.Random) -> CertificateRecord:
    """Issued one after the other over a year and a half."""
    begin = NOW - 1.5 * _LIFETIME * ((size - number) / size) - timedelta(minutes=5)
    label = f"old-fleet-{number}" if number <= size // 20 else f"device-{number}"
    return CertificateRecord(
        id=number,
        serial=chance.getrandbits(158),
        issuer="issuing",
        profile="rare" if number % 20_011 == 500 else "device",
        profile_digest="d" * 64,
        subject=f"CN={label},O=Example",
        label=label,
        names=parse_names([f"{label}.example.org"]),
        not_before=begin,
        not_after=begin + _LIFETIME,
        key_id=chance.randbytes(20),
        requester="operator",
        created_at=begin,
    )


def _revocation(record: CertificateRecord) -> tuple[object, ...]:
    reason = Reason.CERTIFICATE_HOLD if record.id % 5000 == 50 else Reason.KEY_COMPROMISE
    end = rows.seconds(record.not_after)
    return (record.id, rows.serial_bytes(record.serial), record.issuer, 0, reason.value, end - 999, end, "operator")
