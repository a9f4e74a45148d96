"""Drafts: what is decided, and that what is signed is what was decided."""

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from handfast.checks.certificate import run_checks
from handfast.errors import ConfigError, Unacceptable
from handfast.pki.draft import Draft, Holder, draft_certificate, draft_of, sign_draft
from handfast.pki.issuer_identity import IssuerIdentity, PublicationUrls, identity_of
from handfast.pki.keys import KeyKind, key_identifier
from handfast.pki.profile import BUILT_IN, Profile, from_table
from handfast.pki.subject import parse_subject
from tests.pki_factory import DAY, NOW, authority_of, key_of, new_authority, serial

NAMES = {
    "server": ["www.example.com", "192.0.2.1"],
    "peer": ["node1.example.com"],
    "device": ["printer.example.com"],
    "client": ["alice@example.com"],
    "email": ["alice@example.com"],
}
LEAVES = [name for name, profile in BUILT_IN.items() if not profile.is_ca]


@pytest.mark.parametrize("profile", LEAVES)
def test_what_is_signed_is_what_was_drafted(profile: str) -> None:
    authority = authority_of()
    draft = authority.draft(profile, names=NAMES.get(profile, []))
    certificate = sign_draft(draft, authority.key)
    read_back = draft_of(certificate, draft.issuer)
    for name in ("serial", "issuer_name", "subject", "not_before", "not_after", "extensions", "names", "version"):
        assert getattr(read_back, name) == getattr(draft, name), name
    certificate.verify_directly_issued_by(authority.issuing)


def test_the_unsigned_certificate_says_the_same_as_the_signed_one() -> None:
    draft = authority_of().draft("server", names=NAMES["server"])
    unsigned, signed = draft.unsigned(), sign_draft(draft, authority_of().key)
    assert list(unsigned.extensions) == list(signed.extensions)
    assert unsigned.serial_number == signed.serial_number
    assert unsigned.not_valid_after_utc == signed.not_valid_after_utc


@pytest.mark.parametrize("kind", [KeyKind.P256, KeyKind.P384, KeyKind.RSA2048, KeyKind.ED25519, KeyKind.ML_DSA_44])
@pytest.mark.parametrize("profile", ["server", "email", "ocsp"])
def test_the_bytes_that_are_signed_are_those_of_cryptographys_builder(profile: str, kind: KeyKind) -> None:
    authority = authority_of(kind)
    draft = authority.draft(profile, names=NAMES.get(profile, []), key=key_of(KeyKind.RSA2048))
    far = replace(draft, subject=x509.Name([]), not_after=draft.not_after + 40 * 365 * DAY)
    for one in (draft, far, replace(draft, extensions=())):
        built = one.builder().sign(authority.key, one.signature_hash)  # type: ignore[arg-type]  # hash_for gave it
        signed = sign_draft(one, authority.key)
        assert signed.tbs_certificate_bytes == built.tbs_certificate_bytes
        assert signed.signature_algorithm_oid == built.signature_algorithm_oid
        signed.verify_directly_issued_by(authority.issuing)


@pytest.mark.parametrize("octets", [1, 19, 20, 21, 32, 200])
@pytest.mark.parametrize("critical", [False, True])
def test_a_key_identifier_of_any_length_is_encoded_as_cryptographys_builder_does(octets: int, critical: bool) -> None:
    """A root that was made elsewhere keeps its own in a cross certificate."""
    authority, value = authority_of(), x509.SubjectKeyIdentifier(b"k" * octets)
    draft = replace(authority.draft(), extensions=(x509.Extension(value.oid, critical, value),))
    built = draft.builder().sign(authority.key, draft.signature_hash)  # type: ignore[arg-type]  # hash_for gave it
    assert sign_draft(draft, authority.key).tbs_certificate_bytes == built.tbs_certificate_bytes


@pytest.mark.parametrize("profile", LEAVES)
@pytest.mark.parametrize("kind", [KeyKind.P256, KeyKind.RSA2048, KeyKind.ED25519, KeyKind.ML_DSA_44])
def test_a_draft_of_a_built_in_profile_passes_every_check(profile: str, kind: KeyKind) -> None:
    assert run_checks(authority_of().draft(profile, names=NAMES.get(profile, []), key=key_of(kind))) == ()


@pytest.mark.parametrize("kind", [KeyKind.P256, KeyKind.ED25519, KeyKind.ML_DSA_65])
def test_certificates_of_cas_pass_every_check(kind: KeyKind) -> None:
    authority = authority_of(kind)
    for certificate, issuer in ((authority.root, authority.root), (authority.issuing, authority.root)):
        assert run_checks(draft_of(certificate, identity_of(issuer))) == ()


@pytest.mark.parametrize(
    ("kind", "enciphers", "agrees"),
    [(KeyKind.RSA2048, True, False), (KeyKind.P256, False, True), (KeyKind.ED25519, False, False)],
)
def test_the_key_usage_is_what_the_algorithm_can_do(kind: KeyKind, enciphers: bool, agrees: bool) -> None:
    extension = authority_of().draft("email", names=NAMES["email"], key=key_of(kind)).find(x509.KeyUsage)
    assert extension is not None
    usage = extension.value
    assert (usage.key_encipherment, usage.key_agreement) == (enciphers, agrees)
    assert usage.digital_signature


def test_a_certificate_begins_earlier_and_ends_on_the_second() -> None:
    draft = authority_of().draft("server", names=NAMES["server"], lifetime=timedelta(hours=1))
    assert draft.not_before == NOW - timedelta(minutes=5)
    assert draft.not_after == NOW + timedelta(minutes=59, seconds=59)


def test_a_certificate_never_outlives_its_issuer() -> None:
    profile = from_table("forever", {"lifetime": "50y", "maximum_lifetime": "60y"})
    draft = authority_of().draft(profile)
    assert draft.not_after == authority_of().issuing.not_valid_after_utc
    assert run_checks(draft) == ()


def test_a_certificate_never_begins_before_its_issuer() -> None:
    profile = from_table("early", {"backdate": "30d"})
    assert authority_of().draft(profile).not_before == authority_of().issuing.not_valid_before_utc


def test_a_lifetime_over_the_maximum_is_refused() -> None:
    most = BUILT_IN["server"].maximum_lifetime
    assert authority_of().draft("server", names=["a.example"], lifetime=most)
    with pytest.raises(Unacceptable, match="is over the 825d"):
        authority_of().draft("server", names=["a.example"], lifetime=most + timedelta(seconds=1))


def test_an_issuer_that_has_expired_signs_nothing() -> None:
    authority = authority_of()
    holder = Holder(parse_subject("CN=a"), (), key_of().public_key())
    end = authority.issuing.not_valid_after_utc
    draft_certificate(BUILT_IN["client"], holder, issuer=authority.issuer, serial=1, now=end - timedelta(seconds=1))
    with pytest.raises(ConfigError, match="expired on"):
        draft_certificate(BUILT_IN["client"], holder, issuer=authority.issuer, serial=1, now=end)


def test_a_key_that_is_not_the_issuers_signs_nothing() -> None:
    with pytest.raises(ConfigError, match="does not belong"):
        sign_draft(authority_of().draft(), key_of(KeyKind.P384))


def test_with_an_empty_subject_the_names_are_critical() -> None:
    draft = authority_of().draft("server", subject="", names=["a.example"])
    extension = draft.find(x509.SubjectAlternativeName)
    assert extension is not None
    assert extension.critical
    assert run_checks(draft) == ()


def test_the_issuers_urls_are_in_the_certificate_except_a_responders() -> None:
    draft = authority_of().draft("client")
    points = draft.find(x509.CRLDistributionPoints)
    access = draft.find(x509.AuthorityInformationAccess)
    assert points is not None
    assert access is not None
    assert [point.full_name[0].value for point in points.value if point.full_name] == [
        "http://ca.example.com/issuing.crl"
    ]
    assert len(list(access.value)) == 2
    responder = authority_of().draft("ocsp", subject="CN=OCSP")
    assert responder.find(x509.CRLDistributionPoints) is None
    assert responder.find(x509.OCSPNoCheck) is not None


def test_a_ca_below_a_ca_gets_the_path_length_that_is_left() -> None:
    authority = authority_of()
    holder = Holder(parse_subject("CN=Sub"), (), key_of(KeyKind.P384).public_key())
    deep = from_table("deep", {"like": "issuing", "path_length": 3})
    first = sign_draft(draft(deep, holder, identity_of(authority.root)), authority.root_key)
    assert constraints(first) == 3
    below = draft(deep, holder, identity_of(first))
    assert constraints(below) == 2
    assert run_checks(below) == ()


def test_a_ca_below_one_that_allows_none_is_found() -> None:
    holder = Holder(parse_subject("CN=Sub"), (), key_of(KeyKind.P384).public_key())
    codes = {finding.code for finding in run_checks(draft(BUILT_IN["issuing"], holder, authority_of().issuer))}
    assert codes == {"path-length-exceeded"}


def draft(profile: Profile, holder: Holder, issuer: IssuerIdentity) -> Draft:
    return draft_certificate(profile, holder, issuer=issuer, serial=serial(), now=NOW)


def constraints(value: Draft | x509.Certificate) -> int | None:
    drafted = value if isinstance(value, Draft) else draft_of(value)
    extension = drafted.find(x509.BasicConstraints)
    assert extension is not None
    return extension.value.path_length


def test_the_same_issuer_under_other_urls_is_another_one() -> None:
    first = new_authority(urls=PublicationUrls())
    assert first.draft().find(x509.CRLDistributionPoints) is None
    other = identity_of(first.issuing, PublicationUrls(crl=("http://other.example/x.crl",)))
    holder = Holder(parse_subject("CN=a"), (), key_of().public_key())
    assert draft(BUILT_IN["client"], holder, other).find(x509.CRLDistributionPoints) is not None


def test_the_subject_key_identifier_is_the_keys() -> None:
    extension = authority_of().draft().find(x509.SubjectKeyIdentifier)
    assert extension is not None
    assert extension.value.digest == key_identifier(key_of().public_key())
    assert authority_of().issuing.not_valid_after_utc > NOW + DAY


def test_an_issuing_ca_with_usages_of_its_own_lets_only_those_pass() -> None:
    authority = authority_of()
    profile = from_table("issuing-tls", {"like": "issuing", "extended_key_usage": ["serverAuth", "clientAuth"]})
    holder = Holder(parse_subject("CN=TLS only"), (), key_of(KeyKind.P384).public_key())
    drafted = draft(profile, holder, identity_of(authority.root))
    assert run_checks(drafted) == ()
    narrow = identity_of(sign_draft(drafted, authority.root_key))
    leaf = Holder(parse_subject("CN=alice"), (), key_of().public_key())
    assert run_checks(draft(BUILT_IN["client"], leaf, narrow)) == ()
    assert {one.code for one in run_checks(draft(BUILT_IN["ocsp"], leaf, narrow))} == {"eku-outside-issuer"}


def test_a_certificate_signed_with_an_unknown_algorithm_is_read_and_judged() -> None:
    ecdsa_with_sha256, unknown = bytes.fromhex("2a8648ce3d040302"), bytes.fromhex("2a8648ce3d044602")
    data = authority_of().issue("client").public_bytes(Encoding.DER).replace(ecdsa_with_sha256, unknown)
    draft = draft_of(x509.load_der_x509_certificate(data))
    assert {one.code for one in run_checks(draft)} == {"signature-algorithm-unknown"}


def test_a_foreign_certificate_with_misspelled_names_is_read_and_judged() -> None:
    authority = authority_of()
    names = [x509.DNSName("a_b.example"), x509.DNSName("ok.example"), x509.RegisteredID(x509.ObjectIdentifier("1.2.3"))]
    value = x509.SubjectAlternativeName(names)
    drafted = authority.draft("server", names=["ok.example"])
    extensions = tuple(
        x509.Extension(one.oid, one.critical, value) if isinstance(one.value, x509.SubjectAlternativeName) else one
        for one in drafted.extensions
    )
    read_back = draft_of(sign_draft(replace(drafted, extensions=extensions), authority.key))
    assert [str(name) for name in read_back.names] == ["dns:ok.example"]
    assert {one.code for one in run_checks(read_back)} == {"name-misspelled", "name-kind-unknown"}
