"""A server in Java on loopback, from its source file."""

from handfast.prove.application import serve
from handfast.prove.program import Program, Running, Stage
from handfast.targets.java import SOURCE


def run(stage: Stage) -> Running:
    """Start it in the foreground and wait until it answers."""
    return serve(stage, ["java", "-XX:TieredStopAtLevel=1", stage.setting.file(SOURCE)])


program = Program("java", ("java", "javac"), "default-jdk-headless", run)
