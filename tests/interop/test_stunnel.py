"""stunnel, run for real: the whole matrix, and broken CRLs."""

from pathlib import Path

from tests.proving import prove, rehearse, require_all_as_expected

NAME = "stunnel"


def test_everybody_is_let_in_or_refused_as_expected(short_path: Path) -> None:
    require_all_as_expected(NAME, prove(NAME, short_path / "server"))


def test_a_broken_crl_is_never_written(short_path: Path) -> None:
    rows = [row for row in rehearse(NAME, short_path) if row.title.endswith("writer")]

    assert len(rows) == 5
    assert all(row.as_expected for row in rows), rows
