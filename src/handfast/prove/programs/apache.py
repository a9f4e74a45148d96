"""Apache httpd on loopback, with a main configuration of its own around the rendered virtual host."""

import signal
from pathlib import Path

from handfast.prove.process import Process, start, wait_listening, wait_until
from handfast.prove.program import Program, Running, Stage
from handfast.prove.visit import Door, http
from handfast.targets.apache import CONFIG, MODULES, load_modules

_MAIN = """ServerRoot "{at}"
ServerName localhost
PidFile "{at}/apache.pid"
DefaultRuntimeDir "{at}"
Mutex file:{at}
ErrorLog "{at}/error.log"
LogLevel info
{modules}
# What Debian's mods-available/ssl.conf has: the virtual host has to end it.
SSLSessionCache "shmcb:{at}/ssl_scache(512000)"
StartServers 1
ServerLimit 2
ThreadsPerChild 16
MaxRequestWorkers 32
MinSpareThreads 4
MaxSpareThreads 32
GracefulShutdownTimeout 2
Listen {listen}
Include "{config}"
"""


def run(stage: Stage) -> Running:
    """Start it in the foreground and wait until it answers."""
    at = stage.directory
    listen = f"{stage.setting.listen}:{stage.setting.port}"
    modules = load_modules(("mpm_event", "socache_shmcb", *MODULES))
    main = at / "apache.conf"
    main.write_text(
        _MAIN.format(at=at, modules=modules, listen=listen, config=stage.setting.file(CONFIG)), encoding="utf-8"
    )
    process = start(["apache2", "-f", str(main), "-DFOREGROUND"], output=at / "output.log", directory=at)
    log = at / "error.log"
    try:
        wait_listening(process, stage.address)
        wait_until(lambda: _generations(log) >= 1, "Apache says that it is ready")
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
    )


def _generations(log: Path) -> int:
    """How often the parent has said "configured -- resuming normal operations"."""
    return log.read_bytes().count(b"AH00489") if log.exists() else 0


def _reload(process: Process, log: Path) -> None:
    """SIGUSR1 (graceful): in force once the parent has said that it goes on; a parent that ended is settled too."""
    before = _generations(log)
    process.signal(signal.SIGUSR1)
    wait_until(lambda: _generations(log) > before or not process.alive(), "Apache has restarted gracefully")


program = Program("apache", ("apache2",), "apache2", run)
