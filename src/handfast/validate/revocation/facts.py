"""What revocation checking is given, what it found, and what it lacked: values without behaviour."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPublicKeyTypes

from handfast.findings import Finding
from handfast.validate.revocation.crl_index import LoadedCRL


class RevocationMode(StrEnum):
    """What it means when the status cannot be determined."""

    REQUIRE = "require"  # an error
    PREFER = "prefer"  # a warning
    NONE = "none"  # nothing is looked at, and the report says so


@dataclass(frozen=True, slots=True)
class RevocationPolicy:
    """How revocation is judged.

    leaf_only: what `mode` requires, it requires of the leaf, and of the CA certificates above it prefers only.
    skew: how far in our future a CRL or response may begin, for clocks that differ. max_ocsp_age: how old a response
    without nextUpdate may be. nonce: what our OCSP request held (RFC 9654); a response with another is refused, one
    without is refused only if require_nonce. trusted_responders: locally configured OCSP signers (RFC 6960 section
    4.2.2.2). strict: refuse lists without a CRL number and SHA-1 signatures, which older CAs still make.
    """

    mode: RevocationMode = RevocationMode.PREFER
    leaf_only: bool = False
    skew: timedelta = timedelta(minutes=5)
    max_ocsp_age: timedelta = timedelta(days=7)
    nonce: bytes | None = None
    require_nonce: bool = False
    trusted_responders: tuple[x509.Certificate, ...] = ()
    strict: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class RevocationFacts:
    """The evidence at hand: CRLs (loaded once, used for many chains), OCSP responses in DER, and other certificates."""

    crls: tuple[LoadedCRL, ...] = ()
    ocsp_responses: tuple[bytes, ...] = ()
    certificates: tuple[x509.Certificate, ...] = ()
    memory: dict[object, tuple[LoadedCRL, ...]] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class CertificationAuthority:
    """Who issued a certificate: a certificate of the path, or a trust anchor that is only a name and a key."""

    name: x509.Name
    public_key: CertificateIssuerPublicKeyTypes
    certificate: x509.Certificate | None = None


class FactKind(StrEnum):
    """What can be fetched."""

    CRL = "crl"
    DELTA_CRL = "delta-crl"
    OCSP = "ocsp"
    ISSUER = "issuer"


@dataclass(frozen=True, slots=True)
class MissingFact:
    """A fact that would have helped: where it is to be had, about which certificate, and (for OCSP) its issuer."""

    kind: FactKind
    urls: tuple[str, ...]
    certificate: x509.Certificate
    issuer: CertificationAuthority | None = None


class Status(StrEnum):
    """What is known of one certificate."""

    GOOD = "good"
    REVOKED = "revoked"
    UNDETERMINED = "undetermined"
    EXEMPT = "exempt"
    NOT_CHECKED = "not-checked"


@dataclass(frozen=True, slots=True)
class RevocationStatus:
    """The answer for one certificate of the path; `source` says by whose word, in words."""

    status: Status
    source: str
    findings: tuple[Finding, ...] = ()
    missing: tuple[MissingFact, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """One certificate to look up: it, its issuer, the moment, and how to find a path for another signer of CRLs."""

    certificate: x509.Certificate
    issuer: CertificationAuthority
    at: datetime
    policy: RevocationPolicy
    facts: RevocationFacts
    signer_path: Callable[[x509.Certificate], bool]
