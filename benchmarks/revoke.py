"""One revocation, with little and with much revoked already: from the call until it is on the disk.

The bar: under 10 ms with a million on record, and what it costs with a thousand. Publishing is not in it."""

import time
from pathlib import Path

from benchmarks._measure import cost_of, handfast
from benchmarks._report import Table
from benchmarks.crl import revoke as revoke_many
from handfast.ca.order import Order
from handfast.ca.records import Reason
from handfast.keys.generate import generate_key
from handfast.keys.passphrase import no_passphrase
from handfast.pki.keys import KeyKind
from handfast.pki.subject import parse_subject
from handfast.server.assembly import open_authority

RUNS = 200


def measure(folder: Path, *, quick: bool) -> list[Table]:
    """Wall-clock time of Authority.revoke(), as the service and the command call it."""
    table = Table("One revocation more", ("revoked already", "CPU ms", "median ms", "99% ms"))
    for count in (1_000, 10_000) if quick else (1_000, 100_000, 1_000_000):
        times, cpu = _times(folder / f"revoked-{count}", count)
        figures = (cpu / RUNS, times[RUNS // 2], times[RUNS * 99 // 100])
        table.add(f"{count:,}", *(f"{figure * 1000:.2f}" for figure in figures))
    return [table]


def _times(place: Path, count: int) -> tuple[list[float], float]:
    place.mkdir()
    cost_of(handfast("init", str(place / "ca"), "--no-passphrase", "--name", "Benchmark"))
    revoke_many(place / "ca" / "ca.sqlite", 0, count)
    authority = open_authority(place / "ca", passphrase=no_passphrase)
    key = generate_key(KeyKind.P256).public_key()
    orders = [Order(profile="device", public_key=key, subject=parse_subject(f"CN=cam-{one}")) for one in range(RUNS)]
    records = [authority.issue(order).record for order in orders]
    times, before = [], time.process_time()
    for record in records:
        begun = time.perf_counter()
        authority.revoke(record, Reason.KEY_COMPROMISE)
        times.append(time.perf_counter() - begun)
    cpu = time.process_time() - before
    authority.store.close()
    return sorted(times), cpu
