"""A server in Go on loopback: built from what was rendered, then run."""

from pathlib import Path

from handfast.errors import Unavailable
from handfast.prove.application import serve
from handfast.prove.process import run as run_command
from handfast.prove.program import Program, Running, Stage
from handfast.targets.go import MAIN, TLS

_BUILD = 120.0


def run(stage: Stage) -> Running:
    """Build it, start it in the foreground and wait until it answers. Raises Unavailable when it does not build."""
    binary = stage.setting.file("server")
    built = run_command(
        ["go", "build", "-o", binary, TLS, MAIN], directory=Path(stage.setting.directory), patience=_BUILD
    )
    if built.returncode:
        raise Unavailable(f"go build: {built.stdout.strip()[-500:]}", hint="Go 1.21 or newer is needed")
    return serve(stage, [binary])


program = Program("go", ("go",), "golang-go", run)
