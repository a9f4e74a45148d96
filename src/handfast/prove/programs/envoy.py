"""Envoy on loopback, without an admin interface, before the application that greets."""

from handfast.prove.application import serve
from handfast.prove.program import Program, Running, Stage
from handfast.targets.envoy import CONFIG

# No hot restart, which would share memory with other Envoys; its log without the delay of ten seconds.
_QUIET = ("--disable-hot-restart", "--concurrency", "1", "--log-level", "warn", "--file-flush-interval-msec", "50")


def run(stage: Stage) -> Running:
    """Start it in the foreground and wait until it answers."""
    return serve(stage, ["envoy", "-c", stage.setting.file(CONFIG), *_QUIET])


program = Program("envoy", ("envoy",), "", run)
