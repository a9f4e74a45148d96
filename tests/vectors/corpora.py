"""The conformance corpora: x509-limbo's own cases and NIST PKITS, each case as a question to the validator.

x509-limbo (C2SP/x509-limbo 8a2e6f4, Apache-2.0) lies beside the repository in ../shared/vectors/limbo-own.json.xz, with
the expected results of PKITS (pyHanko's test suite, MIT) in pkits-expected.json. The certificates and CRLs of PKITS are
in the package cryptography_vectors. Where a file is absent there are no cases, and the tests that need them say so.
"""

import base64
import json
import lzma
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cryptography_vectors

from handfast.pki.names import Name, NameKind
from handfast.validate import Level, Policy, Report, TrustAnchor, examine, purpose_named
from handfast.validate.revocation import RevocationFacts, RevocationMode, RevocationPolicy, load_crl

SHARED = Path(__file__).parents[3] / "shared" / "vectors"
LIMBO = SHARED / "limbo-own.json.xz"
PKITS = SHARED / "pkits-expected.json"
PKITS_DATA = Path(cryptography_vectors.__file__).parent / "x509" / "PKITS_data"
# Inside the validity of every PKITS certificate that is not meant to be expired.
PKITS_MOMENT = datetime(2022, 4, 1, tzinfo=UTC)
_KINDS = {"DNS": NameKind.DNS, "IP": NameKind.IP, "RFC822": NameKind.EMAIL}
# PKITS chapters 4.4, 4.14 and 4.15 are about revocation: a case without a usable CRL must fail there.
_ABOUT_REVOCATION = ("404", "414", "415")


@dataclass(frozen=True, slots=True)
class Case:
    """One case: DER throughout, and whether it must be accepted."""

    id: str
    level: Level
    leaf: bytes
    intermediates: Sequence[bytes]
    anchors: Sequence[bytes]
    crls: Sequence[bytes]
    policy: Policy
    at: datetime
    is_good: bool

    def examine(self) -> Report:
        """What the validator says of it."""
        return examine(
            self.leaf,
            anchors=[TrustAnchor.of(each) for each in self.anchors],
            policy=self.policy,
            at=self.at,
            intermediates=self.intermediates,
            facts=RevocationFacts(crls=tuple(load_crl(each) for each in self.crls)),
        )

    def __str__(self) -> str:
        return self.id


def limbo_cases() -> list[Case]:
    """Every case of x509-limbo, at the level it is written for: webpki and online ones strict, the others rfc5280."""
    if not LIMBO.exists():
        return []
    return [_limbo_case(each) for each in json.loads(lzma.decompress(LIMBO.read_bytes()))["testcases"]]


def _limbo_case(raw: dict[str, Any]) -> Case:
    level = Level.STRICT if raw["id"].startswith(("webpki::", "online::")) else Level.RFC5280
    peers = [raw["expected_peer_name"]] if raw["expected_peer_name"] else raw["expected_peer_names"]
    depth = raw["max_chain_depth"]
    mode = RevocationMode.REQUIRE if raw["crls"] else RevocationMode.NONE
    policy = Policy(
        level=level,
        purpose=purpose_named(raw["validation_kind"].lower()),
        names=tuple(Name(_KINDS[peer["kind"]], peer["value"]) for peer in peers),
        max_intermediates=8 if depth is None else depth,
        revocation=RevocationPolicy(mode=mode, leaf_only=True, strict=True),
    )
    return Case(
        raw["id"], level, _der(raw["peer_certificate"]), [_der(each) for each in raw["untrusted_intermediates"]],
        [_der(each) for each in raw["trusted_certs"]], [_der(each) for each in raw["crls"]], policy,
        datetime.fromisoformat(raw["validation_time"] or "2026-11-26T00:00:00+00:00"),
        raw["expected_result"] == "SUCCESS",
    )  # fmt: skip


def _der(pem: str) -> bytes:
    return base64.b64decode("".join(pem.strip().splitlines()[1:-1]))


def pkits_cases() -> list[Case]:
    """Every case of PKITS, at the level rfc5280, with the CRLs that come with it."""
    if not PKITS.exists():
        return []
    return [_pkits_case(each) for each in json.loads(PKITS.read_text())]


def _pkits_case(raw: dict[str, Any]) -> Case:
    asked = raw.get("params") or {}
    chosen = asked.get("user_initial_policy_set")
    with_crls = raw.get("revocation", True)
    crls = ["TrustAnchorRootCRL.crl", *raw.get("crls", [])] if with_crls else []
    must_ask = with_crls and (raw.get("crls") or raw["id"].startswith(_ABOUT_REVOCATION))
    policy = Policy(
        level=Level.RFC5280,
        policies=None if chosen is None else frozenset(chosen),
        require_explicit_policy=asked.get("initial_explicit_policy", False),
        inhibit_policy_mapping=asked.get("initial_policy_mapping_inhibit", False),
        inhibit_any_policy=asked.get("initial_any_policy_inhibit", False),
        revocation=RevocationPolicy(mode=RevocationMode.REQUIRE if must_ask else RevocationMode.NONE),
    )
    return Case(
        f"{raw['id']}-{raw['name']}", Level.RFC5280, _pkits("certs", raw["cert"]),
        [_pkits("certs", each) for each in raw.get("other_certs", [])],
        [_pkits("certs", "TrustAnchorRootCertificate.crt")], [_pkits("crls", each) for each in crls], policy,
        PKITS_MOMENT, "error" not in raw,
    )  # fmt: skip


def _pkits(kind: str, name: str) -> bytes:
    return (PKITS_DATA / kind / name).read_bytes()
