"""Encrypted messages for one recipient: RSA, ECDH or an AES key shared beforehand (CMS, RFC 5652 section 6)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from handfast.pki import der
from handfast.pki.cms import message

ENVELOPED_DATA = "1.2.840.113549.1.7.3"
_AES_256_CBC = "2.16.840.1.101.3.4.1.42"
_AES_128_CBC = "2.16.840.1.101.3.4.1.2"
# How many octets the content's key has, best first.
CIPHERS = {_AES_256_CBC: 32, _AES_128_CBC: 16}
_WRAPS = {16: "2.16.840.1.101.3.4.1.5", 24: "2.16.840.1.101.3.4.1.25", 32: "2.16.840.1.101.3.4.1.45"}
_OAEP, _MGF1, _SHA256 = "1.2.840.113549.1.1.7", "1.2.840.113549.1.1.8", "2.16.840.1.101.3.4.2.1"
_ECDH_SHA256 = "1.3.132.1.11.1"  # RFC 5753 section 7.1.4
_BLOCK = 16

Octets: TypeAlias = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class SharedKey:
    """An AES key that both sides have, and what they call it (RFC 7030 section 4.4.1.1)."""

    identifier: bytes
    key: bytes


@dataclass(frozen=True, slots=True)
class RsaRecipient:
    """identifier: the subjectKeyIdentifier of the recipient's certificate."""

    identifier: bytes
    key: rsa.RSAPublicKey


@dataclass(frozen=True, slots=True)
class EcRecipient:
    """identifier: as above. ephemeral: a new key on the curve of the recipient's, for this message only."""

    identifier: bytes
    key: ec.EllipticCurvePublicKey
    ephemeral: ec.EllipticCurvePrivateKey


Recipient: TypeAlias = SharedKey | RsaRecipient | EcRecipient


def enveloped(content_type: str, content: bytes, recipient: Recipient, *, cipher: str, octets: Octets) -> bytes:
    """A message in DER that only the recipient can read. cipher: one of CIPHERS. octets: random ones."""
    key, start = octets(CIPHERS[cipher]), octets(_BLOCK)
    padder = PKCS7(_BLOCK * 8).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(start)).encryptor()
    secret = encryptor.update(padder.update(content) + padder.finalize()) + encryptor.finalize()
    encrypted = der.sequence(
        [
            der.object_identifier(content_type),
            _algorithm(cipher, der.encode(der.OCTET_STRING, start)),
            der.encode(0x80, secret),
        ]
    )
    recipients = der.encode(der.SET, _recipient(recipient, key))
    return message(ENVELOPED_DATA, der.sequence([der.integer(2), recipients, encrypted]))


def _algorithm(dotted: str, parameters: bytes = b"") -> bytes:
    return der.sequence([der.object_identifier(dotted), parameters])


def _recipient(recipient: Recipient, key: bytes) -> bytes:
    if isinstance(recipient, SharedKey):
        return _shared(recipient, key)
    if isinstance(recipient, RsaRecipient):
        return _transported(recipient, key)
    return _agreed(recipient, key)


def _shared(recipient: SharedKey, key: bytes) -> bytes:
    """KEKRecipientInfo (section 6.2.3)."""
    wrapped = keywrap.aes_key_wrap(recipient.key, key)
    parts = [
        der.integer(4),
        der.sequence([der.encode(der.OCTET_STRING, recipient.identifier)]),
        _algorithm(_WRAPS[len(recipient.key)]),
        der.encode(der.OCTET_STRING, wrapped),
    ]
    return der.encode(0xA2, b"".join(parts))


def _transported(recipient: RsaRecipient, key: bytes) -> bytes:
    """KeyTransRecipientInfo with RSAES-OAEP (section 6.2.1, RFC 3560)."""
    sha256 = _algorithm(_SHA256, der.NULL)
    parameters = der.sequence([der.encode(0xA0, sha256), der.encode(0xA1, _algorithm(_MGF1, sha256))])
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    return der.sequence(
        [
            der.integer(2),
            der.encode(0x80, recipient.identifier),
            _algorithm(_OAEP, parameters),
            der.encode(der.OCTET_STRING, recipient.key.encrypt(key, oaep)),
        ]
    )


def _agreed(recipient: EcRecipient, key: bytes) -> bytes:
    """KeyAgreeRecipientInfo with ephemeral-static ECDH (section 6.2.2, RFC 5753 section 3.1)."""
    wrap = _algorithm(_WRAPS[len(key)])
    size = der.encode(der.OCTET_STRING, (len(key) * 8).to_bytes(4, "big"))
    shared_info = der.sequence([wrap, der.encode(0xA2, size)])
    shared = recipient.ephemeral.exchange(ec.ECDH(), recipient.key)
    wrapping = X963KDF(hashes.SHA256(), len(key), shared_info).derive(shared)
    info = recipient.ephemeral.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    outer = der.element_at(info)
    identifier = der.encode(0xA0, der.encode(der.OCTET_STRING, recipient.identifier))
    wrapped = der.encode(der.OCTET_STRING, keywrap.aes_key_wrap(wrapping, key))
    parts = [
        der.integer(3),
        der.encode(0xA0, der.encode(0xA1, info[outer.start : outer.end])),
        _algorithm(_ECDH_SHA256, wrap),
        der.sequence([der.sequence([identifier, wrapped])]),
    ]
    return der.encode(0xA1, b"".join(parts))
