"""Cryptographic messages: certificates only, and signed content (CMS, RFC 5652 section 5)."""

import hashlib
from collections.abc import Iterable
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from handfast.pki import der
from handfast.pki.csr_attributes import attribute
from handfast.pki.keys import PrivateKey, hash_for
from handfast.pki.signing import sign, signature_algorithm

_DATA = "1.2.840.113549.1.7.1"
SIGNED_DATA = "1.2.840.113549.1.7.2"
# RFC 5958 section 2: one or more private keys.
ASYMMETRIC_KEY_PACKAGE = "2.16.840.1.101.2.1.2.78.5"
_CONTENT_TYPE, _MESSAGE_DIGEST, _SIGNING_TIME = (f"1.2.840.113549.1.9.{last}" for last in (3, 4, 5))
_DIGESTS = {"sha256": "2.16.840.1.101.3.4.2.1", "sha384": "2.16.840.1.101.3.4.2.2", "sha512": "2.16.840.1.101.3.4.2.3"}
_EMPTY_SET = der.encode(der.SET, b"")
# What the signature algorithms that bring their own hash are used with here (RFC 8419 section 3.1, RFC 9882).
_SHA512 = hashes.SHA512()


def certificates_only(certificates: Iterable[bytes]) -> bytes:
    """A message in DER that nobody signed, around these certificates in DER (RFC 8551 section 3.8)."""
    # A set: in the order of DER (X.690 section 11.6).
    encoded = b"".join(sorted(certificates))
    nothing = der.sequence([der.object_identifier(_DATA)])
    content = [der.integer(1), _EMPTY_SET, nothing, der.encode(0xA0, encoded), _EMPTY_SET]
    return message(SIGNED_DATA, der.sequence(content))


def signed_data(
    content_type: str, content: bytes, *, certificate: x509.Certificate, key: PrivateKey, at: datetime
) -> bytes:
    """The SignedData in DER around this content, with the certificate of its signer. at: when it is signed."""
    name = (hash_for(key) or _SHA512).name
    digest = der.sequence([der.object_identifier(_DIGESTS[name])])
    attributes = sorted(
        [
            attribute(_CONTENT_TYPE, der.object_identifier(content_type)),
            attribute(_MESSAGE_DIGEST, der.encode(der.OCTET_STRING, hashlib.new(name, content).digest())),
            attribute(_SIGNING_TIME, der.time(at)),
        ]
    )
    signature = sign(key, der.encode(der.SET, b"".join(attributes)))
    signer = der.sequence(
        [
            der.integer(1),
            der.sequence([certificate.issuer.public_bytes(), der.integer(certificate.serial_number)]),
            digest,
            der.encode(0xA0, b"".join(attributes)),
            signature_algorithm(key),
            der.encode(der.OCTET_STRING, signature),
        ]
    )
    inner = der.sequence([der.object_identifier(content_type), der.encode(0xA0, der.encode(der.OCTET_STRING, content))])
    return der.sequence(
        [
            der.integer(3),
            der.encode(der.SET, digest),
            inner,
            der.encode(0xA0, certificate.public_bytes(Encoding.DER)),
            der.encode(der.SET, signer),
        ]
    )


def message(content_type: str, content: bytes) -> bytes:
    """A ContentInfo: what a file or an answer holds."""
    return der.sequence([der.object_identifier(content_type), der.encode(0xA0, content)])
