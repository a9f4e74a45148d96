"""What the proofs of application servers have in common: they read their files at the next connection."""

import signal
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path

from handfast.prove.log import LogReader
from handfast.prove.process import Process, start, wait_listening, wait_until
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
    on_hup: tuple[str, ...] = (),
) -> Running:
    """Start the server in the foreground, wait until it answers, and speak HTTP with it.

    on_hup: the words in its log of which one follows a SIGHUP; empty when it looks at its files by itself.
    """
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
        visit=door.visit,
        reload=lambda: _reload(process, on_hup),
        stop=process.stop,
        alive=process.alive,
        log=log,
        versions=versions,
    )


def _reload(process: Process, words: tuple[str, ...]) -> None:
    """In force when the log says so; at once where every new connection looks whether the files have changed."""
    if not words:
        return
    reader = LogReader.at_end(process.output)
    process.signal(signal.SIGHUP)
    wait_until(lambda: any(word in reader.text() for word in words), f"{process.name} has read its files again")
