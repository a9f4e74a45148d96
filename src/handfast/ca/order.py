"""What is asked of the authority, and what it answers."""

from dataclasses import dataclass
from datetime import timedelta

from cryptography import x509

from handfast.ca.policy import OPERATOR, Requester
from handfast.ca.records import BatchRow, CertificateRecord
from handfast.findings import Finding
from handfast.pki.issuer_identity import IssuerIdentity
from handfast.pki.keys import PublicKey
from handfast.pki.names import Name


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A certificate that somebody wants, as granted: nothing of a CSR but its key comes here by itself.

    public_key: whose possession is proven, by a CSR or by its having been made here. lifetime: None for the profile's.
    issuer: the name of one; None for the authority's default. replaces: the serial of the certificate that it renews.
    identity: of a CA that is one already, for a cross certificate.
    """

    profile: str
    public_key: PublicKey
    subject: x509.Name
    names: tuple[Name, ...] = ()
    lifetime: timedelta | None = None
    issuer: str | None = None
    requester: Requester = OPERATOR
    replaces: int | None = None
    batch_row: BatchRow | None = None
    identity: IssuerIdentity | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A certificate that was issued. der: in DER. chain: what its holder sends after it, without the root.

    findings: warnings and notices of the checks. replaced: the certificate that it renews, which is still valid until
    somebody revokes it.
    """

    record: CertificateRecord
    der: bytes
    chain: tuple[x509.Certificate, ...]
    anchor: x509.Certificate
    findings: tuple[Finding, ...] = ()
    replaced: CertificateRecord | None = None

    @property
    def certificate(self) -> x509.Certificate:
        """The certificate itself; read anew each time, since most who ask for one only pass it on."""
        return x509.load_der_x509_certificate(self.der)
