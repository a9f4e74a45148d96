"""A CRL of a million entries: made whole, and made again when little changed.

Beside `openssl ca -gencrl` over an index.txt of as many revoked certificates. handfast also writes the PEM, and PEM of
all CRLs together. The bar: whole in 3 s of CPU and 500 MB, and in 1 s when little changed."""

import os
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from benchmarks._measure import Cost, cost_of, handfast
from benchmarks._report import Table
from benchmarks.bulk import OPENSSL_CONFIGURATION

_REASONS = ("keyCompromise", "superseded", "unspecified", "cessationOfOperation")
_YEAR = 365 * 86_400


def measure(folder: Path, *, quick: bool) -> list[Table]:
    """CPU, wall-clock and memory of whole commands."""
    count = 10_000 if quick else 1_000_000
    few = 100
    table = Table(f"A CRL of {count:,} entries", ("who", "CPU s", "wall s", "peak MiB"))
    ca = folder / "ca"
    cost_of(handfast("init", str(ca), "--no-passphrase", "--name", "Benchmark"))
    command = handfast("crl", "issuing", "--ca", str(ca))
    revoke(ca / "ca.sqlite", 0, count)
    add(table, "handfast crl, whole", cost_of(command))
    revoke(ca / "ca.sqlite", count, few)
    add(table, f"handfast crl, {few} more", cost_of(command))
    add(table, "handfast crl, nothing new", cost_of(command))
    add(table, "openssl ca -gencrl", by_openssl(folder / "openssl", count))
    return [table]


def add(table: Table, who: str, cost: Cost) -> None:
    """One row."""
    table.add(who, f"{cost.cpu:.2f}", f"{cost.wall:.2f}", f"{cost.peak:.0f}")


def serials(start: int, count: int) -> Iterator[bytes]:
    """Serials of 20 octets, rising, so that the indexes are filled from left to right."""
    return (b"\x01" + number.to_bytes(4, "big") + os.urandom(15) for number in range(start, start + count))


def revoke(database: Path, start: int, count: int) -> None:
    """As many rows as `handfast revoke` would have written, over the last year."""
    now = int(time.time())
    rows = (
        (
            start + place + 1,
            serial,
            "issuing",
            0,
            _REASONS[place % 4],
            now - place * 31 % _YEAR,
            now + _YEAR,
            "operator",
        )
        for place, serial in enumerate(serials(start, count))
    )
    connection = sqlite3.connect(database)
    connection.executemany("INSERT INTO revocation VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    connection.execute("UPDATE counter SET value = ? WHERE name = 'revocation'", (start + count,))
    connection.commit()
    connection.close()


def by_openssl(folder: Path, count: int) -> Cost:
    """The same list from OpenSSL's text file."""
    folder.mkdir()
    (folder / "new").mkdir()
    (folder / "ca.cnf").write_text(OPENSSL_CONFIGURATION)
    key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    cost_of(["sh", "-c", f"openssl req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=ca"], directory=folder)
    now = int(time.time())
    end = f"{datetime.fromtimestamp(now + _YEAR, UTC):%y%m%d%H%M%SZ}"
    with (folder / "index.txt").open("w", encoding="ascii") as index:
        for place, serial in enumerate(serials(0, count)):
            at = f"{datetime.fromtimestamp(now - place * 31 % _YEAR, UTC):%y%m%d%H%M%SZ}"
            index.write(f"R\t{end}\t{at},{_REASONS[place % 4]}\t{serial.hex().upper()}\tunknown\t/CN={place}\n")
    return cost_of(
        ["openssl", "ca", "-gencrl", "-config", "ca.cnf", "-crldays", "7", "-out", "crl.pem"], directory=folder
    )
