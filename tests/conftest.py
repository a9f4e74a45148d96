"""Fixtures for the whole tree."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import Server, postgresql


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    """One for each test process."""
    with postgresql() as server:
        yield server


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A temporary directory whose path leaves room for Unix sockets, which end at 107 characters."""
    with tempfile.TemporaryDirectory(prefix="hf-", ignore_cleanup_errors=True) as directory:
        path = Path(directory)
        # Programs that give up root must be able to pass through.
        path.chmod(0o755)
        yield path
