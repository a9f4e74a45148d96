"""PKCS#12 in two flavours: for what is current, and for old Apple and Windows (RFC 7292, RFC 8018)."""

from collections.abc import Iterable
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import mldsa
from cryptography.hazmat.primitives.serialization import KeySerializationEncryption, PrivateFormat, pkcs12

from handfast.errors import ConfigError
from handfast.pki.keys import PrivateKey

_MODERN_ROUNDS = 100_000
_LEGACY_ROUNDS = 2_000  # what Windows itself writes; old importers refuse very many
_ML_DSA = (mldsa.MLDSA44PrivateKey, mldsa.MLDSA65PrivateKey, mldsa.MLDSA87PrivateKey)


class Flavour(StrEnum):
    """modern: PBES2 with AES-256 and HMAC-SHA-256. legacy: 3DES and HMAC-SHA-1, for macOS before 15, iOS, Windows 7."""

    MODERN = "modern"
    LEGACY = "legacy"


def build_pkcs12(
    key: PrivateKey,
    certificate: x509.Certificate,
    chain: Iterable[x509.Certificate] = (),
    *,
    password: bytes,
    friendly_name: str,
    flavour: Flavour = Flavour.MODERN,
) -> bytes:
    """The PKCS#12 DER. The legacy flavour protects by its password alone: give it a long random one.

    Raises ConfigError for an empty password, and for a key that PKCS#12 cannot carry or that is not the certificate's.
    """
    if not password:
        raise ConfigError("a PKCS#12 file needs a password", hint="Apple and Windows refuse an empty one; give one")
    if isinstance(key, _ML_DSA):
        raise ConfigError("an ML-DSA key has no place in PKCS#12 yet", hint="export it as PEM")
    if key.public_key() != certificate.public_key():
        raise ConfigError("the key does not belong to the certificate", hint="give the key that it was issued for")
    name = friendly_name.encode()
    return pkcs12.serialize_key_and_certificates(name, key, certificate, list(chain), _encryption(flavour, password))


def _encryption(flavour: Flavour, password: bytes) -> KeySerializationEncryption:
    builder = PrivateFormat.PKCS12.encryption_builder()
    if flavour is Flavour.MODERN:
        builder = builder.kdf_rounds(_MODERN_ROUNDS).key_cert_algorithm(pkcs12.PBES.PBESv2SHA256AndAES256CBC)
        return builder.hmac_hash(hashes.SHA256()).build(password)
    builder = builder.kdf_rounds(_LEGACY_ROUNDS).key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
    return builder.hmac_hash(hashes.SHA1()).build(password)  # noqa: S303  # the flavour is for what knows no other
