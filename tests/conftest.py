"""Fixtures for the whole tree."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A temporary directory whose path leaves room for Unix sockets, which end at 107 characters."""
    with tempfile.TemporaryDirectory(prefix="hf-", ignore_cleanup_errors=True) as directory:
        yield Path(directory)
