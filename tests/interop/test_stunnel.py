"""stunnel, run for real: the whole matrix, and broken CRLs."""

from pathlib import Path

from tests.proving import prove, require_all_as_expected

NAME = "stunnel"


def test_everybody_is_let_in_or_refused_as_expected(short_path: Path) -> None:
    require_all_as_expected(NAME, prove(NAME, short_path / "server"))
