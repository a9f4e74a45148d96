"""hypercorn on loopback, in the Python that runs this, with an application that greets."""

import sys
from importlib.util import find_spec

from handfast.errors import Unavailable
from handfast.prove.application import TLS13, serve
from handfast.prove.program import Program, Running, Stage
from handfast.targets.hypercorn import START


def run(stage: Stage) -> Running:
    """Start it in the foreground and wait until it answers. Raises Unavailable when it is not installed."""
    if find_spec("hypercorn") is None:
        raise Unavailable("hypercorn is not installed", hint="install it beside handfast: pip install hypercorn")
    return serve(stage, [sys.executable, stage.setting.file(START)], versions=TLS13)


program = Program("hypercorn", (), "", run)
