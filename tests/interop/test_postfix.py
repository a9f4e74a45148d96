"""Postfix, run for real: the whole matrix, with a list of fingerprints in place of CRLs."""

import os
from pathlib import Path

import pytest

from tests.proving import prove, require_all_as_expected

NAME = "postfix"


@pytest.mark.skipif(os.geteuid() != 0, reason="postfix runs as root only")
def test_everybody_is_let_in_or_refused_as_expected(short_path: Path) -> None:
    require_all_as_expected(NAME, prove(NAME, short_path / "server"))
