"""nginx on loopback, with a main configuration of its own around the rendered virtual host."""

import signal
from pathlib import Path

from handfast.prove.process import Process, children, start, tail, wait_listening, wait_until
from handfast.prove.program import Program, Running, Stage
from handfast.prove.visit import Door, http
from handfast.targets.nginx import CONFIG

_MAIN = """daemon off;
worker_processes 2;
pid {at}/nginx.pid;
error_log {at}/error.log info;
events {{}}
http {{
    access_log off;
    client_body_temp_path {at}/body;
    proxy_temp_path {at}/proxy;
    fastcgi_temp_path {at}/fastcgi;
    uwsgi_temp_path {at}/uwsgi;
    scgi_temp_path {at}/scgi;
    include {config};
}}
"""


def run(stage: Stage) -> Running:
    """Start it in the foreground and wait until it answers."""
    at = stage.directory
    main = at / "nginx.conf"
    main.write_text(_MAIN.format(at=at, config=stage.setting.file(CONFIG)), encoding="utf-8")
    process = start(
        ["nginx", "-p", str(at), "-c", str(main), "-e", str(at / "error.log")], output=at / "output.log", directory=at
    )
    try:
        wait_listening(process, stage.address)
        wait_until(lambda: len(children(process.popen.pid)) >= 2, "nginx has its workers")
    except BaseException:
        process.stop()
        raise
    door = Door(stage.address, stage.pki.server_name, stage.pki.root, http(stage.pki.server_name))
    return Running(
        visit=door.visit,
        reload=lambda: _reload(process, at / "error.log"),
        stop=process.stop,
        alive=process.alive,
        log=at / "error.log",
    )


def _reload(process: Process, log: Path) -> None:
    """SIGHUP: in force once every worker of before is gone, or, when the files are bad, once the log says so."""
    before = children(process.popen.pid)
    size = log.stat().st_size
    process.signal(signal.SIGHUP)

    def settled() -> bool:
        with log.open("rb") as file:
            file.seek(size)
            if b"[emerg]" in file.read():
                return True
        now = children(process.popen.pid)
        return len(now) >= 2 and not now & before

    wait_until(settled, f"nginx has new workers ({tail(log)})")


program = Program("nginx", ("nginx",), "nginx-light", run)
