"""Every case on which cryptography's verifier or openssl disagrees with the validator is listed, with why."""

import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from cryptography import __version__ as cryptography_version

from tests.programs import required_program
from tests.vectors.corpora import Case, limbo_cases, pkits_cases
from tests.vectors.second_opinions import by_cryptography, by_openssl

CASES = limbo_cases() + pkits_cases()
TABLE = Path(__file__).parents[1] / "vectors" / "disagreements.toml"
LISTED: list[dict[str, Any]] = tomllib.loads(TABLE.read_text(encoding="utf-8"))["disagreement"]

pytestmark = [
    pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning"),
    pytest.mark.skipif(not CASES, reason="the corpora in ../shared/vectors are not there"),
]


def expected(engine: str) -> dict[str, str]:
    listed = [each for each in LISTED if each["engine"] == engine]
    return {case: each["verdict"] for each in listed for case in each["cases"]}


def difference(case: Case, theirs: bool) -> dict[str, str]:
    if theirs == case.examine().is_acceptable:
        return {}
    return {case.id: "accepts" if theirs else "refuses"}


def test_every_disagreement_of_cryptography_is_listed() -> None:
    if not cryptography_version.startswith("50."):
        pytest.skip(f"the list is written for cryptography 50, and this is {cryptography_version}")
    found: dict[str, str] = {}
    for case in CASES:
        found |= difference(case, by_cryptography(case))
    assert found == expected("cryptography")


def test_every_disagreement_of_openssl_is_listed(tmp_path: Path) -> None:
    program = required_program("openssl")
    version = subprocess.run([program, "version"], capture_output=True, text=True, check=True).stdout
    if not version.startswith("OpenSSL 3.0."):
        pytest.skip(f"the list is written for OpenSSL 3.0, and this is {version.strip()}")
    found: dict[str, str] = {}
    for case in CASES:
        found |= difference(case, by_openssl(case, program, tmp_path))
    assert found == expected("openssl")


def test_every_listed_disagreement_says_why_once() -> None:
    assert all(len(each["reason"]) > 20 for each in LISTED)
    for engine in ("cryptography", "openssl"):
        cases = [case for each in LISTED if each["engine"] == engine for case in each["cases"]]
        assert len(cases) == len(set(cases))
        assert set(cases) <= {case.id for case in CASES}
