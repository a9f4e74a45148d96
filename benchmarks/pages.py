"""Pages of certificates, by what they hold, with little and with much in the store, in SQLite and in PostgreSQL.

The bar: with a million certificates on record each page of fifty takes less than 100 ms."""

import itertools
import random
import shutil
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from benchmarks._report import Table
from handfast.ca.records import Listing, State
from handfast.stores import postgresql, rows, sqlite
from handfast.stores.sql import SqlStore
from tests.databases import Server
from tests.databases import postgresql as throw_away

RUNS = 5
_BAR = 100.0
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
_LIFETIME = timedelta(days=365)


def measure(folder: Path, *, quick: bool) -> list[Table]:
    """Elapsed milliseconds: the median of several, each by the store alone, the records made."""
    sizes = (1_000, 10_000) if quick else (1_000, 10_000, 100_000, 1_000_000)
    found = []
    with _databases() as open_in:
        for kind, make in open_in.items():
            table = Table(f"One page of 50, {kind}", ("page", *(f"{size:,} ms" for size in sizes)))
            columns = []
            for size in sizes:
                with closing(make(folder / f"{kind}-{size}.sqlite", size)) as store:
                    columns.append({name: _cost(store, listing) for name, listing in _listings(size).items()})
                    if size == sizes[-1]:
                        table.notes.append(_sweep(store, size, most=500 if quick else 5000))
            for name in columns[0]:
                table.add(name, *(f"{column[name]:.1f}" for column in columns))
            found.append(table)
        if len(open_in) == 1:
            found[-1].notes.append("PostgreSQL is not on PATH: not measured.")
    return found


@contextmanager
def _databases() -> Iterator[dict[str, Callable[[Path, int], SqlStore]]]:
    if shutil.which("psql") is None:
        yield {"SQLite": _sqlite}
        return
    with throw_away() as running:
        yield {"SQLite": _sqlite, "PostgreSQL": lambda _, size: _postgresql(running, size)}


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


def _sweep(store: SqlStore, size: int, *, most: int) -> str:
    """What pages of all kinds of filters together cost, each once; one that is slow thrice, to tell it from others'
    work on the machine."""
    every = list(_combinations(size))
    chosen = random.Random(1).sample(every, min(most, len(every)))
    costs = {listing: _cost(store, listing, runs=1) for listing in chosen}
    slow = {listing: min(cost, _cost(store, listing, runs=3)) for listing, cost in costs.items() if cost >= _BAR}
    costs |= slow
    ordered = sorted(costs.values())
    slowest = max(costs, key=lambda listing: costs[listing])
    filters = {one.name: getattr(slowest, one.name) for one in fields(slowest)}
    asked = ", ".join(f"{name} {value}" for name, value in filters.items() if value is not None)
    return (
        f"{len(chosen):,} of {len(every):,} combinations of filters with {size:,} on record: "
        f"median {ordered[len(ordered) // 2]:.1f} ms, 99 of 100 below {ordered[-1 - len(ordered) // 100]:.1f} ms, "
        f"{sum(cost >= _BAR for cost in ordered)} over {_BAR:.0f} ms, slowest {ordered[-1]:.1f} ms ({asked})."
    )


def _combinations(size: int) -> Iterator[Listing]:
    texts = (None, "example.org", f"device-{size // 2}", "old-fleet", "old", "nowhere", "d", "1", f"{size // 3}.exa")
    choices: dict[str, tuple[Any, ...]] = {
        "now": (NOW, NOW - 9 * _LIFETIME, NOW - _LIFETIME, NOW + _LIFETIME / 2, NOW + 9 * _LIFETIME),
        "state": (None, *State),
        "profile": (None, "device", "rare", "none"),
        "issuer": (None, "issuing", "none"),
        "requester": (None, "operator", "nobody"),
        "text": texts,
        "expires_before": (None, NOW + timedelta(days=30), NOW - _LIFETIME / 3),
        "before": (None, size // 2),
    }
    for values in itertools.product(*choices.values()):
        yield Listing(**dict(zip(choices, values, strict=True)))


def _cost(store: SqlStore, listing: Listing, runs: int = RUNS) -> float:
    costs = []
    for _ in range(runs):
        begin = time.perf_counter()
        store.search(listing)
        costs.append(time.perf_counter() - begin)
    return statistics.median(costs) * 1000


def _sqlite(path: Path, size: int) -> SqlStore:
    store = sqlite.open_store(str(path))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in ("PRAGMA synchronous = OFF", "PRAGMA cache_size = -400000", "PRAGMA temp_store = MEMORY"):
            connection.execute(statement)
        if not connection.execute("SELECT 1 FROM certificate LIMIT 1").fetchone():
            connection.execute("BEGIN")
            for statement in _statements(size, "randomblob({0})"):
                connection.execute(statement)
            connection.execute("COMMIT")
    return store


def _postgresql(running: Server, size: int) -> SqlStore:
    url = running.new_database()
    store = postgresql.open_store(url.partition(":")[2])
    random = "substr(sha256(random()::text::bytea), 1, {0})"
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in (*_statements(size, random), "VACUUM ANALYZE"):
            connection.execute(statement.encode())
    return store


def _statements(size: int, blob: str) -> Iterator[str]:
    """Issued one after the other over a year and a half, each for a year: so a third is expired, the oldest. One of a
    hundred is revoked; a few are held, unfinished, of an old fleet, of a rare profile."""
    now, year = rows.seconds(NOW), 365 * 86400
    series = f"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {size})"
    label = f"CASE WHEN i <= {size // 20} THEN 'old-fleet-' ELSE 'device-' END || i"
    begin = f"{now - 300} - CAST({1.5 * year} * ({size} - i) / {size} AS BIGINT)"
    profile = "CASE WHEN i % 20011 = 500 THEN 'rare' ELSE 'device' END"
    serial, key, sha256, sha1 = (blob.format(count) for count in (20, 20, 32, 20))
    yield (
        f"INSERT INTO certificate {series} SELECT i, {serial}, 'issuing', {profile}, '{'d' * 64}', "
        f"'CN=' || {label} || ',O=Example', {label}, '[\"dns:' || {label} || '.example.org\"]', {begin}, "
        f"{begin} + {year}, {key}, 'operator', {begin}, NULL, NULL, NULL FROM n"
    )
    body = " || ".join([blob.format(31)] * 20) if "sha256" in blob else blob.format(620)
    yield f"INSERT INTO issued SELECT id, {body}, {sha256}, {sha1} FROM certificate WHERE id % 10007 != 0"
    yield "INSERT INTO unfinished SELECT id FROM certificate WHERE id % 10007 = 0"
    for name in ("label", "label || '.example.org'"):
        yield f"INSERT INTO certificate_name SELECT {name}, id FROM certificate ORDER BY label"
    words = ("'example.org'", "'org'", "label || '.example.org'", "id || '.example.org'")
    for word in words:
        yield f"INSERT INTO certificate_word SELECT {word}, id FROM certificate ORDER BY 1, 2"
    yield (
        "INSERT INTO certificate_word SELECT substr(label, 5) || '.example.org', id FROM certificate "
        f"WHERE id <= {size // 20} ORDER BY 1, 2"
    )
    reason = "CASE WHEN id % 5000 = 50 THEN 'certificateHold' ELSE 'keyCompromise' END"
    yield (
        f"INSERT INTO revocation SELECT id, serial, issuer, 0, {reason}, not_after - 999, not_after, 'operator' "
        "FROM certificate WHERE id % 100 = 50"
    )
    yield f"UPDATE counter SET value = {size}"
