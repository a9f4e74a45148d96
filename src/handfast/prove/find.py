"""Which programs can be proven here, and with which target each goes."""

import re
from pathlib import Path

from handfast import registry
from handfast.errors import Unavailable
from handfast.prove.process import run
from handfast.prove.program import Program, find_program
from handfast.targets.contract import Target


def program_of(name: str) -> tuple[Target, Program]:
    """A program and its target, by name. Raises ConfigError with the nearest, or Unavailable with the package."""
    module = registry.load("prove.programs", name)
    program: Program = module.program
    # handfast's own server has no target of its own among those that one configures.
    target: Target = module.target if hasattr(module, "target") else registry.load("targets", program.target).target
    missing = program.missing()
    if missing:
        hint = f"install it: apt-get install {program.package}" if program.package else "install it"
        raise Unavailable(f"{', '.join(missing)} is not on this machine", hint=hint)
    return target, program


def installed() -> tuple[str, ...]:
    """The names of the programs that can be proven here."""
    found = []
    for name in registry.names("prove.programs"):
        program: Program = registry.load("prove.programs", name).program
        if not program.missing():
            found.append(name)
    return tuple(found)


_ROOT = Path("/")
_ASKED = {"nginx": "-v", "apache2": "-v", "haproxy": "-v", "caddy": "version"}


def version_of(target: Target) -> tuple[int, ...] | None:
    """The version of the target's program on this machine, or None when it is not here or does not say."""
    if target.executable not in _ASKED or find_program(target.executable) is None:
        return None
    said = run((target.executable, _ASKED[target.executable]), directory=_ROOT).stdout
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", said)
    return tuple(int(part) for part in found.groups()) if found else None
