"""Programs as child processes: started in a group of their own, watched, waited for with patience, ended for sure."""

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from handfast.errors import Unavailable
from handfast.prove.program import find_program

# A loaded machine is slow, not broken.
PATIENCE = 30.0
_PAUSE = 0.05
# Below those that a system gives to whoever connects: one of them may be taken before the program listens at it.
_PORTS = range(20_000, 32_768)


@dataclass(frozen=True, slots=True)
class Process:
    """A running program and its output."""

    name: str
    popen: subprocess.Popen[bytes]
    output: Path

    def alive(self) -> bool:
        """Whether it still runs."""
        return self.popen.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program itself, not to its children."""
        self.popen.send_signal(number)

    def stop(self) -> None:
        """End it and everything that it started."""
        for number, patience in ((signal.SIGTERM, 5.0), (signal.SIGKILL, PATIENCE)):
            try:
                os.killpg(self.popen.pid, number)
            except ProcessLookupError:
                pass
            try:
                self.popen.wait(patience)
            except subprocess.TimeoutExpired:
                continue
            break
        try:
            os.killpg(self.popen.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def start(
    command: Sequence[str], *, output: Path, directory: Path, environment: Mapping[str, str] | None = None
) -> Process:
    """Start a program; everything it says goes to `output`. Raises Unavailable when it is not on this machine."""
    executable = find_program(command[0])
    if executable is None:
        raise Unavailable(f"{command[0]} is not on this machine", hint=f"install {command[0]} and run this again")
    with output.open("ab") as sink:
        popen = subprocess.Popen(
            [executable, *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            cwd=directory,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
    return Process(command[0], popen, output)


def run(
    command: Sequence[str], *, directory: Path, patience: float = PATIENCE, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end: status and what it said on both streams, together in stdout."""
    executable = find_program(command[0]) or command[0]
    try:
        return subprocess.run(
            [executable, *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=directory,
            text=True,
            errors="replace",
            timeout=patience,
            check=False,
            env={**os.environ, **(environment or {})},
        )
    except FileNotFoundError:
        raise Unavailable(f"{command[0]} is not on this machine", hint=f"install {command[0]} first") from None
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{command[0]} did not end in {patience:.0f} s", hint="try again; see its log") from None


def wait_until(condition: Callable[[], bool], what: str, *, patience: float = PATIENCE) -> None:
    """Wait for a condition. Raises Unavailable, naming `what`, when it does not come true."""
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            raise Unavailable(f"{what}: not so after {patience:.0f} s", hint="the program's log may say why")
        time.sleep(_PAUSE)


def wait_listening(process: Process, address: tuple[str, int]) -> None:
    """Wait until the program accepts connections. Raises Unavailable with the end of its log when it ends first."""

    def listening() -> bool:
        if not process.alive():
            raise Unavailable(
                f"{process.name} ended at once: {tail(process.output)}", hint="its configuration is wrong"
            )
        return accepts(address)

    wait_until(listening, f"{process.name} listens on {address[0]}:{address[1]}")


def accepts(address: tuple[str, int]) -> bool:
    """Whether anybody listens there."""
    try:
        socket.create_connection(address, timeout=5).close()
    except OSError:
        return False
    return True


def free_port() -> int:
    """A port on loopback that nobody uses at this moment. Raises Unavailable when there is none."""
    for port in random.sample(_PORTS, len(_PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise Unavailable("no port on loopback is free", hint="end what listens on them")


def children(pid: int) -> frozenset[int]:
    """The processes that this one started, as Linux tells; empty where /proc is not."""
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except OSError:
        return frozenset()
    return frozenset(int(child) for child in listed.split())


def tail(path: Path, lines: int = 5) -> str:
    """The last lines of a log, in one."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "it said nothing"
    return " | ".join(text.strip().splitlines()[-lines:]) or "it said nothing"
