"""Checks on certificates: each code is found where it should be, and nowhere else."""

import warnings
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from handfast.checks.certificate import modules, require_sound, run_checks
from handfast.errors import Unacceptable
from handfast.findings import Severity
from handfast.pki.draft import Draft, draft_of
from handfast.pki.issuer_identity import IssuerIdentity, PublicationUrls, identity_of
from handfast.pki.keys import KeyKind
from handfast.pki.names import Name, NameKind
from handfast.pki.profile import BUILT_IN, from_table
from handfast.pki.subject import parse_subject
from tests.pki_factory import Authority, authority_of, key_of, new_authority

Change = Callable[[Draft], Draft]


def server() -> Draft:
    return authority_of().draft("server", subject="CN=www.example.com", names=["www.example.com"])


def client() -> Draft:
    return authority_of().draft("client", subject="CN=alice")


def email() -> Draft:
    return authority_of().draft("email", names=["alice@example.com"])


def ca() -> Draft:
    return replace(draft_of(authority_of().issuing, identity_of(authority_of().root)), profile=BUILT_IN["issuing"])


def without(cls: type[x509.ExtensionType]) -> Change:
    return lambda draft: replace(
        draft, extensions=tuple(one for one in draft.extensions if not isinstance(one.value, cls))
    )


def having(value: x509.ExtensionType, *, critical: bool = False) -> Change:
    """The draft with this extension in place of the one of its kind."""
    extension = x509.Extension(value.oid, critical, value)

    def change(draft: Draft) -> Draft:
        rest = [one for one in draft.extensions if one.oid != value.oid]
        return replace(draft, extensions=(*rest, extension))

    return change


def flipped(cls: type[x509.ExtensionType]) -> Change:
    """The draft with the criticality of one extension turned around."""

    def change(draft: Draft) -> Draft:
        return replace(
            draft,
            extensions=tuple(
                x509.Extension(one.oid, not one.critical, one.value) if isinstance(one.value, cls) else one
                for one in draft.extensions
            ),
        )

    return change


def issued_by(**changes: object) -> Change:
    def change(draft: Draft) -> Draft:
        issuer = draft.issuer
        assert isinstance(issuer, IssuerIdentity)
        return replace(draft, issuer=replace(issuer, **changes))  # type: ignore[arg-type]  # by name, in each case below

    return change


def changed(**changes: object) -> Change:
    return lambda draft: replace(draft, **changes)  # type: ignore[arg-type]  # by name, in each case below


def named(*names: Name) -> Change:
    def change(draft: Draft) -> Draft:
        general = x509.SubjectAlternativeName([name.to_general_name() for name in names])
        return replace(having(general, critical=not draft.subject.rdns)(draft), names=names)

    return change


def foreign(change: Change) -> Change:
    """A certificate of somebody else: no profile."""
    return lambda draft: replace(change(draft), profile=None)


def usage(**bits: bool) -> x509.KeyUsage:
    names = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign crl_sign "
        "encipher_only decipher_only"
    )
    return x509.KeyUsage(**{name: bits.get(name, False) for name in names.split()})


def subject(*attributes: tuple[x509.ObjectIdentifier, str]) -> Change:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # cryptography's, of what is too long on purpose
        built = [x509.NameAttribute(oid, value, _validate=False) for oid, value in attributes]
    return changed(subject=x509.Name(built))


CN = NameOID.COMMON_NAME
WILDCARD = Name(NameKind.DNS, "*.example.com")
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
POINT = x509.CRLDistributionPoints


def point(url: str) -> x509.CRLDistributionPoints:
    return POINT([x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None)])


WEAK_RSA = rsa.generate_private_key(65537, 1024).public_key()
K1 = ec.generate_private_key(ec.SECP256K1()).public_key()
NOW = authority_of().now

# code, from which draft, by which change
CASES: list[tuple[str, Callable[[], Draft], Change]] = [
    ("version-not-3", client, changed(version=x509.Version.v1)),
    ("serial-not-positive", client, changed(serial=0)),
    ("serial-not-positive", client, changed(serial=-(2**100))),
    ("serial-too-long", client, changed(serial=2**159)),
    ("serial-predictable", client, changed(serial=2**42)),
    ("validity-reversed", client, changed(not_after=NOW - timedelta(days=1))),
    ("validity-outlives-issuer", client, issued_by(not_after=NOW)),
    ("validity-outlives-issuer", client, issued_by(not_before=NOW)),
    ("lifetime-over-profile", client, changed(not_after=NOW + BUILT_IN["client"].maximum_lifetime + timedelta(days=1))),
    ("lifetime-over-825-days", server, foreign(changed(not_after=NOW + timedelta(days=827)))),
    ("aki-missing", client, without(x509.AuthorityKeyIdentifier)),
    ("aki-missing", client, having(x509.AuthorityKeyIdentifier(None, [x509.DNSName("a")], 1))),
    ("aki-mismatch", client, having(x509.AuthorityKeyIdentifier(b"x" * 20, None, None))),
    ("aki-critical", client, flipped(x509.AuthorityKeyIdentifier)),
    ("ski-missing", client, without(x509.SubjectKeyIdentifier)),
    ("ski-missing", ca, without(x509.SubjectKeyIdentifier)),
    ("ski-critical", client, flipped(x509.SubjectKeyIdentifier)),
    ("ca-not-critical", ca, flipped(x509.BasicConstraints)),
    ("ca-unexpected", ca, changed(profile=BUILT_IN["client"])),
    ("path-length-exceeded", ca, issued_by(path_length=0)),
    ("key-usage-missing", client, without(x509.KeyUsage)),
    ("key-usage-not-critical", client, flipped(x509.KeyUsage)),
    ("key-usage-ca", client, having(usage(digital_signature=True, key_cert_sign=True), critical=True)),
    ("key-usage-ca", ca, having(usage(digital_signature=True), critical=True)),
    ("key-usage-algorithm", client, having(usage(key_encipherment=True), critical=True)),
    ("key-usage-algorithm", client, having(usage(data_encipherment=True), critical=True)),
    ("eku-missing", client, without(x509.ExtendedKeyUsage)),
    ("eku-any", client, having(x509.ExtendedKeyUsage([x509.ObjectIdentifier("2.5.29.37.0")]))),
    ("eku-profile", client, having(x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.3.6.1.5.5.7.3.1")]))),
    ("eku-outside-issuer", client, issued_by(extended_key_usage=frozenset({x509.ObjectIdentifier("1.2.3")}))),
    ("san-missing", server, without(x509.SubjectAlternativeName)),
    ("san-criticality", server, flipped(x509.SubjectAlternativeName)),
    ("san-criticality", server, changed(subject=x509.Name([]))),
    ("san-empty", client, having(x509.SubjectAlternativeName([]))),
    ("identity-missing", client, changed(subject=x509.Name([]))),
    ("cn-not-among-names", server, subject((CN, "other.example.com"))),
    ("weak-key-size", client, changed(public_key=WEAK_RSA)),
    ("weak-key-curve", client, changed(public_key=K1)),
    ("key-not-in-profile", client, changed(profile=from_table("client", {"keys": ["p384"]}))),
    ("weak-signature-hash", client, changed(signature_hash=hashes.SHA1())),
    ("signature-algorithm-unknown", client, foreign(changed(signature_hash=None, has_known_signature=False))),
    ("weak-signature-hash", client, changed(signature_hash=hashes.MD5())),
    ("wildcard-not-allowed", client, lambda draft: replace(named(WILDCARD)(draft), profile=BUILT_IN["device"])),
    ("name-misspelled", server, foreign(having(x509.SubjectAlternativeName([x509.DNSName("a_b.example.com")])))),
    ("name-kind-unknown", server, foreign(having(x509.SubjectAlternativeName([x509.RegisteredID(CN)])))),
    ("name-kind-not-allowed", client, named(Name(NameKind.DNS, "www.example.com"))),
    ("name-required", server, lambda draft: replace(without(x509.SubjectAlternativeName)(draft), names=())),
    ("subject-attribute-not-allowed", server, changed(subject=parse_subject("CN=www.example.com,UID=7"))),
    ("subject-missing", ca, changed(subject=x509.Name([]))),
    ("subject-attribute-too-long", client, subject((CN, "x" * 65))),
    ("subject-attribute-empty", client, subject((CN, " "))),
    ("control-character", client, subject((CN, "ali\x07ce"))),
    ("control-character", client, subject((CN, "ali\u202ece"))),
    ("email-missing", email, lambda draft: replace(without(x509.SubjectAlternativeName)(draft), names=())),
    ("email-not-among-names", email, changed(subject=parse_subject("CN=alice,EMAIL=bob@example.com"))),
    ("url-not-http", client, having(point("ftp://ca.example.com/a.crl"))),
    ("url-not-http", client, having(point("/a.crl"))),
    ("url-not-http", client, having(point("http://[::1/a.crl"))),
    ("url-https", client, having(point("https://ca.example.com/a.crl"))),
    ("critical-unknown", client, having(UNKNOWN, critical=True)),
    ("extension-twice", client, lambda draft: replace(draft, extensions=draft.extensions + draft.extensions[:1])),
]


def codes(draft: Draft) -> set[str]:
    return {finding.code for finding in run_checks(draft)}


@pytest.mark.parametrize("make", [server, client, email, ca])
def test_a_sound_draft_has_no_findings(make: Callable[[], Draft]) -> None:
    assert run_checks(make()) == ()
    assert require_sound(make()) == ()


@pytest.mark.parametrize(("code", "make", "change"), CASES)
def test_what_is_wrong_is_found(code: str, make: Callable[[], Draft], change: Change) -> None:
    draft = change(make())
    assert code in codes(draft)


def test_a_path_length_on_a_leaf_is_found() -> None:
    constraints = x509.BasicConstraints(ca=True, path_length=3)
    constraints._ca = False
    assert "path-length-on-leaf" in codes(having(constraints, critical=True)(client()))


def test_a_certificate_that_points_nowhere_is_noted() -> None:
    bare = new_authority(urls=PublicationUrls()).draft("client")
    assert codes(bare) == set()
    assert codes(replace(bare, profile=None)) == {"revocation-pointer-missing"}
    short = replace(bare, profile=None, not_after=bare.not_before + timedelta(days=7))
    assert codes(short) == set()


def test_every_code_is_tested_here_or_with_the_keys() -> None:
    tested = {code for code, _, _ in CASES} | {"path-length-on-leaf", "revocation-pointer-missing"}
    of_keys = {
        "weak-key-exponent",
        "weak-key-factor",
        "weak-key-roca",
        "weak-key-close-primes",
        "weak-key-algorithm",
        "weak-key-published",
        "key-cannot-sign",
    }
    assert {code for module in modules() for code in module.CODES} == tested | of_keys


def test_a_code_belongs_to_one_check_and_is_explained() -> None:
    listed = [code for module in modules() for code in module.CODES]
    assert len(listed) == len(set(listed))
    assert all(explanation for module in modules() for explanation in module.CODES.values())


@pytest.mark.parametrize(("make", "change"), [case[1:] for case in CASES])
def test_a_check_finds_only_codes_that_it_lists(make: Callable[[], Draft], change: Change) -> None:
    draft = change(make())
    for module in modules():
        for finding in module.check(draft):
            assert finding.code in module.CODES
            assert finding.message
            assert finding.fix
            assert finding.reference


def test_everything_is_said_before_a_draft_is_refused() -> None:
    draft = changed(serial=0, version=x509.Version.v1)(client())
    with pytest.raises(Unacceptable) as refused:
        require_sound(draft)
    assert {"serial-not-positive", "version-not-3"} <= {finding.code for finding in refused.value.findings}
    assert "serial number is not positive" in refused.value.message
    assert refused.value.hint


def test_a_warning_does_not_refuse() -> None:
    (finding,) = require_sound(subject((CN, "other.example.com"))(server()))
    assert finding.severity is Severity.WARNING


def test_an_issuer_with_usages_of_its_own_lets_what_is_inside_pass() -> None:
    allowed = frozenset(BUILT_IN["client"].extended_key_usage)
    assert codes(issued_by(extended_key_usage=allowed)(client())) == set()


@pytest.mark.parametrize("kind", [KeyKind.P384, KeyKind.ED25519, KeyKind.ML_DSA_44])
def test_an_authority_of_another_kind_drafts_soundly_too(kind: KeyKind) -> None:
    authority: Authority = authority_of(kind)
    assert run_checks(authority.draft("client", key=key_of(kind))) == ()
