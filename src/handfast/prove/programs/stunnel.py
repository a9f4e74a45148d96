"""stunnel on loopback, before the application that greets."""

import signal
from dataclasses import replace
from pathlib import Path

from handfast.prove.log import LogReader
from handfast.prove.process import Process, start, tail, wait_listening, wait_until
from handfast.prove.program import Observation, Outcome, Program, Running, Stage, Visit
from handfast.prove.visit import Door, http
from handfast.targets.stunnel import CONFIG


def run(stage: Stage) -> Running:
    """Start it in the foreground and wait until it answers."""
    log = stage.directory / "output.log"
    process = start(["stunnel", stage.setting.file(CONFIG)], output=log, directory=stage.directory)
    try:
        wait_listening(process, stage.address)
    except BaseException:
        process.stop()
        raise
    door = Door(stage.address, stage.pki.server_name, stage.pki.root, http(stage.pki.server_name))
    return Running(
        visit=lambda visit: _visit(door, log, visit),
        reload=lambda: _reload(process, log),
        stop=process.stop,
        alive=process.alive,
        log=log,
    )


def _visit(door: Door, log: Path, visit: Visit) -> Observation:
    """The application is told nothing: who came is in the log only."""
    reader = LogReader.at_end(log)
    seen = door.visit(visit)
    if seen.outcome is not Outcome.ADMITTED:
        return seen
    accepted = "Certificate accepted at depth=0: "
    return replace(seen, identity=reader.line_with(accepted).partition(accepted)[2])


def _reload(process: Process, log: Path) -> None:
    """SIGHUP: in force, or refused, when the log says so."""
    size = log.stat().st_size
    process.signal(signal.SIGHUP)

    def settled() -> bool:
        with log.open("rb") as file:
            file.seek(size)
            said = file.read()
        return b"Configuration successful" in said or b"Failed to reload the configuration" in said

    wait_until(settled, f"stunnel has read its files again ({tail(log)})")


program = Program("stunnel", ("stunnel",), "stunnel4", run)
