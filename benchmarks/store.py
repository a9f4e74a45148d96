"""One issue, with little and with much in the store: the whole command, beside `openssl ca` with as much in its index.

The bar: with a million certificates on record it costs what it costs with a thousand."""

import os
import shutil
import sqlite3
from pathlib import Path

from benchmarks._measure import cost_of, handfast
from benchmarks._report import Table
from benchmarks.bulk import OPENSSL_CONFIGURATION

RUNS = 9
_YEAR = 365 * 86400


def measure(folder: Path, *, quick: bool) -> list[Table]:
    """CPU time of one whole command; the median of several."""
    table = Table("One certificate more", ("who", "on record", "CPU ms", "MiB"))
    for count in (1_000, 10_000) if quick else (1_000, 1_000_000):
        for who, prepare in (("handfast issue", ours), ("openssl ca", by_openssl)):
            if who == "openssl ca" and shutil.which("openssl") is None:
                table.notes.append("openssl is not on PATH: not measured.")
                continue
            place = folder / f"{who.replace(' ', '-')}-{count}"
            place.mkdir()
            costs = sorted(prepare(place, count), key=lambda cost: cost[0])
            cpu, peak = costs[len(costs) // 2]
            table.add(who, f"{count:,}", f"{cpu * 1000:,.0f}", f"{peak:.0f}")
    return [table]


def ours(place: Path, count: int) -> list[tuple[float, float]]:
    """`handfast issue` with a new key, into a store with so many certificates."""
    ca = place / "ca"
    cost_of(handfast("init", str(ca), "--no-passphrase", "--name", "Benchmark CA"))
    fill(ca / "ca.sqlite", count)
    costs = []
    for number in range(RUNS):
        command = handfast(
            "--ca", str(ca), "issue", "--profile", "device", f"one-{number}", "--out", str(place / str(number))
        )
        cost = cost_of(command)
        costs.append((cost.cpu, cost.peak))
    return costs


def fill(database: Path, count: int) -> None:
    """Certificates on record as the store keeps them, names, fingerprints and bodies of the usual size included."""
    connection = sqlite3.connect(database)
    first = connection.execute("SELECT value FROM counter WHERE name = 'certificate'").fetchone()[0] + 1
    digest, now = connection.execute("SELECT profile_digest, created_at FROM certificate ORDER BY id DESC").fetchone()
    body = os.urandom(620)
    with connection:
        for start in range(first, first + count, 50_000):
            identifiers = range(start, min(start + 50_000, first + count))
            connection.executemany(
                "INSERT INTO certificate VALUES (?, ?, 'issuing', 'device', ?, ?, ?, '', ?, ?, ?, 'operator', ?, "
                "NULL, NULL, NULL)",
                [
                    (
                        one,
                        os.urandom(20),
                        digest,
                        f"CN=device-{one}",
                        f"device-{one}",
                        now,
                        now + _YEAR + one % 1000,
                        os.urandom(20),
                        now,
                    )
                    for one in identifiers
                ],
            )
            connection.executemany(
                "INSERT INTO certificate_name VALUES (?, ?)", [(f"device-{one}", one) for one in identifiers]
            )
            words = [(word, one) for one in identifiers for word in (f"device-{one}", str(one))]
            connection.executemany("INSERT INTO certificate_word VALUES (?, ?)", words)
            connection.executemany(
                "INSERT INTO issued VALUES (?, ?, ?, ?)",
                [(one, body, os.urandom(32), os.urandom(20)) for one in identifiers],
            )
        connection.execute("UPDATE counter SET value = ? WHERE name = 'certificate'", [first + count - 1])
    connection.close()


def by_openssl(place: Path, count: int) -> list[tuple[float, float]]:
    """`openssl ca` from a request that is there, with so many lines in index.txt."""
    (place / "new").mkdir()
    with (place / "index.txt").open("w") as index:
        index.writelines(
            f"V\t331231235959Z\t\t{number + 2**150:040X}\tunknown\t/CN=device-{number}\n" for number in range(count)
        )
    (place / "ca.cnf").write_text(OPENSSL_CONFIGURATION)
    key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    cost_of(["sh", "-c", f"openssl req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=ca"], directory=place)
    costs = []
    for number in range(RUNS):
        cost_of(
            ["sh", "-c", f"openssl req -new {key} -keyout one.key -out one.csr -subj /CN=one-{number}"], directory=place
        )
        command = ["openssl", "ca", "-batch", "-notext", "-config", "ca.cnf", "-in", "one.csr", "-out", "one.pem"]
        cost = cost_of(command, directory=place)
        costs.append((cost.cpu, cost.peak))
    return costs
