"""Public keys of certificates: read once, and judged (RFC 5280 section 4.1.2.7; RFC 3279, 5480, 8410, 9881)."""

from typing import NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import load_der_public_key

from handfast.errors import Malformed
from handfast.pki.rsa_weakness import rsa_findings
from handfast.validate.der import BIT_STRING, INTEGER, OBJECT_IDENTIFIER, SEQUENCE, identifier, integer, items
from handfast.validate.memory import remembering

_DSA = identifier("1.2.840.10040.4.1")
_COMMON_CURVES = {"secp256r1", "secp384r1", "secp521r1"}
# SubjectPublicKeyInfo of an uncompressed P-256 point, and y^2 = x^3 - 3x + b (NIST SP 800-186 section 3.2.1.3).
_P256, _P256_LENGTH = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004"), 91
_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
_LEAST_RSA, _USUAL_RSA, _GREATEST_RSA = 1024, 2048, 16384
# OpenSSL's own bounds: beyond them one signature takes long enough to keep a relying party busy.
_GREATEST_EXPONENT_BITS = 64
_GREATEST_DSA = 3072
_STRUCTURE = {"weak-key-factor", "weak-key-roca", "weak-key-close-primes"}


class SubjectKey(NamedTuple):
    """A key that was read: None when it cannot be used; what is wrong with it, as pairs of a code and a message."""

    key: PublicKeyTypes | None
    problems: tuple[tuple[str, str], ...] = ()
    inherits: bool = False


@remembering(most=1024, longest=4096)
def key_problems(spki: bytes) -> tuple[tuple[str, str], ...]:
    """What is wrong with a key, as pairs of a rule's code and a message; never raises.

    A P-256 key, as most are, is not loaded for it: that its point is on the curve is a few multiplications.
    """
    if len(spki) == _P256_LENGTH and spki.startswith(_P256):
        x, y = int.from_bytes(spki[27:59], "big"), int.from_bytes(spki[59:], "big")
        if x < _P and y < _P and (x * x * x - 3 * x + _B - y * y) % _P == 0:
            return ()
    return subject_key(spki).problems


@remembering(most=1024, longest=4096)
def subject_key(spki: bytes) -> SubjectKey:
    """The key of a SubjectPublicKeyInfo in DER; never raises. `inherits`: a DSA key without parameters."""
    try:
        key = load_der_public_key(spki)
    except (ValueError, UnsupportedAlgorithm, TypeError) as error:
        if _inherited_dsa_value(spki) is not None:
            return SubjectKey(None, (("key-dsa", "the key is a DSA key"),), inherits=True)
        return SubjectKey(None, (("key-unreadable", f"the public key cannot be read: {_first_words(error)}"),))
    return _judge(key, spki)


def _first_words(error: Exception) -> str:
    return str(error).split("\n")[0].split(". ")[0][:100].rstrip(".") or type(error).__name__


def _judge(key: PublicKeyTypes, spki: bytes) -> SubjectKey:
    if isinstance(key, rsa.RSAPublicKey):
        return _judge_rsa(key)
    if isinstance(key, ec.EllipticCurvePublicKey) and not _is_named(spki):
        return SubjectKey(key, (("key-curve-explicit", "the curve of the key is written out, not named"),))
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name not in _COMMON_CURVES:
        return SubjectKey(key, (("key-curve-not-common", f"the key is on the curve {key.curve.name}"),))
    if isinstance(key, dsa.DSAPublicKey):
        if key.key_size > _GREATEST_DSA:
            return SubjectKey(None, (("key-too-large", f"the DSA key has {key.key_size} bits"),))
        return SubjectKey(key, (("key-dsa", f"the key is a DSA key of {key.key_size} bits"),))
    return SubjectKey(key)


def _is_named(spki: bytes) -> bool:
    """Whether the parameters of an EC key are the identifier of a curve."""
    return items(items(spki, SEQUENCE)[0][2], SEQUENCE)[1][0] == OBJECT_IDENTIFIER


def _judge_rsa(key: rsa.RSAPublicKey) -> SubjectKey:
    numbers, size = key.public_numbers(), key.key_size
    if size > _GREATEST_RSA or numbers.e.bit_length() > _GREATEST_EXPONENT_BITS:
        return SubjectKey(None, (("key-too-large", f"the RSA key has {size} bits, or an exponent over 64 bits"),))
    problems = []
    if size < _LEAST_RSA:
        problems.append(("key-rsa-too-small", f"the RSA key has only {size} bits"))
    elif size < _USUAL_RSA:
        problems.append(("key-rsa-under-2048", f"the RSA key has only {size} bits"))
    if size % 8:
        problems.append(("key-rsa-odd-size", f"the RSA key has {size} bits, which is no whole number of octets"))
    if size >= _LEAST_RSA:
        broken = (each for each in rsa_findings(numbers.n, numbers.e) if each.code in _STRUCTURE)
        problems.extend(("key-rsa-broken", each.message) for each in broken)
    return SubjectKey(key, tuple(problems))


def with_parameters(spki: bytes, issuer_key: PublicKeyTypes | None) -> PublicKeyTypes | None:
    """The DSA key of an SPKI without parameters, with those of its issuer's key (RFC 5280 section 6.1.4 (e))."""
    value = _inherited_dsa_value(spki)
    if value is None or not isinstance(issuer_key, dsa.DSAPublicKey):
        return None
    try:
        return dsa.DSAPublicNumbers(value, issuer_key.parameters().parameter_numbers()).public_key()
    except ValueError:
        return None


def _inherited_dsa_value(spki: bytes) -> int | None:
    try:
        algorithm, bits = items(spki, SEQUENCE)
        identifiers = items(algorithm[2], SEQUENCE)
        if len(identifiers) != 1 or identifiers[0][1] != _DSA or bits[0] != BIT_STRING:
            return None
        tag, octets, _ = items(b"\x30" + _length(bits[1][1:]) + bits[1][1:], SEQUENCE)[0]
    except (Malformed, ValueError, IndexError):
        return None
    return integer(octets) if tag == INTEGER else None


def _length(octets: bytes) -> bytes:
    return bytes((0x82,)) + len(octets).to_bytes(2, "big") if len(octets) > 255 else bytes((0x81, len(octets)))
