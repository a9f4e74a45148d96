"""Dovecot, run for real: the whole matrix, and broken CRLs."""

from pathlib import Path

import pytest

from handfast.targets.contract import Level
from tests.proving import own_verdict, prove, rehearse, require_all_as_expected

NAME = "dovecot"


def test_everybody_is_let_in_or_refused_as_expected(short_path: Path) -> None:
    require_all_as_expected(NAME, prove(NAME, short_path / "server"))


def test_a_broken_crl_is_never_written(short_path: Path) -> None:
    rows = [row for row in rehearse(NAME, short_path) if row.title.endswith("writer")]

    assert len(rows) == 5
    assert all(row.as_expected for row in rows), rows


@pytest.mark.parametrize("level", Level)
def test_the_program_itself_finds_nothing_wrong(short_path: Path, level: Level) -> None:
    said = own_verdict(NAME, short_path / "out", level=level)

    assert said.passed, said.words
