"""hypercorn on loopback, in the Python that runs this, with an application that greets."""

import sys

from handfast.prove.application import TLS13, serve
from handfast.prove.program import Program, Running, Stage
from handfast.targets.hypercorn import START


def run(stage: Stage) -> Running:
    """Start it in the foreground and wait until it answers."""
    return serve(stage, [sys.executable, stage.setting.file(START)], versions=TLS13)


program = Program("hypercorn", ("hypercorn",), "", run)
