"""OpenSSL's OCSP test data: 29 cases, 25 of which must fail (Apache 2.0; openssl test/ocsp-tests, expected by pyHanko).

The data lies beside the repository, in ../shared/vectors/openssl-ocsp; where it is absent the tests say so.
"""

import base64
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from handfast.validate.certificate import Certificate, read_certificate
from handfast.validate.revocation import (
    RevocationFacts,
    RevocationMode,
    RevocationPolicy,
    RevocationStatus,
    Signers,
    Status,
    authority_of,
    check_path,
)

DATA = Path(__file__).parents[3] / "shared" / "vectors" / "openssl-ocsp"
LIST = DATA / "openssl-ocsp.json"
CASES: list[dict[str, Any]] = json.loads(LIST.read_text()) if LIST.exists() else []

pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")


def certificate(name: str) -> Certificate:
    return read_certificate(x509.load_pem_x509_certificate((DATA / name).read_bytes()))


def statuses(case: dict[str, Any]) -> tuple[RevocationStatus, ...]:
    path = [certificate(name) for name in [case["cert"], *case.get("other_certs", [])]]
    issuers = [authority_of(issuer) for issuer in [*path[1:], certificate(case["root"])]]
    responses = tuple(base64.b64decode((DATA / name).read_bytes()) for name in case["ocsps"])
    # The responses are of 2012 and signed with SHA-1. Where there is one for two certificates, it is about the leaf.
    policy = RevocationPolicy(mode=RevocationMode.REQUIRE, leaf_only=len(responses) < len(path), strict=False)
    return check_path(
        path, issuers, facts=RevocationFacts(ocsp_responses=responses), policy=policy,
        at=datetime.fromisoformat(case["moment"]), signers=Signers((), lambda _: False),
    )  # fmt: skip


def is_refused(status: RevocationStatus) -> bool:
    return status.status is Status.REVOKED or any(finding.severity == "error" for finding in status.findings)


@pytest.mark.skipif(not CASES, reason=f"{LIST} is not there")
def test_the_corpus_is_whole() -> None:
    assert len(CASES) == 29
    assert sum("error" in case for case in CASES) == 25


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]))
def test_a_case_comes_out_as_expected(case: dict[str, Any]) -> None:
    found = statuses(case)
    assert any(map(is_refused, found)) == ("error" in case), [
        finding for status in found for finding in status.findings
    ]


@pytest.mark.parametrize("case", [case for case in CASES if "error" not in case], ids=lambda case: str(case["name"]))
def test_what_is_accepted_is_known_to_be_good(case: dict[str, Any]) -> None:
    assert statuses(case)[0].status is Status.GOOD
