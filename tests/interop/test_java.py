"""Java, run for real: the whole matrix."""

from pathlib import Path

from tests.proving import prove, require_all_as_expected

NAME = "java"


def test_everybody_is_let_in_or_refused_as_expected_by_java(tmp_path: Path) -> None:
    require_all_as_expected(NAME, prove(NAME, tmp_path / "server"))
