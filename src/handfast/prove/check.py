"""Runs a program's own test on what was rendered, in a scratch directory (Target.check)."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from handfast.prove.process import run
from handfast.prove.program import find_program
from handfast.targets.contract import Setting, Target

# What a test says when only the rights are missing: that is no fault of the configuration.
_RIGHTS = ("permission denied", "operation not permitted")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the program said. lacks_rights: it could not look, since a file or port is another user's."""

    command: str
    passed: bool
    words: str
    lacks_rights: bool = False


def own_test(target: Target, setting: Setting) -> Verdict | None:
    """The verdict of the program's own test; None when it has none, or is not on this machine."""
    if target.check is None:
        return None
    check = target.check(setting)
    if find_program(check.command[0]) is None:
        return None
    with tempfile.TemporaryDirectory(prefix="hf-") as scratch:
        for file in check.files:
            path = Path(file.path.replace("{scratch}", scratch))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(file.content.replace("{scratch}", scratch), encoding="utf-8")
        command = [word.replace("{scratch}", scratch) for word in check.command]
        done = run(command, directory=Path(scratch))
    words = done.stdout.strip().replace(scratch, "SCRATCH")
    lacks = done.returncode != 0 and any(right in words.lower() for right in _RIGHTS)
    return Verdict(" ".join(check.command[:2]), done.returncode == 0, words, lacks)
