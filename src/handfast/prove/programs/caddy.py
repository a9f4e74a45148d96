"""Caddy on loopback, with an admin socket of its own and no certificates from anywhere."""

from pathlib import Path

from handfast.errors import Unavailable
from handfast.prove.process import run as run_command
from handfast.prove.process import start, wait_listening
from handfast.prove.program import Program, Running, Stage
from handfast.prove.visit import Door, http
from handfast.targets.caddy import CONFIG

_MAIN = """{{
    admin unix/{at}/admin.sock
    auto_https disable_redirects
    skip_install_trust
    storage file_system {at}/storage
}}
import {config}
"""


def run(stage: Stage) -> Running:
    """Start it in the foreground and wait until it answers."""
    at = stage.directory
    main, log = at / "Caddyfile", at / "output.log"
    main.write_text(_MAIN.format(at=at, config=stage.setting.file(CONFIG)), encoding="utf-8")
    process = start(
        ["caddy", "run", "--adapter", "caddyfile", "--config", str(main)],
        output=log,
        directory=at,
        environment=_home(at),
    )
    try:
        wait_listening(process, stage.address)
    except BaseException:
        process.stop()
        raise
    door = Door(stage.address, stage.pki.server_name, stage.pki.root, http(stage.pki.server_name))
    return Running(visit=door.visit, reload=lambda: _reload(at, main), stop=process.stop, alive=process.alive, log=log)


def _home(at: Path) -> dict[str, str]:
    """It keeps nothing outside of the directory."""
    return {"HOME": str(at), "XDG_DATA_HOME": str(at), "XDG_CONFIG_HOME": str(at)}


def _reload(at: Path, main: Path) -> None:
    """`caddy reload` answers when the new configuration is in force, or fails and changes nothing."""
    told = run_command(
        ["caddy", "reload", "--force", "--adapter", "caddyfile", "--config", str(main),
         "--address", f"unix/{at}/admin.sock"],
        directory=at,
        environment=_home(at),
    )  # fmt: skip
    if told.returncode != 0:
        raise Unavailable(f"caddy reload: {told.stdout.strip()}", hint="the last line says why")


program = Program("caddy", ("caddy",), "caddy", run)
