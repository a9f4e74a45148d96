"""What a command costs as a whole process: wall-clock, CPU and peak memory, of itself and of its children."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of wall-clock, seconds of CPU (user and system) and peak resident memory in MiB."""

    wall: float
    cpu: float
    peak: float


def cost_of(
    arguments: list[str], *, directory: Path | None = None, one_core: bool = False, text: bytes = b"", ok: bool = True
) -> Cost:
    """Run it to its end and say what it cost. A status other than 0 ends the benchmark, unless `ok` is false."""
    if one_core:
        arguments = ["taskset", "--cpu-list", "0", *arguments]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    with subprocess.Popen(
        arguments,
        cwd=directory,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as child:
        started = time.perf_counter()
        assert child.stdin is not None
        assert child.stderr is not None
        child.stdin.write(text)
        child.stdin.close()
        said = child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
    if ok and child.returncode != 0:
        sys.exit(
            f"{' '.join(arguments)} ended with status {child.returncode}:\n{said.decode(errors='replace')[-2000:]}"
        )
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def median_cost(arguments: list[str], *, runs: int, directory: Path | None = None) -> Cost:
    """The run with the median CPU time, of several; the first of all is not counted."""
    cost_of(arguments, directory=directory)
    costs = sorted((cost_of(arguments, directory=directory) for _ in range(runs)), key=lambda cost: cost.cpu)
    return costs[len(costs) // 2]


def handfast(*arguments: str) -> list[str]:
    """The handfast command of this very environment."""
    return [str(Path(sys.executable).parent / "handfast"), *arguments]
