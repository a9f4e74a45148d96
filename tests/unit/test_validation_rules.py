"""Every rule of the validator: a sound chain does not break it, and the chain in which one thing is spoiled does."""

from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from handfast.pki.der import encode, sequence
from handfast.validate import RULES, Budget, Level
from handfast.validate.der import identifier
from tests.unit.validation_world import (
    ACCESS,
    AUTHORITY_KEY,
    BASIC,
    CONSTRAINTS,
    EXTENDED,
    INHIBIT_ANY,
    MAPPINGS,
    NAMES,
    POLICY_CONSTRAINTS,
    SUBJECT_KEY,
    USAGE,
    Fields,
    World,
    authority,
    codes,
    directory,
    extension,
    key,
    spki,
    spoiled,
    usage,
    utc_times,
)

Row = tuple[str, int | None, Callable[[World], object], dict[str, Any]]
DNS = x509.DNSName
ANY_USAGE = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])
SMALL_PRIMES = [n for n in range(3, 752, 2) if all(n % d for d in range(3, n, 2))]


def constrain(
    permitted: list[x509.GeneralName] | None, excluded: list[x509.GeneralName] | None = None
) -> x509.NameConstraints:
    return x509.NameConstraints(permitted, excluded)


def set_all(target: Any, **values: object) -> Any:
    for name, value in values.items():
        setattr(target, name, value)
    return target


def with_names(world: World, *names: x509.GeneralName, critical: bool = False) -> Fields:
    return world.leaf.set(NAMES, x509.SubjectAlternativeName(names), critical=critical)


def rsa_spki(bits: int, exponent: int = 65537, *, factor: int = 0) -> bytes:
    """An RSA key that nobody has; its modulus has no small factor but the one asked for."""
    modulus = (1 << (bits - 1)) + 10**40 + 1
    while any((modulus % prime == 0) != (prime == factor) for prime in SMALL_PRIMES):
        modulus += 2
    octets = modulus.to_bytes(bits // 8 + 1, "big")
    power = encode(2, exponent.to_bytes(exponent.bit_length() // 8 + 1, "big"))
    info = encode(3, b"\0" + sequence([encode(2, octets), power]))
    return sequence([bytes.fromhex("300d06092a864886f70d0101010500"), info])


def set_critical(fields: Fields, oid: str, *, critical: bool = True) -> None:
    fields.extensions[oid] = critical, fields.extensions[oid][1]


def access() -> x509.AuthorityInformationAccess:
    place = x509.UniformResourceIdentifier("http://ca.example/ca.cer")
    return x509.AuthorityInformationAccess([x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, place)])


def mapping(issuers: str, subjects: str) -> bytes:
    return sequence([sequence([encode(6, identifier(issuers)), encode(6, identifier(subjects))])])


def dsa_spki() -> bytes:
    return spki(dsa.generate_private_key(1024).public_key())


# As `openssl ecparam -name prime256v1 -genkey -param_enc explicit` makes it.
EXPLICIT_P256 = bytes.fromhex(
    "3082014b3082010306072a8648ce3d02013081f7020101302c06072a8648ce3d0101022100ffffffff00000001000000000000000000000000ffffff"
    "ffffffffffffffffff305b0420ffffffff00000001000000000000000000000000fffffffffffffffffffffffc04205ac635d8aa3a93e7b3ebbd5576"
    "9886bc651d06b0cc53b0f63bce3c3e27d2604b031500c49d360886e704936a6678e1139d26b7819f7e900441046b17d1f2e12c4247f8bce6e563a440"
    "f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5022100ffffffff00000000"
    "ffffffffffffffffbce6faada7179e84f3b9cac2fc63255102010103420004f2638ec4d4749b841cff394d340519214de5e67ca87ffbf2da803a1ccb"
    "82126f93de40c22c22551608ba181a336ed1e2186bf56ba434daaae3695645c865921a"
)


def signed_as(algorithm: str) -> Callable[[World], object]:
    octets = bytes.fromhex(algorithm)
    return lambda w: set_all(w.leaf, algorithm=octets, inner_algorithm=octets)


SHA1_RSA, MD5_RSA = "300d06092a864886f70d0101050500", "300d06092a864886f70d0101040500"
SHA256_RSA_BARE, DSA_SHA1, UNKNOWN = "300b06092a864886f70d01010b", "300906072a8648ce380403", "300506032a0304"

ROWS: list[Row] = [
    ("malformed-certificate", 0, lambda w: set_all(w.leaf, serial=b""), {}),
    ("no-path", 0, lambda w: set_all(w, ca=authority("stranger", "root")), {}),
    (
        "anchor-not-trusted",
        2,
        lambda w: (set_all(w, others=[w.root.der()]), set_all(w, root=authority("another", "another"))),
        {},
    ),
    ("depth-exceeded", 0, lambda w: None, {"max_intermediates": 0}),
    ("intermediates-too-many", None, lambda w: None, {"budget": Budget(octets_sent=100)}),
    ("intermediate-unreadable", None, lambda w: w.others.append(b"\x30\x03\x02\x01\x01"), {}),
    ("signature-invalid", 0, lambda w: set_all(w.leaf, flip_signature=True), {}),
    ("signature-algorithm-mismatch", 0, lambda w: set_all(w.leaf, inner_algorithm=bytes.fromhex(SHA1_RSA)), {}),
    ("signature-algorithm-unknown", 0, signed_as(UNKNOWN), {}),
    ("signature-parameters-wrong", 0, signed_as(SHA256_RSA_BARE), {}),
    ("signature-md5", 0, signed_as(MD5_RSA), {}),
    ("signature-sha1", 0, signed_as(SHA1_RSA), {}),
    ("signature-dsa", 0, signed_as(DSA_SHA1), {}),
    ("key-unreadable", 0, lambda w: set_all(w.leaf, public_key=spki(key("leaf").public_key())[:-1] + b"\x07"), {}),
    ("key-rsa-too-small", 0, lambda w: set_all(w.leaf, public_key=rsa_spki(1016)), {}),
    ("key-rsa-under-2048", 0, lambda w: set_all(w.leaf, public_key=rsa_spki(2040)), {}),
    ("key-rsa-odd-size", 0, lambda w: set_all(w.leaf, public_key=rsa_spki(2049)), {}),
    ("key-rsa-broken", 0, lambda w: set_all(w.leaf, public_key=rsa_spki(2048, factor=3)), {}),
    ("key-curve-explicit", 0, lambda w: set_all(w.leaf, public_key=EXPLICIT_P256), {}),
    ("key-too-large", 0, lambda w: set_all(w.leaf, public_key=rsa_spki(2048, 2**65 + 1)), {}),
    (
        "key-curve-not-common",
        0,
        lambda w: set_all(w.leaf, public_key=spki(ec.generate_private_key(ec.BrainpoolP256R1()).public_key())),
        {},
    ),
    ("key-dsa", 0, lambda w: set_all(w.leaf, public_key=dsa_spki()), {}),
    ("version-unknown", 0, lambda w: set_all(w.leaf, version=bytes.fromhex("a003020107")), {}),
    ("version-not-3", 0, lambda w: set_all(w.leaf, version=b"", extensions={}), {}),
    ("extensions-without-version-3", 0, lambda w: set_all(w.leaf, version=bytes.fromhex("a003020101")), {}),
    ("serial-negative", 0, lambda w: set_all(w.leaf, serial=b"\xff"), {}),
    ("serial-zero", 0, lambda w: set_all(w.leaf, serial=b"\0"), {}),
    ("serial-too-long", 0, lambda w: set_all(w.leaf, serial=b"\0\x80" + b"\1" * 19), {}),
    (
        "time-generalized-before-2050",
        0,
        lambda w: set_all(
            w.leaf, validity=sequence([encode(0x18, b"20260101000000Z"), encode(0x17, b"270101000000Z")])
        ),
        {},
    ),
    ("default-encoded", 0, lambda w: w.leaf.extra_extensions.append(bytes.fromhex("300b0603550404010100040101")), {}),
    ("issuer-empty", 0, lambda w: (set_all(w.leaf, issuer=directory("")), set_all(w.ca, subject=directory(""))), {}),
    (
        "ca-subject-empty",
        1,
        lambda w: (set_all(w.leaf, issuer=directory("")), set_all(w.ca, subject=directory(""))),
        {},
    ),
    ("not-yet-valid", 0, lambda w: set_all(w.leaf, validity=utc_times("260601120001Z", "270101000000Z")), {}),
    ("expired", 0, lambda w: set_all(w.leaf, validity=utc_times("260101000000Z", "260601115959Z")), {}),
    ("issuer-expired", 1, lambda w: set_all(w.ca, validity=utc_times("260101000000Z", "260601115959Z")), {}),
    ("malformed-extension", 0, lambda w: w.leaf.set(NAMES, b"\x30\x05\x82\x01a"), {}),
    (
        "duplicate-extension",
        0,
        lambda w: w.leaf.extra_extensions.append(extension(USAGE, True, b"\x03\x02\x07\x80")),
        {},
    ),
    ("unknown-critical-extension", 0, lambda w: w.leaf.set("1.2.3.4", b"\x05\x00", critical=True), {}),
    ("authority-key-identifier-missing", 0, lambda w: w.leaf.set(AUTHORITY_KEY, None), {}),
    ("authority-key-identifier-critical", 0, lambda w: set_critical(w.leaf, AUTHORITY_KEY), {}),
    ("authority-key-identifier-without-key", 0, lambda w: w.leaf.set(AUTHORITY_KEY, b"\x30\x00"), {}),
    (
        "authority-key-identifier-with-issuer",
        0,
        lambda w: w.leaf.set(AUTHORITY_KEY, x509.AuthorityKeyIdentifier(b"x", [DNS("a")], 1)),
        {},
    ),
    (
        "authority-key-identifier-mismatch",
        0,
        lambda w: w.leaf.set(AUTHORITY_KEY, x509.AuthorityKeyIdentifier(b"x", None, None)),
        {},
    ),
    ("subject-key-identifier-missing", 1, lambda w: w.ca.set(SUBJECT_KEY, None), {}),
    ("subject-key-identifier-critical", 0, lambda w: set_critical(w.leaf, SUBJECT_KEY), {}),
    ("authority-information-access-critical", 0, lambda w: w.leaf.set(ACCESS, access(), critical=True), {}),
    ("not-a-ca", 1, lambda w: w.ca.set(BASIC, x509.BasicConstraints(ca=False, path_length=None), critical=True), {}),
    ("not-a-ca", 1, lambda w: w.ca.set(BASIC, None), {}),
    ("basic-constraints-not-critical", 1, lambda w: set_critical(w.ca, BASIC, critical=False), {}),
    ("anchor-basic-constraints-not-critical", 2, lambda w: set_critical(w.root, BASIC, critical=False), {}),
    (
        "path-length-exceeded",
        2,
        lambda w: w.root.set(BASIC, x509.BasicConstraints(ca=True, path_length=0), critical=True),
        {},
    ),
    ("path-length-without-ca", 0, lambda w: w.leaf.set(BASIC, b"\x30\x03\x02\x01\x00", critical=True), {}),
    ("cert-sign-missing", 1, lambda w: w.ca.set(USAGE, usage("crl_sign"), critical=True), {}),
    (
        "cert-sign-without-ca",
        0,
        lambda w: w.leaf.set(USAGE, usage("digital_signature", "key_cert_sign"), critical=True),
        {},
    ),
    ("key-usage-missing", 1, lambda w: w.ca.set(USAGE, None), {}),
    ("key-usage-empty", 0, lambda w: w.leaf.set(USAGE, b"\x03\x01\x00", critical=True), {}),
    ("leaf-is-ca", 0, lambda w: w.leaf.set(BASIC, x509.BasicConstraints(ca=True, path_length=None), critical=True), {}),
    (
        "purpose-not-allowed",
        0,
        lambda w: w.leaf.set(EXTENDED, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])),
        {},
    ),
    ("purpose-not-allowed", 0, lambda w: w.leaf.set(EXTENDED, None), {"purpose": "ocsp"}),
    ("purpose-not-allowed", 0, lambda w: w.leaf.set(EXTENDED, ANY_USAGE), {"purpose": "ocsp"}),
    (
        "purpose-not-allowed-by-ca",
        1,
        lambda w: w.ca.set(EXTENDED, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])),
        {},
    ),
    (
        "extended-key-usage-any",
        0,
        lambda w: w.leaf.set(EXTENDED, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])),
        {},
    ),
    ("extended-key-usage-missing", 0, lambda w: w.leaf.set(EXTENDED, None), {}),
    ("extended-key-usage-critical", 0, lambda w: set_critical(w.leaf, EXTENDED), {}),
    (
        "anchor-extended-key-usage",
        2,
        lambda w: w.root.set(EXTENDED, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])),
        {},
    ),
    ("key-usage-not-for-purpose", 0, lambda w: w.leaf.set(USAGE, usage("crl_sign"), critical=True), {}),
    ("subject-alternative-name-missing", 0, lambda w: w.leaf.set(NAMES, None), {}),
    ("subject-alternative-name-empty", 0, lambda w: w.leaf.set(NAMES, b"\x30\x00"), {}),
    ("subject-alternative-name-invalid", 0, lambda w: with_names(w, DNS("under_score.example.com")), {}),
    ("subject-alternative-name-not-critical", 0, lambda w: set_all(w.leaf, subject=directory("")), {}),
    ("subject-alternative-name-critical", 0, lambda w: set_critical(w.leaf, NAMES), {}),
    ("wildcard-public-suffix", 0, lambda w: with_names(w, DNS("*.co.uk")), {}),
    ("common-name-not-a-name", 0, lambda w: set_all(w.leaf, subject=directory("CN=WWW.example.com")), {}),
    ("common-name-ignored", 0, lambda w: set_all(w.leaf, subject=directory("CN=other.example.com")), {}),
    ("name-mismatch", 0, lambda w: with_names(w, DNS("ww.example.com")), {}),
    (
        "name-in-common-name-only",
        0,
        lambda w: (w.leaf.set(NAMES, None), set_all(w.leaf, subject=directory("CN=www.example.com"))),
        {},
    ),
    ("name-not-permitted", 0, lambda w: w.ca.set(CONSTRAINTS, constrain([DNS("example.org")]), critical=True), {}),
    ("name-excluded", 0, lambda w: w.ca.set(CONSTRAINTS, constrain(None, [DNS("example.com")]), critical=True), {}),
    (
        "name-constraints-malformed",
        1,
        lambda w: w.ca.set(CONSTRAINTS, constrain([DNS(".example.com")]), critical=True),
        {},
    ),
    (
        "name-constraints-unsupported",
        0,
        lambda w: (
            with_names(w, x509.RegisteredID(ExtendedKeyUsageOID.CLIENT_AUTH)),
            w.ca.set(CONSTRAINTS, constrain(None, [x509.RegisteredID(ExtendedKeyUsageOID.SERVER_AUTH)]), critical=True),
        ),
        {},
    ),
    ("name-constraints-empty", 1, lambda w: w.ca.set(CONSTRAINTS, b"\x30\x00", critical=True), {}),
    ("name-constraints-not-critical", 1, lambda w: w.ca.set(CONSTRAINTS, constrain([DNS("example.com")])), {}),
    (
        "name-constraints-in-leaf",
        0,
        lambda w: w.leaf.set(CONSTRAINTS, constrain([DNS("example.com")]), critical=True),
        {},
    ),
    ("policy-required", 1, lambda w: None, {"require_explicit_policy": True}),
    ("policy-mapping-any", 1, lambda w: w.ca.set(MAPPINGS, mapping("2.5.29.32.0", "1.2.3")), {}),
    ("policy-constraints-not-critical", 1, lambda w: w.ca.set(POLICY_CONSTRAINTS, x509.PolicyConstraints(5, None)), {}),
    ("policy-constraints-empty", 1, lambda w: w.ca.set(POLICY_CONSTRAINTS, b"\x30\x00", critical=True), {}),
    ("inhibit-any-policy-not-critical", 1, lambda w: w.ca.set(INHIBIT_ANY, x509.InhibitAnyPolicy(0)), {}),
    ("pin-mismatch", None, lambda w: None, {"pins": frozenset({b"\0" * 32})}),
]

# Rules that need more than one spoiled field have tests of their own.
ELSEWHERE = {"budget-exhausted", "leaf-is-anchor", "policies-too-many"}


def row_name(row: object) -> str | None:
    return row if isinstance(row, str) else None


@pytest.mark.parametrize(("code", "position", "spoil", "asked"), ROWS, ids=row_name)
def test_a_chain_that_breaks_a_rule_is_told_so_at_the_certificate(
    code: str, position: int | None, spoil: Callable[[World], object], asked: dict[str, Any]
) -> None:
    report = spoiled(spoil, **asked)
    assert (code, position) in codes(report)
    assert all(
        (code in {each.finding.code for each in report.fatal_at(level)}) == (level in RULES[code].fatal_at)
        for level in Level
    )


@pytest.mark.parametrize("level", list(Level))
@pytest.mark.parametrize("purpose", ["server", "client", "any"])
def test_a_sound_chain_breaks_no_rule(level: Level, purpose: str) -> None:
    report = World().report(purpose, level=level)
    assert codes(report) == set()
    assert report.is_acceptable


def test_every_rule_has_a_chain_that_breaks_it() -> None:
    assert {code for code, *_ in ROWS} | ELSEWHERE == set(RULES)


def test_any_extended_key_usage_will_do_below_the_strict_level() -> None:
    world = World()
    world.leaf.set(EXTENDED, ANY_USAGE)
    assert world.report(level=Level.RFC5280).is_acceptable
    world.ca.set(EXTENDED, ANY_USAGE)
    assert world.report(level=Level.RFC5280).is_acceptable
