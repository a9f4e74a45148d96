"""Desk: what the commands ask of an authority, be it in a directory here or a service elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from cryptography import x509

from handfast.ca.approving import PendingRecord
from handfast.ca.issuer import presented
from handfast.ca.order import Issued
from handfast.ca.records import AuditEvent, BatchRow, CertificateRecord, Listing, Page, Pending, Reason, Role
from handfast.ca.requesters import CredentialRecord, RequesterRecord
from handfast.ca.tokens import TokenRecord
from handfast.errors import ConfigError
from handfast.pki.csr import CertificateRequest
from handfast.pki.names import Name
from handfast.pki.nearest import nearest
from handfast.pki.profile import Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A certificate that is wanted. request: its key, and that whoever wants it has the private one.

    subject, names: what the certificate gets; what the request says of them counts for nothing. lifetime: None for the
    profile's. issuer: None for the default one. row: of a bulk issue, which gets one certificate, however often it is
    asked for.
    """

    profile: str
    request: CertificateRequest
    subject: x509.Name
    names: tuple[Name, ...] = ()
    lifetime: timedelta | None = None
    issuer: str | None = None
    row: BatchRow | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownIssuer:
    """A CA without its key. chain: the certificates above it, the root last. crosses: the root's, the newest first."""

    name: str
    role: Role
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    is_default: bool
    crosses: tuple[x509.Certificate, ...] = ()

    @property
    def presented_chain(self) -> tuple[x509.Certificate, ...]:
        """What the holder of a certificate sends after it, as Issuer.presented_chain says."""
        return presented((self.certificate, *self.chain), self.crosses)

    @property
    def anchor(self) -> x509.Certificate:
        """The certificate at the top: what relying parties trust."""
        return (self.certificate, *self.chain)[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedList:
    """A CRL that was published. entries: how many it has. place: the file here, or empty when a service has it."""

    issuer: str
    number: int
    next_update: datetime
    entries: int
    place: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    """By what a requester will prove who it is. wants_secret: a long random one is made, and shown once."""

    certificate: x509.Certificate | None
    wants_secret: bool


class Desk(Protocol):
    """The verbs. Each raises what the Authority's own raise; one that is elsewhere also Unavailable and Refused."""

    def clock(self) -> datetime:
        """The time, aware."""
        ...

    def profile_map(self) -> Mapping[str, Profile]:
        """The kinds of certificates by their names."""
        ...

    def known_issuers(self) -> tuple[KnownIssuer, ...]:
        """The CAs."""
        ...

    def issue(self, wish: Wish) -> Issued | Pending:
        """Issue, or wait until others agree: then ask again with the same wish."""
        ...

    def renew(self, record: CertificateRecord, lifetime: timedelta | None) -> Issued | Pending:
        """The next certificate for the same key, subject and names."""
        ...

    def rekey(
        self, record: CertificateRecord, request: CertificateRequest, lifetime: timedelta | None
    ) -> Issued | Pending:
        """The next certificate for another key, with the same subject and names."""
        ...

    def revoke(self, record: CertificateRecord, reason: Reason) -> CertificateRecord:
        """Revoke for ever."""
        ...

    def hold(self, record: CertificateRecord) -> CertificateRecord:
        """Revoke until it is released."""
        ...

    def release(self, record: CertificateRecord) -> CertificateRecord:
        """End a hold."""
        ...

    def candidates(self, text: str) -> tuple[CertificateRecord, ...]:
        """All that a serial, the beginning of a fingerprint or a name may mean."""
        ...

    def find_certificate(self, certificate: x509.Certificate) -> CertificateRecord:
        """The record of this very certificate."""
        ...

    def search(self, listing: Listing) -> Page:
        """One page of certificates, newest first."""
        ...

    def expiring(self, within: timedelta, *, before: int | None, limit: int) -> Page:
        """The certificates that are valid now and end within that time."""
        ...

    def publish(self, issuer: str) -> PublishedList:
        """Sign and publish a new CRL of an issuer."""
        ...

    def is_due(self, issuer: KnownIssuer) -> bool:
        """True when a new CRL of the issuer is made without its being named."""
        ...

    def last_list(self, issuer: str) -> PublishedList | None:
        """The CRL that is published, put in its place again; None when there is none, or nothing to put."""
        ...

    def add_requester(self, record: RequesterRecord, proof: Proof) -> str | None:
        """Make a requester; its secret, when one is wanted."""
        ...

    def add_credential(self, name: str, proof: Proof) -> str | None:
        """Another credential of a requester; its secret, when one is wanted."""
        ...

    def remove_requester(self, name: str) -> None:
        """Forget a requester and its credentials."""
        ...

    def requesters(self) -> tuple[tuple[RequesterRecord, tuple[CredentialRecord, ...]], ...]:
        """Everybody who may ask, with their credentials."""
        ...

    def make_token(self, profile: str, names: tuple[str, ...], lifetime: timedelta) -> tuple[str, TokenRecord]:
        """A token for one certificate with these names: itself, and what is known of it."""
        ...

    def tokens(self) -> tuple[TokenRecord, ...]:
        """The tokens that can be redeemed."""
        ...

    def revoke_token(self, identifier: str) -> str:
        """End a token that nobody used yet; its id."""
        ...

    def pending(self, *, waiting: bool) -> tuple[PendingRecord, ...]:
        """The requests that wait, or all that are remembered."""
        ...

    def approve(self, transaction: str) -> PendingRecord:
        """Agree to a request that waits."""
        ...

    def reject(self, transaction: str, reason: str) -> PendingRecord:
        """Refuse a request for ever."""
        ...

    def events(self, last: int) -> tuple[AuditEvent, ...]:
        """The last events of the audit log, oldest first."""
        ...


def profile_of(desk: Desk, name: str) -> Profile:
    """The profile of that name. Raises ConfigError, naming the nearest."""
    profiles = desk.profile_map()
    if name not in profiles:
        raise ConfigError(f"there is no profile {name!r}", hint=nearest(name, profiles))
    return profiles[name]


def issuer_of(desk: Desk, name: str) -> KnownIssuer:
    """The issuer of that name. Raises ConfigError, naming the nearest."""
    known = {one.name: one for one in desk.known_issuers()}
    if name not in known:
        raise ConfigError(f"there is no issuer {name!r}", hint=nearest(name, known))
    return known[name]
