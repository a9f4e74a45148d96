"""What the store remembers: certificates, revocations, CRLs, issuers and audit events, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from cryptography import x509

from handfast.pki.names import Name

NO_DETAIL: Mapping[str, str] = MappingProxyType({})


class RecordStatus(StrEnum):
    """How far an issue came: begun is on record before the CA key is used, issued with the certificate that it made."""

    BEGUN = "begun"
    ISSUED = "issued"


class State(StrEnum):
    """What a certificate is at a moment."""

    VALID = "valid"
    NOT_YET_VALID = "not-yet-valid"
    EXPIRED = "expired"
    REVOKED = "revoked"
    HELD = "held"
    UNFINISHED = "unfinished"


class Reason(StrEnum):
    """Why a certificate was revoked, by the words of RFC 5280 section 5.3.1."""

    UNSPECIFIED = "unspecified"
    KEY_COMPROMISE = "keyCompromise"
    CA_COMPROMISE = "cACompromise"
    AFFILIATION_CHANGED = "affiliationChanged"
    SUPERSEDED = "superseded"
    CESSATION_OF_OPERATION = "cessationOfOperation"
    CERTIFICATE_HOLD = "certificateHold"
    REMOVE_FROM_CRL = "removeFromCRL"
    PRIVILEGE_WITHDRAWN = "privilegeWithdrawn"
    AA_COMPROMISE = "aACompromise"

    @property
    def flag(self) -> x509.ReasonFlags:
        """The same reason in cryptography's words."""
        return x509.ReasonFlags(self.value)


# What one may give as the reason of a revocation; holding and releasing have verbs of their own.
REVOCATION_REASONS = tuple(
    reason for reason in Reason if reason not in {Reason.CERTIFICATE_HOLD, Reason.REMOVE_FROM_CRL}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """One line of the append-only list of revocations; the last one of a certificate is what holds.

    sequence: 0 for the certificate's first. reason: CERTIFICATE_HOLD is a hold, REMOVE_FROM_CRL the release from one.
    not_after: the certificate's, since a revocation outlives the certificate's record. id: given by the store.
    """

    serial: int
    issuer: str
    sequence: int
    reason: Reason
    revoked_at: datetime
    not_after: datetime
    requester: str
    id: int = 0

    @property
    def is_in_force(self) -> bool:
        """True for a revocation and a hold, False for a release."""
        return self.reason is not Reason.REMOVE_FROM_CRL


@dataclass(frozen=True, slots=True)
class BatchRow:
    """Which row of which bulk issue a certificate was made for: each row gets one certificate, ever."""

    batch: str
    row: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRecord:
    """One certificate, from before it was signed.

    issuer: the issuer's name in this authority. subject: as format_subject() writes it. label: what people call it.
    profile_digest: which version of the profile. key_id: of its public key. certificate: DER, None while begun.
    fingerprint: SHA-256. replaces: the serial of the certificate that it renews. id: given by the store.
    revocation: the last one, when the record was read with it. shard: in which of its issuer's CRLs a revocation
    will stand; 0: in the one of all. Only told when it begins.
    """

    serial: int
    issuer: str
    profile: str
    profile_digest: str
    subject: str
    label: str
    names: tuple[Name, ...]
    not_before: datetime
    not_after: datetime
    key_id: bytes
    requester: str
    created_at: datetime
    replaces: int | None = None
    batch_row: BatchRow | None = None
    status: RecordStatus = RecordStatus.BEGUN
    certificate: bytes | None = None
    fingerprint: bytes | None = None
    revocation: Revocation | None = None
    id: int = 0
    shard: int = 0

    def state(self, now: datetime) -> State:
        """What the certificate is at that moment. Revoked comes before expired: it stays revoked."""
        if self.revocation is not None and self.revocation.is_in_force:
            return State.HELD if self.revocation.reason is Reason.CERTIFICATE_HOLD else State.REVOKED
        if self.status is RecordStatus.BEGUN:
            return State.UNFINISHED
        if now > self.not_after:
            return State.EXPIRED
        return State.NOT_YET_VALID if now < self.not_before else State.VALID

    def x509(self) -> x509.Certificate | None:
        """The certificate, or None while it is unfinished."""
        return x509.load_der_x509_certificate(self.certificate) if self.certificate is not None else None


@dataclass(frozen=True, slots=True)
class Finished:
    """A signed certificate on its way into the record that was begun for it: by that record's id."""

    id: int
    certificate: bytes
    fingerprint: bytes
    sha1_fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Pending:
    """The answer to a request that somebody has to decide first: ask again with the transaction after a while."""

    transaction: str
    retry_after: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One thing that was done or refused. action: dotted, as `certificate.issued`; detail: never a secret.

    id and hash: given by the store; the hash covers the event and the hash of the one before.
    """

    at: datetime
    actor: str
    action: str
    issuer: str = ""
    serial: int | None = None
    detail: Mapping[str, str] = field(default_factory=lambda: NO_DETAIL)
    id: int = 0
    hash: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class CrlRecord:
    """A CRL, on record before it is signed. covers: the id of the last revocation in it.

    full_at: when its entries were last all taken from the store; since then they were carried over and added to.
    """

    issuer: str
    number: int
    this_update: datetime
    next_update: datetime
    covers: int
    full_at: datetime


class Role(StrEnum):
    """What an issuer is for: a root signs CAs, an issuing CA everything else."""

    ROOT = "root"
    ISSUING = "issuing"


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerRecord:
    """A CA of this authority. certificate: DER. chain: the certificates above it in DER, its issuer first, root last.

    is_encrypted: whether its key is, at rest.
    """

    name: str
    role: Role
    certificate: bytes
    chain: tuple[bytes, ...]
    created_at: datetime
    is_encrypted: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Which certificates to list; everything given must hold.

    Newest first; but revoked and held ones by when that was, the last first; expired ones by their end, the latest
    first; others that end before a moment by their end, the earliest first.
    text: how a word of a name, the label or the subject begins, and goes on. requester: on whose account they were
    issued. now: aware, what `state` is asked about. before: the cursor of the last page. limit: how many at most.
    """

    now: datetime
    state: State | None = None
    profile: str | None = None
    issuer: str | None = None
    text: str | None = None
    requester: str | None = None
    expires_before: datetime | None = None
    before: int | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Page:
    """Some records, and the cursor for those that come after; None at the end.

    With a cursor it may have fewer than the limit, even none: what a page costs is bounded, and the search goes on.
    """

    records: tuple[CertificateRecord, ...]
    cursor: int | None
