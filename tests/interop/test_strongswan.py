"""strongSwan, run for real: the whole matrix and broken CRLs."""

from pathlib import Path

from tests.proving import prove, rehearse, require_all_as_expected

NAME = "strongswan"


def test_everybody_is_let_in_or_refused_as_expected(tmp_path: Path) -> None:
    require_all_as_expected(NAME, prove(NAME, tmp_path / "server"))


def test_a_broken_crl_is_never_written(tmp_path: Path) -> None:
    rows = [row for row in rehearse(NAME, tmp_path) if row.title.endswith("writer")]

    assert len(rows) == 5
    assert all(row.as_expected for row in rows), rows
