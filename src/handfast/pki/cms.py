"""Cryptographic messages: certificates only, signed, and encrypted for one recipient (CMS, RFC 5652)."""

from collections.abc import Iterable

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7


def certificates_only(certificates: Iterable[x509.Certificate]) -> bytes:
    """A SignedData in DER that nobody signed, around these certificates (RFC 5652 section 5, RFC 8551 section 3.8)."""
    return pkcs7.serialize_certificates(list(certificates), Encoding.DER)
