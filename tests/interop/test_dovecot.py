"""Dovecot, run for real: the whole matrix, and broken CRLs."""

from pathlib import Path

import pytest

from handfast.targets.contract import Level
from tests.proving import own_verdict, prove, require_all_as_expected

NAME = "dovecot"


def test_everybody_is_let_in_or_refused_as_expected(short_path: Path) -> None:
    require_all_as_expected(NAME, prove(NAME, short_path / "server"))


@pytest.mark.parametrize("level", Level)
def test_the_program_itself_finds_nothing_wrong(short_path: Path, level: Level) -> None:
    said = own_verdict(NAME, short_path / "out", level=level)

    assert said.passed, said.words
