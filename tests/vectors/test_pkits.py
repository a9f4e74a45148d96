"""NIST's PKITS, 2011: path validation of RFC 5280 section 6 with CRLs, 246 of 246.

The certificates and CRLs are those of the PyPI package cryptography_vectors; what is expected of them lies beside the
repository, in ../shared/vectors/pkits-expected.json (from pyHanko): where it is absent the tests say so.
"""

import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import cryptography_vectors
import pytest

from handfast.validate import Level, Policy, Report, examine, trust
from handfast.validate.policy import policies
from handfast.validate.revocation import LoadedCRL, RevocationFacts, RevocationMode, RevocationPolicy, load_crl

EXPECTED = Path(__file__).parents[3] / "shared" / "vectors" / "pkits-expected.json"
DATA = Path(cryptography_vectors.__file__).parent / "x509" / "PKITS_data"
CASES: list[dict[str, Any]] = json.loads(EXPECTED.read_text()) if EXPECTED.exists() else []
AT = datetime(2015, 1, 1, tzinfo=UTC)
ROOT_CRL = "TrustAnchorRootCRL.crl"

pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")


@cache
def certificate(name: str) -> bytes:
    return (DATA / "certs" / name).read_bytes()


@cache
def crl(name: str) -> LoadedCRL:
    return load_crl((DATA / "crls" / name).read_bytes(), source=name)


def policy_of(case: dict[str, Any]) -> Policy:
    """PKITS is of 2011 and has DSA: the level is legacy, and revocation is required of every certificate."""
    asked = case.get("params") or {}
    return Policy(
        level=Level.LEGACY,
        policies=policies(asked["user_initial_policy_set"]) if "user_initial_policy_set" in asked else None,
        require_explicit_policy=bool(asked.get("initial_explicit_policy")),
        inhibit_policy_mapping=bool(asked.get("initial_policy_mapping_inhibit")),
        inhibit_any_policy=bool(asked.get("initial_any_policy_inhibit")),
        revocation=RevocationPolicy(mode=RevocationMode.REQUIRE),
    )


def report_of(case: dict[str, Any]) -> Report:
    return examine(
        certificate(case["cert"]),
        anchors=trust([certificate("TrustAnchorRootCertificate.crt")]),
        policy=policy_of(case),
        at=AT,
        intermediates=[certificate(name) for name in case.get("other_certs", [])],
        facts=RevocationFacts(crls=tuple(crl(name) for name in {*case.get("crls", []), ROOT_CRL})),
    )


@pytest.mark.skipif(not CASES, reason=f"{EXPECTED} is not there")
def test_the_suite_is_whole() -> None:
    assert len(CASES) == 246
    assert sum("error" in case for case in CASES) == 136


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['id']}_{case['name']}")
def test_a_case_comes_out_as_expected(case: dict[str, Any]) -> None:
    report = report_of(case)
    assert report.is_acceptable == ("error" not in case), [located.finding.message for located in report.findings]


REVOKED = [case for case in CASES if "revoked" in str(case.get("error", {}).get("msg_regex"))]


@pytest.mark.parametrize("case", REVOKED, ids=lambda case: str(case["name"]))
def test_what_is_expected_to_be_revoked_is_refused_as_revoked(case: dict[str, Any]) -> None:
    codes = {located.finding.code for located in report_of(case).fatal}
    assert codes & {"certificate-revoked", "certificate-on-hold", "revocation-undetermined"}
