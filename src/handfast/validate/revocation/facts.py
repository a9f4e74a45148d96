"""What revocation checking is given, what it found, and what it lacked: values without behaviour."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from handfast.findings import Finding
from handfast.validate.certificate import Certificate
from handfast.validate.keys import subject_key
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
    4.2.2.2). strict: refuse lists without a CRL number, and SHA-1, which older CAs
    still make; the level legacy never does.
    """

    mode: RevocationMode = RevocationMode.PREFER
    leaf_only: bool = False
    skew: timedelta = timedelta(minutes=5)
    max_ocsp_age: timedelta = timedelta(days=7)
    nonce: bytes | None = None
    require_nonce: bool = False
    trusted_responders: tuple[x509.Certificate, ...] = ()
    strict: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class RevocationFacts:
    """The evidence at hand: CRLs (loaded once, used for many chains), OCSP responses, and certificates of signers."""

    crls: tuple[LoadedCRL, ...] = ()
    ocsp_responses: tuple[bytes, ...] = ()
    certificates: tuple[x509.Certificate, ...] = ()
    memory: dict[object, tuple[LoadedCRL, ...]] = field(default_factory=dict, repr=False)
    # By an issuer's certificate: its verified list that alone answers for everything it issued (see known.py).
    plain: dict[bytes, LoadedCRL] = field(default_factory=dict, repr=False)

    def with_more(self, *, crls: tuple[LoadedCRL, ...] = (), responses: tuple[bytes, ...] = ()) -> "RevocationFacts":
        """These and more; what was found with these alone is forgotten."""
        return RevocationFacts((*self.crls, *crls), (*self.ocsp_responses, *responses), self.certificates)


class CertificationAuthority(NamedTuple):
    """Who issued a certificate: a certificate of the path, or a trust anchor that is only a name and a key.

    name and spki are DER; a DSA key that inherits its parameters has them filled in here.
    """

    name: bytes
    spki: bytes
    certificate: Certificate | None = None

    @property
    def public_key(self) -> PublicKeyTypes | None:
        """The key, or None when it cannot be used."""
        return subject_key(self.spki).key

    @property
    def identity(self) -> tuple[bytes, bytes]:
        """What tells this authority from every other."""
        return (self.certificate.der if self.certificate else self.name), self.spki


def authority_of(certificate: Certificate) -> CertificationAuthority:
    """The subject of a certificate as a signer."""
    return CertificationAuthority(certificate.subject, certificate.spki, certificate)


@dataclass(frozen=True, slots=True, eq=False)
class Signers:
    """How other signers of CRLs are found: a pool of certificates, and whether a valid path leads to one of them.

    is_valid is asked only about certificates whose key did sign a CRL; the path must end at the same trust anchor as
    the certificate's own (RFC 5280 section 6.3.3 f).
    """

    pool: tuple[Certificate, ...]
    is_valid: Callable[[Certificate], bool]


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
    certificate: Certificate
    issuer: CertificationAuthority | None = None


class Status(StrEnum):
    """What is known of one certificate."""

    GOOD = "good"
    REVOKED = "revoked"
    UNDETERMINED = "undetermined"
    EXEMPT = "exempt"
    NOT_CHECKED = "not-checked"


class RevocationStatus(NamedTuple):
    """The answer for one certificate of the path; `source` says by whose word, in words."""

    status: Status
    source: str
    findings: tuple[Finding, ...] = ()
    missing: tuple[MissingFact, ...] = ()


class Question(NamedTuple):
    """One certificate to look up: it, its issuer, the moment, and how other signers of CRLs are found."""

    certificate: Certificate
    issuer: CertificationAuthority
    at: datetime
    policy: RevocationPolicy
    facts: RevocationFacts
    signers: Signers
