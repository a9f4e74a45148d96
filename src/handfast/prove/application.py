"""What the proofs of application servers have in common: they read their files at the next connection."""

import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path

from handfast.prove.process import start, wait_listening
from handfast.prove.program import Running, Stage
from handfast.prove.visit import Door, http

TLS13 = (ssl.TLSVersion.TLSv1_3,)
BOTH = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


def serve(
    stage: Stage,
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    versions: tuple[ssl.TLSVersion, ...] = BOTH,
) -> Running:
    """Start the server in the foreground, wait until it answers, and speak HTTP with it."""
    at = stage.directory
    log = at / "output.log"
    process = start(command, output=log, directory=Path(stage.setting.directory), environment=environment)
    try:
        wait_listening(process, stage.address)
    except BaseException:
        process.stop()
        raise
    door = Door(stage.address, stage.pki.server_name, stage.pki.root, http(stage.pki.server_name))
    return Running(
        visit=door.visit, reload=_at_once, stop=process.stop, alive=process.alive, log=log, versions=versions
    )


def _at_once() -> None:
    """Every new connection looks whether the files have changed."""
