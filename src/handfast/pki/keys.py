"""Keys in certificates: kinds, strength, identifiers (RFC 5280 section 4.2.1.2, RFC 8410, RFC 9881)."""

import hashlib
from enum import StrEnum
from functools import cache
from typing import TypeAlias, TypeGuard

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, mldsa, mlkem, rsa, x448, x25519
from cryptography.hazmat.primitives.asymmetric.types import (
    CertificateIssuerPrivateKeyTypes,
    CertificatePublicKeyTypes,
    PublicKeyTypes,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from handfast.errors import Unacceptable
from handfast.findings import Finding, Severity
from handfast.pki import der
from handfast.pki.published_keys import PUBLISHED
from handfast.pki.rsa_weakness import rsa_findings

PrivateKey: TypeAlias = CertificateIssuerPrivateKeyTypes
PublicKey: TypeAlias = CertificatePublicKeyTypes


class KeyKind(StrEnum):
    """Every kind of key that handfast makes, certifies and signs with."""

    P256 = "p256"
    P384 = "p384"
    P521 = "p521"
    ED25519 = "ed25519"
    RSA2048 = "rsa2048"
    RSA3072 = "rsa3072"
    RSA4096 = "rsa4096"
    ML_DSA_44 = "ml-dsa-44"
    ML_DSA_65 = "ml-dsa-65"
    ML_DSA_87 = "ml-dsa-87"


_CURVES = {"secp256r1": KeyKind.P256, "secp384r1": KeyKind.P384, "secp521r1": KeyKind.P521}
_RSA_SIZES = {2048: KeyKind.RSA2048, 3072: KeyKind.RSA3072, 4096: KeyKind.RSA4096}
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "secp256r1": hashes.SHA256(),
    "secp384r1": hashes.SHA384(),
    "secp521r1": hashes.SHA512(),
}
_SHA256 = hashes.SHA256()
_WITHOUT_SIZE: tuple[tuple[type, KeyKind], ...] = (
    (ed25519.Ed25519PublicKey, KeyKind.ED25519),
    (mldsa.MLDSA44PublicKey, KeyKind.ML_DSA_44),
    (mldsa.MLDSA65PublicKey, KeyKind.ML_DSA_65),
    (mldsa.MLDSA87PublicKey, KeyKind.ML_DSA_87),
)
_DESCRIPTIONS = {
    KeyKind.P256: "ECDSA P-256",
    KeyKind.P384: "ECDSA P-384",
    KeyKind.P521: "ECDSA P-521",
    KeyKind.ED25519: "Ed25519",
    KeyKind.ML_DSA_44: "ML-DSA-44",
    KeyKind.ML_DSA_65: "ML-DSA-65",
    KeyKind.ML_DSA_87: "ML-DSA-87",
}
_NEVER_SIGN: tuple[tuple[type, str], ...] = (
    (x25519.X25519PublicKey, "X25519"),
    (x448.X448PublicKey, "X448"),
    (mlkem.MLKEM768PublicKey, "ML-KEM-768"),
    (mlkem.MLKEM1024PublicKey, "ML-KEM-1024"),
)
_USE = "make a P-256 key (the default), or one of: " + ", ".join(KeyKind)


def kind_of(public_key: PublicKeyTypes) -> KeyKind | None:
    """The kind, or None for a key that is none of them. An RSA key of 2049 to 3071 bits is an rsa2048."""
    if is_elliptic(public_key):
        return _CURVES.get(public_key.curve.name)
    if is_rsa(public_key):
        fitting = [kind for bits, kind in _RSA_SIZES.items() if public_key.key_size >= bits]
        return fitting[-1] if fitting else None
    return _kind_without_size(type(public_key))


# isinstance() with cryptography's abstract classes takes a microsecond; there are dozens on the way to a signature.
@cache
def _is_subclass(cls: type, base: type) -> bool:
    return issubclass(cls, base)


def is_elliptic(public_key: PublicKeyTypes) -> TypeGuard[ec.EllipticCurvePublicKey]:
    """True for a public key on any elliptic curve with ECDSA."""
    return _is_subclass(type(public_key), ec.EllipticCurvePublicKey)


def is_rsa(public_key: PublicKeyTypes) -> TypeGuard[rsa.RSAPublicKey]:
    """True for an RSA public key."""
    return _is_subclass(type(public_key), rsa.RSAPublicKey)


@cache
def _kind_without_size(cls: type) -> KeyKind | None:
    return next((kind for base, kind in _WITHOUT_SIZE if issubclass(cls, base)), None)


def describe_key(public_key: PublicKeyTypes) -> str:
    """What a person calls it: `ECDSA P-256`, `RSA 3072`, `ECDSA secp256k1`."""
    if isinstance(public_key, rsa.RSAPublicKey):
        return f"RSA {public_key.key_size}"
    kind = kind_of(public_key)
    if kind is not None:
        return _DESCRIPTIONS[kind]
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        return f"ECDSA {public_key.curve.name}"
    if isinstance(public_key, dsa.DSAPublicKey):
        return f"DSA {public_key.key_size}"
    if isinstance(public_key, ed448.Ed448PublicKey):
        return "Ed448"
    return next((name for cls, name in _NEVER_SIGN if isinstance(public_key, cls)), type(public_key).__name__)


def key_findings(public_key: PublicKeyTypes) -> tuple[Finding, ...]:
    """Everything that makes this key unfit for a certificate; empty for a sound key. Does not ask who else has it."""
    if is_rsa(public_key):
        numbers = public_key.public_numbers()
        return (*rsa_findings(numbers.n, numbers.e), *_published(public_key))
    if kind_of(public_key) is not None:
        return _published(public_key)
    description = describe_key(public_key)
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        return (
            _finding("weak-key-curve", f"the key is on the curve {public_key.curve.name}", "RFC 5480 section 2.1.1.1"),
        )
    if any(isinstance(public_key, cls) for cls, _ in _NEVER_SIGN):
        return (_finding("key-cannot-sign", f"a {description} key agrees on secrets and cannot sign", "RFC 8410"),)
    return (_finding("weak-key-algorithm", f"nothing in use accepts a {description} key", "RFC 9325 section 4.5"),)


def _published(public_key: PublicKeyTypes) -> tuple[Finding, ...]:
    where = PUBLISHED.get(key_identifier(public_key))
    if where is None:
        return ()
    return (_finding("weak-key-published", f"everybody has its private key: it is printed in {where}", "RFC 9500"),)


def require_strong(public_key: PublicKeyTypes) -> None:
    """Raise Unacceptable, with every reason, for a key that key_findings() objects to."""
    findings = key_findings(public_key)
    if findings:
        reasons = "; ".join(finding.message for finding in findings)
        message = f"this {describe_key(public_key)} key is refused: {reasons}"
        raise Unacceptable(message, hint=findings[0].fix, findings=findings)


def public_key_info(public_key: PublicKeyTypes) -> bytes:
    """The SubjectPublicKeyInfo in DER (RFC 5280 section 4.1.2.7)."""
    return _known_key(public_key)[1]


def key_identifier(public_key: PublicKeyTypes) -> bytes:
    """The 160-bit identifier of RFC 7093 section 2 method 1: the left of SHA-256 over the subjectPublicKey bits."""
    return _known_key(public_key)[2]


def _known_key(public_key: PublicKeyTypes) -> tuple[PublicKeyTypes, bytes, bytes]:
    known = _known_keys.get(id(public_key))
    if known is not None and known[0] is public_key:
        return known
    info = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    *_, last = der.children(info, der.element_at(info))
    known = (public_key, info, hashlib.sha256(info[last.start + 1 : last.end]).digest()[:20])
    if len(_known_keys) >= _MOST_KNOWN_KEYS:
        _known_keys.clear()
    _known_keys[id(public_key)] = known
    return known


# Asked four times for each certificate, and encoding the key costs a tenth of signing it. The key is kept beside its
# encoding and identifier, so that no other key can have its id().
_known_keys: dict[int, tuple[PublicKeyTypes, bytes, bytes]] = {}
_MOST_KNOWN_KEYS = 512


def hash_for(key: PrivateKey | PublicKeyTypes) -> hashes.HashAlgorithm | None:
    """The hash that a signature by this key uses; None for algorithms that bring their own (Ed25519, ML-DSA)."""
    cls = type(key)
    if _is_subclass(cls, ec.EllipticCurvePublicKey) or _is_subclass(cls, ec.EllipticCurvePrivateKey):
        return _HASHES.get(key.curve.name, _SHA256)  # type: ignore[union-attr]  # both have a curve
    if _is_subclass(cls, rsa.RSAPublicKey) or _is_subclass(cls, rsa.RSAPrivateKey):
        return _SHA256
    return None


def _finding(code: str, message: str, reference: str) -> Finding:
    return Finding(code, Severity.ERROR, message, _USE, reference)
