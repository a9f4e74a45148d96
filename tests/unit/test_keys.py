"""Keys: their kinds, and every reason for which one is refused."""

import hashlib
from math import isqrt

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from handfast.errors import Unacceptable
from handfast.pki import keys
from handfast.pki.keys import (
    KeyKind,
    describe_key,
    hash_for,
    key_findings,
    key_identifier,
    kind_of,
    public_key_info,
    require_strong,
)
from handfast.pki.rsa_weakness import rsa_findings
from tests.pki_factory import key_of

CHEAP = [kind for kind in KeyKind if not kind.startswith("rsa")] + [KeyKind.RSA2048]
# A product of two 1024-bit primes that lie far apart; made once with cryptography.
GOOD_RSA = key_of(KeyKind.RSA2048)


def codes(modulus: int, exponent: int = 65537) -> set[str]:
    return {finding.code for finding in rsa_findings(modulus, exponent)}


def good_modulus() -> int:
    assert isinstance(GOOD_RSA, rsa.RSAPrivateKey)
    return GOOD_RSA.public_key().public_numbers().n


@pytest.mark.parametrize("kind", CHEAP)
def test_every_kind_is_recognized_and_strong(kind: KeyKind) -> None:
    public_key = key_of(kind).public_key()
    assert kind_of(public_key) is kind
    assert key_findings(public_key) == ()
    require_strong(public_key)


@pytest.mark.parametrize("kind", CHEAP)
def test_a_key_identifier_has_160_bits_and_is_the_keys_own(kind: KeyKind) -> None:
    identifier = key_identifier(key_of(kind).public_key())
    assert len(identifier) == 20
    assert identifier != key_identifier(key_of(KeyKind.P256 if kind is not KeyKind.P256 else KeyKind.P384).public_key())


def test_the_key_identifier_is_that_of_rfc_7093_method_1() -> None:
    key = key_of(KeyKind.P256).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    numbers = key.public_numbers()
    point = b"\x04" + numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
    assert key_identifier(key) == hashlib.sha256(point).digest()[:20]


def test_of_any_number_of_keys_each_has_its_own_encoding_and_few_are_remembered() -> None:
    for number in range(1, 2 * keys._MOST_KNOWN_KEYS):
        key = ed25519.Ed25519PrivateKey.from_private_bytes(number.to_bytes(32, "big")).public_key()
        assert public_key_info(key) == key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        assert key_identifier(key) == hashlib.sha256(key.public_bytes_raw()).digest()[:20]
    assert len(keys._known_keys) <= keys._MOST_KNOWN_KEYS


DSA_PARAMETERS = dsa.DSAParameterNumbers(2**2047 + 9, 2**255 + 95, 4)


def weak_keys() -> list[tuple[PublicKeyTypes, str]]:
    return [
        (rsa.generate_private_key(65537, 1024).public_key(), "weak-key-size"),
        (ec.generate_private_key(ec.SECP256K1()).public_key(), "weak-key-curve"),
        (ec.generate_private_key(ec.BrainpoolP256R1()).public_key(), "weak-key-curve"),
        (ec.generate_private_key(ec.SECP224R1()).public_key(), "weak-key-curve"),
        (ec.generate_private_key(ec.SECP192R1()).public_key(), "weak-key-curve"),
        (
            dsa.DSAPublicNumbers(5, DSA_PARAMETERS).public_key(),
            "weak-key-algorithm",
        ),
        (ed448.Ed448PrivateKey.generate().public_key(), "weak-key-algorithm"),
        (x25519.X25519PrivateKey.generate().public_key(), "key-cannot-sign"),
    ]


@pytest.mark.parametrize(("key", "code"), weak_keys(), ids=lambda value: value if isinstance(value, str) else "")
def test_a_weak_key_is_refused_with_the_reason(key: PublicKeyTypes, code: str) -> None:
    assert kind_of(key) is None
    with pytest.raises(Unacceptable) as refused:
        require_strong(key)
    assert code in {finding.code for finding in refused.value.findings}
    assert describe_key(key) in refused.value.message


def test_a_sound_modulus_has_nothing_against_it() -> None:
    assert codes(good_modulus()) == set()


@pytest.mark.parametrize(
    ("exponent", "refused"),
    [(1, True), (3, True), (65535, True), (65536, True), (65537, False), (2**256 - 1, False), (2**256 + 1, True)],
)
def test_an_exponent_is_odd_and_within_its_bounds(exponent: int, refused: bool) -> None:
    assert codes(good_modulus(), exponent) == ({"weak-key-exponent"} if refused else set())


def test_the_size_is_tested_at_its_bounds() -> None:
    assert codes(good_modulus() >> 1 | 1) >= {"weak-key-size"}
    assert "weak-key-size" not in codes(1 << 8191 | 1)
    assert "weak-key-size" in codes(1 << 8192 | 1)


@pytest.mark.parametrize("factor", [2, 3, 751])
def test_a_modulus_with_a_small_factor_is_refused(factor: int) -> None:
    assert "weak-key-factor" in codes(good_modulus() * factor)


def test_a_modulus_of_two_close_primes_is_refused() -> None:
    start = isqrt(good_modulus())
    first = start | 1
    assert "weak-key-close-primes" in codes(first * (first + 2**500))
    assert "weak-key-close-primes" not in codes(first * (first + 2**1000))


def test_a_modulus_with_the_fingerprint_of_roca_is_refused() -> None:
    # Any power of 65537 has the fingerprint: every residue lies in the subgroup that it generates.
    assert "weak-key-roca" in codes(65537**128)


def test_all_that_is_wrong_is_said_at_once() -> None:
    assert codes(3 * 5, 2) == {"weak-key-size", "weak-key-exponent"}


PUBLISHED = """-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEWwkBuIUjKW65GdUP+hqcs3S8TUCVhigr
/soRsdla27VHNK9XC/grcijPImvPTCXdvP47GjrTlDDv92Ph1o0uFR2Rcgt3lbWN
prNGOWE6j7m1qNpIxnRxF/mRnoQk837I
-----END PUBLIC KEY-----
"""


def test_a_key_that_a_standard_prints_is_refused() -> None:
    (finding,) = key_findings(load_pem_public_key(PUBLISHED.encode()))
    assert finding.code == "weak-key-published"
    assert "RFC 9500" in finding.message


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (KeyKind.P256, "sha256"),
        (KeyKind.P384, "sha384"),
        (KeyKind.P521, "sha512"),
        (KeyKind.RSA2048, "sha256"),
        (KeyKind.ED25519, None),
        (KeyKind.ML_DSA_65, None),
    ],
)
def test_the_hash_fits_the_key(kind: KeyKind, name: str | None) -> None:
    for key in (key_of(kind), key_of(kind).public_key()):
        algorithm = hash_for(key)
        assert (algorithm.name if algorithm else None) == name


def test_a_key_is_described_as_people_call_it() -> None:
    assert describe_key(key_of(KeyKind.P256).public_key()) == "ECDSA P-256"
    assert describe_key(key_of(KeyKind.RSA2048).public_key()) == "RSA 2048"
    assert describe_key(key_of(KeyKind.ML_DSA_44).public_key()) == "ML-DSA-44"
