"""HAProxy on loopback: master and worker, with a global section of its own before the rendered file."""

import signal
import socket
from pathlib import Path

from handfast.prove.process import Process, children, start, tail, wait_listening, wait_until
from handfast.prove.program import Program, Running, Stage
from handfast.prove.visit import Door, http
from handfast.targets.contract import spell_serial
from handfast.targets.haproxy import CONFIG, DENYLIST

_GLOBAL = """global
    log stdout format raw local0
    stats socket {at}/admin.sock mode 600 level admin
"""


def run(stage: Stage) -> Running:
    """Start it in the foreground and wait until it answers."""
    at = stage.directory
    main, log = at / "haproxy.cfg", at / "output.log"
    main.write_text(_GLOBAL.format(at=at), encoding="utf-8")
    process = start(["haproxy", "-W", "-f", str(main), "-f", stage.setting.file(CONFIG)], output=log, directory=at)
    try:
        wait_listening(process, stage.address)
    except BaseException:
        process.stop()
        raise
    door = Door(stage.address, stage.pki.server_name, stage.pki.root, http(stage.pki.server_name))
    return Running(
        visit=door.visit,
        reload=lambda: _reload(process, log),
        stop=process.stop,
        alive=process.alive,
        log=log,
        deny=lambda serials: _deny(at / "admin.sock", stage.setting.denylist, serials),
    )


def _reload(process: Process, log: Path) -> None:
    """SIGUSR2: in force once only a new worker is there, or, when the files are bad, once the log says so."""
    before = children(process.popen.pid)
    size = log.stat().st_size
    process.signal(signal.SIGUSR2)

    def settled() -> bool:
        with log.open("rb") as file:
            file.seek(size)
            said = file.read()
        if b"Reexecuting Master process in waitpid mode" in said or b"Fatal errors found" in said:
            return True
        now = children(process.popen.pid)
        return b"Loading success" in said and bool(now) and not now & before

    wait_until(settled, f"haproxy has a new worker ({tail(log)})")


def _deny(admin: Path, path: str, serials: tuple[int, ...]) -> None:
    """What the operator does on the admin socket: in force with the answer."""
    for serial in serials:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(20)
            connection.connect(str(admin))
            connection.sendall(f"add acl {path} {spell_serial(serial, DENYLIST.form)}\n".encode())
            while connection.recv(4096):
                pass


program = Program("haproxy", ("haproxy",), "haproxy", run)
