"""Node.js on loopback, with a server that greets."""

from handfast.prove.application import serve
from handfast.prove.program import Program, Running, Stage
from handfast.targets.node import START


def run(stage: Stage) -> Running:
    """Start it in the foreground and wait until it answers."""
    return serve(stage, ["node", stage.setting.file(START)], on_hup=("read again", "files not read"))


program = Program("node", ("node",), "nodejs", run)
