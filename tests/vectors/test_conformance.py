"""x509-limbo's own cases and NIST PKITS come out as expected; the exceptions are those that the documentation names."""

import re
from pathlib import Path

import pytest

from handfast.validate import RULES, Level
from handfast.validate.revocation.rules import REVOCATION_RULES
from tests.vectors.corpora import LIMBO, PKITS, Case, limbo_cases, pkits_cases

LIMBO_CASES = limbo_cases()
PKITS_CASES = pkits_cases()
PAGE = Path(__file__).parents[2] / "docs" / "validation" / "conformance.md"
EXCEPTIONS = set(re.findall(r"^\| `([a-z0-9:-]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))

pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")


@pytest.mark.skipif(not LIMBO_CASES, reason=f"{LIMBO} is not there")
def test_the_limbo_corpus_is_whole() -> None:
    assert len(LIMBO_CASES) == 208


@pytest.mark.skipif(not PKITS_CASES, reason=f"{PKITS} is not there")
def test_the_pkits_corpus_is_whole() -> None:
    assert len(PKITS_CASES) == 246


@pytest.mark.parametrize("case", LIMBO_CASES, ids=str)
def test_a_limbo_case_comes_out_as_expected_or_is_a_named_exception(case: Case) -> None:
    report = case.examine()
    assert (report.is_acceptable != case.is_good) == (case.id in EXCEPTIONS), report.fatal


@pytest.mark.parametrize("case", PKITS_CASES, ids=str)
def test_a_pkits_case_comes_out_as_expected(case: Case) -> None:
    report = case.examine()
    assert report.is_acceptable == case.is_good, report.fatal


@pytest.mark.parametrize("case", LIMBO_CASES + PKITS_CASES, ids=str)
def test_work_stays_within_the_budget_and_every_finding_is_a_documented_rule(case: Case) -> None:
    report = case.examine()
    assert report.signatures_checked <= case.policy.budget.signatures
    assert {each.finding.code for each in report.findings} <= RULES.keys() | REVOCATION_RULES.keys()
    assert all(each.finding.message and each.finding.fix and each.finding.reference for each in report.findings)


def test_there_are_at_most_six_exceptions() -> None:
    assert len(EXCEPTIONS) <= 6


@pytest.mark.parametrize("case", [case for case in LIMBO_CASES if case.is_good], ids=str)
def test_what_is_accepted_is_accepted_at_the_legacy_level_too(case: Case) -> None:
    assert not case.examine().fatal_at(Level.LEGACY)
