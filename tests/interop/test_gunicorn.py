"""gunicorn, run for real: the whole matrix, and broken CRLs."""

from pathlib import Path

from tests.proving import prove, rehearse, require_all_as_expected

NAME = "gunicorn"


def test_everybody_is_let_in_or_refused_as_expected_by_gunicorn(tmp_path: Path) -> None:
    require_all_as_expected(NAME, prove(NAME, tmp_path / "server"))


def test_no_broken_crl_takes_gunicorn_down_or_lets_the_revoked_in(tmp_path: Path) -> None:
    rows = rehearse(NAME, tmp_path)

    assert len(rows) == 10
    assert all(row.as_expected for row in rows), rows
    assert not [row for row in rows if "revoked client got in" in row.observed and "older" not in row.title]
