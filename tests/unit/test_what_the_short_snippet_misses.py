"""The widespread short check of a client certificate, run on one of each thing that it misses, beside handfast."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from handfast.pki.names import parse_name
from handfast.validate import Level, Policy, Report, examine, purpose_named, trust
from handfast.validate.revocation import LoadedCRL, RevocationFacts, RevocationMode, RevocationPolicy
from tests.unit.revocation_world import (
    CA,
    CA_KEY,
    HOUR,
    LEAF_KEY,
    NOW,
    OTHER_KEY,
    certificate,
    crl,
    entry,
    key_usage,
)

PAGE = Path(__file__).parents[2] / "docs" / "validation" / "what-the-short-snippet-misses.md"
SIGNING = x509.KeyUsage(
    digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
    key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
)  # fmt: skip
CLIENT = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
SERVER = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
ALICE = x509.SubjectAlternativeName([x509.RFC822Name("alice@example.com")])
MALLORY = x509.SubjectAlternativeName([x509.RFC822Name("mallory@example.com")])
IS_CA = x509.BasicConstraints(ca=True, path_length=None)


def short(cert: x509.Certificate) -> bool:
    """The snippet, with the clock as an argument."""
    if cert.not_valid_before_utc > NOW or cert.not_valid_after_utc < NOW:
        return False
    return cert.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature


def long(cert: x509.Certificate, *issuers: x509.Certificate) -> bool:
    """The snippet and the signatures, up to the trusted CA."""
    for child, issuer in zip((cert, *issuers), (*issuers, CA), strict=True):
        key = issuer.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        try:
            key.verify(child.signature, child.tbs_certificate_bytes, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
    return short(cert)


def issue(
    *extensions: x509.ExtensionType,
    issuer: str = "CA",
    issuer_key: ec.EllipticCurvePrivateKey = CA_KEY,
    critical: type[x509.ExtensionType] = x509.KeyUsage,
) -> x509.Certificate:
    marked = [(each, isinstance(each, critical)) for each in extensions]
    return certificate("alice", LEAF_KEY, issuer=issuer, issuer_key=issuer_key, extensions=marked)


def sub_ca(*extensions: x509.ExtensionType, usage: x509.KeyUsage) -> x509.Certificate:
    marked = [(each, not isinstance(each, x509.SubjectAlternativeName)) for each in (*extensions, usage)]
    return certificate("Sub", OTHER_KEY, issuer="CA", issuer_key=CA_KEY, serial=9, extensions=marked)


@dataclass(frozen=True)
class Case:
    """A certificate that must not be accepted for alice as a client, and what the snippet makes of it."""

    leaf: x509.Certificate
    sent: tuple[x509.Certificate, ...] = ()
    crls: tuple[LoadedCRL, ...] = ()
    is_signed: bool = True


DEPARTMENT = x509.NameConstraints([x509.RFC822Name("sales.example.com")], None)
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\x05\x00")
BY_SUB = issue(SIGNING, CLIENT, ALICE, issuer="Sub", issuer_key=OTHER_KEY)
GOOD = issue(SIGNING, CLIENT, ALICE)
CASES = {
    "no-path": Case(issue(SIGNING, CLIENT, ALICE, issuer="Nobody", issuer_key=LEAF_KEY), is_signed=False),
    "not-a-ca": Case(BY_SUB, (sub_ca(usage=SIGNING),)),
    "purpose-not-allowed": Case(issue(SIGNING, SERVER, ALICE)),
    "name-mismatch": Case(issue(SIGNING, CLIENT, MALLORY)),
    "certificate-revoked": Case(GOOD, crls=(crl(entry()),)),
    "revocation-undetermined": Case(GOOD, crls=(crl(begins=NOW - 9 * HOUR, ends=NOW - HOUR),)),
    "unknown-critical-extension": Case(issue(SIGNING, CLIENT, ALICE, UNKNOWN, critical=x509.UnrecognizedExtension)),
    "name-not-permitted": Case(BY_SUB, (sub_ca(IS_CA, DEPARTMENT, usage=key_usage()),)),
}


def report_of(case: Case) -> Report:
    revocation = RevocationPolicy(mode=RevocationMode.REQUIRE if case.crls else RevocationMode.NONE)
    policy = Policy(
        level=Level.LEGACY, purpose=purpose_named("client"), names=(parse_name("alice@example.com"),),
        revocation=revocation,
    )  # fmt: skip
    facts = RevocationFacts(crls=case.crls)
    return examine(case.leaf, anchors=trust([CA]), policy=policy, at=NOW, intermediates=case.sent, facts=facts)


@pytest.mark.parametrize("code", CASES)
def test_the_snippet_accepts_what_handfast_refuses_with_a_reason(code: str) -> None:
    case = CASES[code]
    assert short(case.leaf)
    assert long(case.leaf, *case.sent) == case.is_signed
    assert code in {located.finding.code for located in report_of(case).fatal}


def test_a_real_chain_fails_the_longer_snippet_and_passes_here() -> None:
    case = Case(BY_SUB, (sub_ca(IS_CA, usage=key_usage()),))
    assert not long(case.leaf)
    assert report_of(case).is_acceptable


def test_the_page_names_each_of_them() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [code for code in CASES if f"`{code}`" not in page] == []
