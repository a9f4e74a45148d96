"""Signatures over DER that we put together ourselves, and their AlgorithmIdentifier (RFC 5280 section 4.1.1.2)."""

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa

from handfast.errors import ConfigError
from handfast.pki import der
from handfast.pki.keys import PrivateKey, hash_for

# Making one takes a tenth of what a signature takes.
_ECDSA_WITH = {one.name: ec.ECDSA(one) for one in (hashes.SHA256(), hashes.SHA384(), hashes.SHA512())}
_RSA_PADDING = padding.PKCS1v15()
_RSA_WITH_SHA256 = "1.2.840.113549.1.1.11"
_ECDSA = {
    name: der.sequence((der.object_identifier(f"1.2.840.10045.4.3.{last}"),))
    for name, last in (("sha256", 2), ("sha384", 3), ("sha512", 4))
}
_PURE: tuple[tuple[type, str], ...] = (
    (ed25519.Ed25519PrivateKey, "1.3.101.112"),
    (mldsa.MLDSA44PrivateKey, "2.16.840.1.101.3.4.3.17"),
    (mldsa.MLDSA65PrivateKey, "2.16.840.1.101.3.4.3.18"),
    (mldsa.MLDSA87PrivateKey, "2.16.840.1.101.3.4.3.19"),
)


def signature_algorithm(key: PrivateKey) -> bytes:
    """The AlgorithmIdentifier of sign() by this key, in DER (RFC 4055 section 5, RFC 5758, RFC 8410, RFC 9881).

    Raises ConfigError for a key that cannot sign.
    """
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return _ECDSA[hash_for(key).name]  # type: ignore[union-attr]  # an EC key has a hash
    if isinstance(key, rsa.RSAPrivateKey):
        return der.sequence((der.object_identifier(_RSA_WITH_SHA256), der.NULL))
    for cls, dotted in _PURE:
        if isinstance(key, cls):
            return der.sequence((der.object_identifier(dotted),))
    msg = f"a key of the class {type(key).__name__} cannot sign"
    raise ConfigError(msg, hint="use an EC, RSA, Ed25519 or ML-DSA key for the CA")


def sign(key: PrivateKey, data: bytes) -> bytes:
    """The signature over the data, with the hash that hash_for() names."""
    algorithm = hash_for(key)
    if isinstance(key, ec.EllipticCurvePrivateKey) and algorithm:
        return key.sign(data, _ECDSA_WITH[algorithm.name])
    if isinstance(key, rsa.RSAPrivateKey) and algorithm:
        return key.sign(data, _RSA_PADDING, algorithm)
    return key.sign(data)  # type: ignore[call-arg]  # what is left signs without a hash of its own
