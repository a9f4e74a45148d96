"""What it costs to start the command: `handfast --help` beside bare Python.

The bar: within 100 ms of bare Python."""

import sys
from pathlib import Path

from benchmarks._measure import handfast, median_cost
from benchmarks._report import Table


def measure(folder: Path, *, quick: bool) -> list[Table]:
    """CPU time of whole processes; the median of several runs."""
    runs = 3 if quick else 21
    bare = median_cost([sys.executable, "-c", "pass"], runs=runs, directory=folder)
    table = Table("Start-up", ("command", "CPU ms", "above bare Python", "MiB"))
    for words, command in (
        ("python -c pass", [sys.executable, "-c", "pass"]),
        ("handfast", handfast()),
        ("handfast --help", handfast("--help")),
        ("handfast issue --help", handfast("issue", "--help")),
    ):
        cost = median_cost(command, runs=runs, directory=folder)
        table.add(words, f"{cost.cpu * 1000:.0f}", f"{(cost.cpu - bare.cpu) * 1000:+.0f}", f"{cost.peak:.0f}")
    return [table]
