"""hypercorn, run for real: the whole matrix, and the code that reads CRLs."""

from dataclasses import replace
from pathlib import Path

from tests.contract.test_targets import setting_of, target_named
from tests.proving import prove, require_all_as_expected

NAME = "hypercorn"


def tls_of(name: str) -> str:
    target = target_named(name)
    files = {Path(file.path).name: file.content for file in target.render(replace(setting_of(target), directory="/d"))}
    return files["mtls.py"].partition("\n\ndef admit")[0].partition("\n\ndef tls_extension")[0]


def test_everybody_is_let_in_or_refused_as_expected_by_hypercorn(tmp_path: Path) -> None:
    require_all_as_expected(NAME, prove(NAME, tmp_path / "server"))


def test_hypercorn_reads_its_crls_by_the_very_code_that_gunicorn_is_rehearsed_with() -> None:
    assert tls_of(NAME) == tls_of("gunicorn")
