"""The real programs that tests run handfast against: a missing one is named, and in CI it is a failure."""

import os

import pytest

from handfast.prove.program import find_program


def required_program(name: str) -> str:
    """The path of a program; skips the test when there is none, and fails it in CI."""
    path = find_program(name)
    if path is None:
        message = f"{name} is not installed: run scripts/install-programs"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return path
