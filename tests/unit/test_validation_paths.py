"""Path building: backtracking over every issuer, within budgets; and what the two calls answer."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import cryptography_vectors
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from handfast.errors import ConfigError, Unacceptable
from handfast.pki.keys import PrivateKey
from handfast.pki.names import parse_name
from handfast.validate import Budget, Level, Policy, Report, TrustAnchor, examine, purpose_named, trust, validate
from handfast.validate.path import spki_pin
from handfast.validate.revocation import FactKind
from tests.unit.validation_world import (
    ACCESS,
    AUTHORITY_KEY,
    BASIC,
    CONSTRAINTS,
    EXTENDED,
    NOW,
    SUBJECT_KEY,
    Fields,
    World,
    authority,
    codes,
    common_name,
    directory,
    end_entity,
    key,
    utc_times,
)

SERVER = Policy(purpose=purpose_named("server"), names=(parse_name("www.example.com"),))


def ask(leaf: Fields, sent: list[Fields], roots: list[Fields], policy: Policy = SERVER) -> Report:
    return examine(
        leaf.der(),
        anchors=trust(root.der() for root in roots),
        policy=policy,
        at=NOW,
        intermediates=[each.der() for each in sent],
    )


def test_the_order_doubles_and_strangers_do_not_matter() -> None:
    low, high = authority("low", "high"), authority("high", "root")
    sent = [low, authority("stranger", "other"), high, low, authority("root", "root")]
    report = ask(end_entity("leaf", "low"), sent, [authority("root", "root")])
    assert report.is_acceptable
    assert [each.name for each in report.path] == ["CN=leaf", "CN=low", "CN=high", "CN=root"]


@pytest.mark.parametrize("turned", [False, True])
def test_a_ca_with_a_new_key_under_its_old_name_is_told_apart_without_key_identifiers(turned: bool) -> None:
    old, new = authority("ca", "root"), replace(authority("new ca", "root"), subject=directory("CN=ca"))
    leaf = end_entity("leaf", "ca")
    leaf.signer = key("new ca")
    leaf.set(AUTHORITY_KEY, None)
    sent = [new, old] if turned else [old, new]
    assert ask(leaf, sent, [authority("root", "root")], replace(SERVER, level=Level.LEGACY)).is_acceptable


@pytest.mark.parametrize("turned", [False, True])
def test_an_expired_ca_certificate_beside_its_renewal_does_no_harm(turned: bool) -> None:
    expired, renewed = authority("ca", "root"), authority("ca", "root")
    expired.validity = utc_times("200101000000Z", "210101000000Z")
    sent = [renewed, expired] if turned else [expired, renewed]
    assert ask(end_entity("leaf", "ca"), sent, [authority("root", "root")]).is_acceptable


@pytest.mark.parametrize("trusted", ["one", "two"])
def test_a_cross_signed_ca_leads_to_whichever_root_is_trusted(trusted: str) -> None:
    sent = [authority("ca", "one"), authority("ca", "two")]
    report = ask(end_entity("leaf", "ca"), sent, [authority(trusted, trusted)])
    assert report.is_acceptable
    assert report.path[-1].name == f"CN={trusted}"


def test_a_path_that_breaks_a_rule_gives_way_to_one_that_does_not() -> None:
    narrow, wide = authority("ca", "one"), authority("ca", "two")
    narrow.set(CONSTRAINTS, x509.NameConstraints([x509.DNSName("example.org")], None), critical=True)
    roots = [authority("one", "one"), authority("two", "two")]
    assert ask(end_entity("leaf", "ca"), [narrow, wide], roots).is_acceptable
    assert ("name-not-permitted", 0) in codes(ask(end_entity("leaf", "ca"), [narrow], roots))


def test_of_several_bad_paths_the_one_with_the_fewest_reasons_is_reported() -> None:
    worse, better = authority("ca", "one"), authority("ca", "one")
    worse.validity = utc_times("200101000000Z", "210101000000Z")
    worse.set(BASIC, None)
    better.validity = utc_times("200101000000Z", "210101000000Z")
    report = ask(end_entity("leaf", "ca"), [worse, better], [authority("one", "one")])
    assert [each.finding.code for each in report.fatal] == ["issuer-expired"]


def test_cas_that_sign_each_other_are_gone_round_once() -> None:
    sent = [authority("a", "b"), authority("b", "a")]
    report = ask(end_entity("leaf", "a"), sent, [authority("root", "root")])
    assert ("no-path", 2) in codes(report)
    assert report.signatures_checked <= 4


def test_names_that_differ_in_case_space_and_string_type_chain() -> None:
    ca = replace(authority("ca", "root"), subject=bytes.fromhex("300f310d300b06035504030c0420434120"))
    assert ask(end_entity("leaf", "ca"), [ca], [authority("root", "root")]).is_acceptable
    other = replace(ca, subject=directory("CN=cb"))
    assert not ask(end_entity("leaf", "ca"), [other], [authority("root", "root")]).is_acceptable


def test_a_certificate_that_is_trusted_itself_needs_no_issuer() -> None:
    leaf, other = (end_entity(name, "nobody").der() for name in ("leaf", "other"))
    report = examine(leaf, anchors=trust([leaf]), policy=SERVER, at=NOW)
    assert report.is_acceptable
    assert codes(report) == {("leaf-is-anchor", 0)}
    negative = replace(end_entity("leaf", "nobody"), serial=b"\xff").der()
    assert ("serial-negative", 0) in codes(examine(negative, anchors=trust([negative]), policy=SERVER, at=NOW))
    assert not examine(leaf, anchors=trust([other]), policy=SERVER, at=NOW).is_acceptable


def test_an_anchor_may_be_a_name_and_a_key_alone() -> None:
    anchor = TrustAnchor.of_key(common_name("ca"), key("ca").public_key())
    report = examine(end_entity("leaf", "ca").der(), anchors=[anchor], policy=SERVER, at=NOW)
    assert report.is_acceptable
    assert [each.name for each in report.path] == ["CN=leaf"]
    stranger = TrustAnchor.of_key(common_name("ca"), key("stranger").public_key())
    assert not examine(end_entity("leaf", "ca").der(), anchors=[stranger], policy=SERVER, at=NOW).is_acceptable


def test_an_intermediate_may_be_the_anchor() -> None:
    assert ask(end_entity("leaf", "ca"), [], [authority("ca", "root")]).is_acceptable


def chain_of(length: int) -> tuple[Fields, list[Fields], list[Fields]]:
    names = ["root", *(f"ca{number}" for number in range(length))]
    sent = [authority(low, high) for high, low in pairwise(names)]
    return end_entity("leaf", names[-1]), sent, [authority("root", "root")]


def test_eight_intermediates_are_accepted_and_nine_are_not() -> None:
    assert ask(*chain_of(8)).is_acceptable
    assert ("depth-exceeded", 8) in codes(ask(*chain_of(9)))


def test_path_length_counts_the_cas_below_without_self_issued_ones() -> None:
    root = authority("root", "root", path_length=1)
    same = replace(authority("ca again", "ca"), subject=directory("CN=ca"))
    leaf = end_entity("leaf", "ca")
    leaf.signer = key("ca again")
    leaf.set(AUTHORITY_KEY, x509.AuthorityKeyIdentifier.from_issuer_public_key(key("ca again").public_key()))
    assert ask(leaf, [authority("ca", "root"), same], [root]).is_acceptable
    below = [authority("ca", "root"), authority("low", "ca")]
    assert ("path-length-exceeded", 3) in codes(ask(end_entity("leaf", "low"), below, [root]))


def test_a_hundred_cas_of_one_name_cost_no_more_than_the_budget() -> None:
    many = [
        replace(authority(f"twin{n}", f"twin{n + 1}"), subject=directory("CN=x"), issuer=directory("CN=x"))
        for n in range(20)
    ]
    for each in many:
        each.set(AUTHORITY_KEY, None)
        each.set(SUBJECT_KEY, None)
    leaf = replace(end_entity("leaf", "twin0"), issuer=directory("CN=x"))
    report = ask(leaf, many, [authority("root", "root")], replace(SERVER, budget=Budget(signatures=50)))
    assert report.signatures_checked == 50
    assert ("budget-exhausted", None) in codes(report)
    assert report.anchor is None


def test_names_times_constraints_are_bounded() -> None:
    world = World()
    many = [x509.DNSName(f"h{n}.example.com") for n in range(30)]
    world.leaf.set("2.5.29.17", x509.SubjectAlternativeName([x509.DNSName("www.example.com"), *many[1:]]))
    world.ca.set(CONSTRAINTS, x509.NameConstraints([x509.DNSName("example.com")], many[:9]), critical=True)
    exactly = Budget(name_comparisons=310)  # 30 names and the subject, times 10 subtrees
    assert world.report(budget=exactly).is_acceptable is False
    assert ("budget-exhausted", 1) not in codes(world.report(budget=exactly))
    assert ("budget-exhausted", 1) in codes(world.report(budget=Budget(name_comparisons=309)))


def test_what_a_ca_signed_whose_dsa_key_inherits_its_parameters_is_verified() -> None:
    data = Path(cryptography_vectors.__file__).parent / "x509" / "PKITS_data" / "certs"
    names = (
        "ValidDSAParameterInheritanceTest5EE",
        "DSAParametersInheritedCACert",
        "DSACACert",
        "TrustAnchorRootCertificate",
    )
    leaf, *sent, root = ((data / f"{name}.crt").read_bytes() for name in names)
    policy, at = Policy(level=Level.RFC5280), NOW.replace(year=2022)
    assert examine(leaf, anchors=trust([root]), policy=policy, at=at, intermediates=sent).is_acceptable
    spoiled = leaf[:-1] + bytes((leaf[-1] ^ 1,))
    report = examine(spoiled, anchors=trust([root]), policy=policy, at=at, intermediates=sent)
    assert ("signature-invalid", 0) in codes(report)


def test_no_path_names_the_place_where_the_missing_issuer_is() -> None:
    leaf = end_entity("leaf", "ca")
    place = x509.UniformResourceIdentifier("http://ca.example/ca.cer")
    method = AuthorityInformationAccessOID.CA_ISSUERS
    leaf.set(ACCESS, x509.AuthorityInformationAccess([x509.AccessDescription(method, place)]))
    report = ask(leaf, [], [authority("root", "root")])
    assert [(fact.kind, fact.urls) for fact in report.lacked] == [(FactKind.ISSUER, ("http://ca.example/ca.cer",))]
    assert ask(end_entity("leaf", "ca"), [], [authority("root", "root")]).lacked == ()


def test_a_pin_of_any_key_in_the_path_is_enough() -> None:
    world = World()
    pin = spki_pin(world.report().path[1])
    assert world.report(pins=frozenset({pin, b"\1" * 32})).is_acceptable
    assert not world.report(pins=frozenset({b"\1" * 32})).is_acceptable


def test_validate_returns_the_report_or_raises_every_reason() -> None:
    world = World()
    anchors, sent = trust([world.root.der()]), [world.ca.der()]
    good = validate(world.leaf.der(), anchors=anchors, policy=SERVER, at=NOW, intermediates=sent)
    assert good.is_acceptable
    world.leaf.set(EXTENDED, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]))
    late = NOW + timedelta(days=999)
    with pytest.raises(Unacceptable) as caught:
        validate(world.leaf.der(), anchors=anchors, policy=SERVER, at=late, intermediates=sent)
    assert {each.code for each in caught.value.findings} == {"expired", "issuer-expired", "purpose-not-allowed"}
    assert "CN=leaf" in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("moment", ["260101000000Z", "270101000000Z"])
def test_both_ends_of_a_validity_belong_to_it(moment: str) -> None:
    world = World()
    world.at = NOW.strptime(f"20{moment}+0000", "%Y%m%d%H%M%SZ%z")
    assert world.report().is_acceptable
    world.at += timedelta(seconds=1 if moment.startswith("27") else -1)
    assert not world.report().is_acceptable


SIGNERS: dict[str, Callable[[], PrivateKey]] = {
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
    "pss": lambda: rsa.generate_private_key(65537, 2048),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "p521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "ed448": ed448.Ed448PrivateKey.generate,
    "ml-dsa-44": mldsa.MLDSA44PrivateKey.generate,
    "ml-dsa-65": mldsa.MLDSA65PrivateKey.generate,
    "ml-dsa-87": mldsa.MLDSA87PrivateKey.generate,
}


@pytest.mark.parametrize("kind", SIGNERS)
def test_a_signature_of_every_kind_is_verified_and_a_spoiled_one_refused(kind: str) -> None:
    signer = SIGNERS[kind]()
    builder = x509.CertificateBuilder(
        common_name("ca"), common_name("leaf"), key("leaf").public_key(), 7, NOW, NOW + timedelta(days=9)
    )
    builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("www.example.com")]), False)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
    without_hash = kind.startswith(("ed", "ml"))
    filling = padding.PSS(padding.MGF1(hashes.SHA256()), 32) if kind == "pss" else None
    signed = builder.sign(signer, None if without_hash else hashes.SHA256(), rsa_padding=filling)
    data = signed.public_bytes(Encoding.DER)
    anchor = TrustAnchor.of_key(common_name("ca"), signer.public_key())
    assert examine(signed, anchors=[anchor], policy=SERVER, at=NOW).is_acceptable
    spoiled = data[:-1] + bytes((data[-1] ^ 1,))
    assert ("signature-invalid", 0) in codes(examine(spoiled, anchors=[anchor], policy=SERVER, at=NOW))


def test_a_moment_without_a_time_zone_is_refused() -> None:
    world = World()
    world.at = NOW.replace(tzinfo=None)
    with pytest.raises(ConfigError, match="time zone"):
        world.report()
