"""handfast's own server: the whole matrix, and a rotation under it."""

from pathlib import Path

from tests.proving import prove, require_all_as_expected


def test_everybody_is_let_in_or_refused_as_expected_by_our_own_server(tmp_path: Path) -> None:
    require_all_as_expected("handfast", prove("handfast", tmp_path / "server"))
