"""What is trusted: a name and a key, and the limits that come with them (RFC 5280 section 6.1.1 d)."""

from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from handfast.validate.certificate import Certificate, read_certificate


@dataclass(frozen=True, slots=True, eq=False)
class TrustAnchor:
    """A CA that is trusted. With a certificate, its validity, usage and constraints count too; build one with of()."""

    subject: bytes
    spki: bytes
    certificate: Certificate | None = None

    @classmethod
    def of(cls, certificate: x509.Certificate | bytes) -> "TrustAnchor":
        """Trust the subject of this certificate, within the limits it states. Raises Malformed."""
        found = read_certificate(certificate)
        return cls(found.subject, found.spki, found)

    @classmethod
    def of_key(cls, subject: x509.Name, public_key: CertificateIssuerPublicKeyTypes) -> "TrustAnchor":
        """Trust a name and a key, without limits."""
        spki = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return cls(subject.public_bytes(), spki)


def trust(certificates: Iterable[x509.Certificate | bytes]) -> tuple[TrustAnchor, ...]:
    """Trust each of these certificates. Raises Malformed for the first that cannot be read."""
    return tuple(TrustAnchor.of(certificate) for certificate in certificates)
