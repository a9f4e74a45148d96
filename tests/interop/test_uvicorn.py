"""uvicorn, run for real: the whole matrix, and the code that reads CRLs."""

from pathlib import Path

from tests.proving import prove, require_all_as_expected

NAME = "uvicorn"


def test_everybody_is_let_in_or_refused_as_expected_by_uvicorn(tmp_path: Path) -> None:
    require_all_as_expected(NAME, prove(NAME, tmp_path / "server"))
