"""handfast's own server: the whole matrix, and a rotation under it."""

from pathlib import Path

from tests.proving import prove, rehearse, require_all_as_expected


def test_everybody_is_let_in_or_refused_as_expected_by_our_own_server(tmp_path: Path) -> None:
    require_all_as_expected("handfast", prove("handfast", tmp_path / "server"))


def test_a_broken_crl_never_reaches_our_own_server(tmp_path: Path) -> None:
    rows = [row for row in rehearse("handfast", tmp_path) if row.title.endswith("writer")]

    assert len(rows) == 5
    assert all(row.as_expected for row in rows), rows
