"""Which desk the commands ask: that of the authority in a directory here, or that of a service."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import click
from cryptography import x509

from handfast.ca import finding
from handfast.ca.approving import PendingRecord
from handfast.ca.authority import Authority
from handfast.ca.due import due
from handfast.ca.office import Proof as OfficeProof
from handfast.ca.order import Issued, Order
from handfast.ca.policy import OPERATOR
from handfast.ca.published import Published, Which
from handfast.ca.records import AuditEvent, CertificateRecord, Listing, Page, Reason, Role
from handfast.ca.requesters import SECRET_PREFIX, CredentialRecord, RequesterRecord
from handfast.ca.tokens import TOKEN_PREFIX, TokenRecord
from handfast.cli._authority import current_session, opened
from handfast.client.desk import Desk, KnownIssuer, Proof, PublishedList, Wish
from handfast.errors import Unavailable
from handfast.keys.generate import new_secret
from handfast.pki.csr import CertificateRequest
from handfast.pki.profile import Profile
from handfast.server.layout import crl_path, write_crl

_EVENTS = 1000


def desk() -> Desk:
    """The desk of this command line. Raises ConfigError, Unavailable."""
    session = current_session()
    if not session.is_remote:
        return LocalDesk(opened(), Path(session.directory))
    # TLS and HTTP take a while to load, and most people's authority is here.
    from handfast.cli._service import remote_desk

    asked = remote_desk(session)
    click.get_current_context().call_on_close(asked.api.close)
    return asked


@dataclass(frozen=True, slots=True, eq=False)
class LocalDesk:
    """handfast.client.desk.Desk over an authority that is open here. Who is at this machine may do everything."""

    authority: Authority
    directory: Path

    def clock(self) -> datetime:
        """The authority's time."""
        return self.authority.clock()

    def profile_map(self) -> Mapping[str, Profile]:
        """Those of handfast.toml and the built-in ones."""
        return self.authority.profiles

    def known_issuers(self) -> tuple[KnownIssuer, ...]:
        """The CAs, with or without their keys."""
        return tuple(
            KnownIssuer(
                name=one.name,
                role=one.role,
                certificate=one.certificate,
                chain=one.chain,
                crosses=one.crosses,
                is_default=one.name == self.authority.default_issuer,
            )
            for one in self.authority.issuers.values()
        )

    def issue(self, wish: Wish) -> Issued:
        """At once: nobody has to approve what is done at the machine."""
        return self.authority.issue(
            Order(
                profile=wish.profile,
                public_key=wish.request.public_key,
                subject=wish.subject,
                names=wish.names,
                lifetime=wish.lifetime,
                issuer=wish.issuer,
                batch_row=wish.row,
            )
        )

    def renew(self, record: CertificateRecord, lifetime: timedelta | None) -> Issued:
        """The same key again."""
        return self.authority.renew(record, lifetime=lifetime)

    def rekey(self, record: CertificateRecord, request: CertificateRequest, lifetime: timedelta | None) -> Issued:
        """Another key."""
        return self.authority.rekey(record, request.public_key, lifetime=lifetime)

    def revoke(self, record: CertificateRecord, reason: Reason) -> CertificateRecord:
        """Revoke for ever."""
        return self.authority.revoke(record, reason)

    def hold(self, record: CertificateRecord) -> CertificateRecord:
        """Revoke until it is released."""
        return self.authority.hold(record)

    def release(self, record: CertificateRecord) -> CertificateRecord:
        """End a hold."""
        return self.authority.release(record)

    def candidates(self, text: str) -> tuple[CertificateRecord, ...]:
        """From the store."""
        return finding.candidates(self.authority.store, text)

    def find_certificate(self, certificate: x509.Certificate) -> CertificateRecord:
        """From the store, by its fingerprint."""
        return self.authority.find_certificate(certificate)

    def search(self, listing: Listing) -> Page:
        """From the store."""
        return self.authority.search(listing)

    def expiring(self, within: timedelta, *, before: int | None, limit: int) -> Page:
        """From the store."""
        return self.authority.expiring(within, before=before, limit=limit)

    def publish(self, issuer: str) -> PublishedList:
        """A new CRL, written into the authority's directory crl/, where servers are given it from."""
        written = self._written(issuer, self.authority.publish(Which(issuer)))
        if written is None:
            raise Unavailable(f"the CRL of {issuer} is not in the store", hint="run: handfast crl")
        return written

    def is_due(self, issuer: KnownIssuer) -> bool:
        """Always for an issuing CA; for a root when something changed, or half of its CRL's life is over."""
        if issuer.role is not Role.ROOT:
            return True
        return Which(issuer.name) in due(self.authority, self.authority.issuer(issuer.name), self.authority.clock())

    def last_list(self, issuer: str) -> PublishedList | None:
        """The CRL that is published last, written into crl/; None when there is none."""
        return self._written(issuer, None)

    def _written(self, issuer: str, made: Published | None) -> PublishedList | None:
        published = write_crl(self.directory, self.authority, issuer, made)
        if published is None:
            return None
        return PublishedList(
            issuer=issuer,
            number=published.record.number,
            next_update=published.record.next_update,
            entries=published.entries,
            place=str(crl_path(self.directory, issuer)),
        )

    def add_requester(self, record: RequesterRecord, proof: Proof) -> str | None:
        """Make a requester."""
        made = _with_secret(proof)
        self.authority.office.add_requester(record, made)
        return made.secret

    def add_credential(self, name: str, proof: Proof) -> str | None:
        """Another credential."""
        made = _with_secret(proof)
        self.authority.office.add_credential(name, made)
        return made.secret

    def remove_requester(self, name: str) -> None:
        """Forget a requester."""
        self.authority.office.remove_requester(name)

    def requesters(self) -> tuple[tuple[RequesterRecord, tuple[CredentialRecord, ...]], ...]:
        """Everybody who may ask."""
        office = self.authority.office
        proofs: dict[str, list[CredentialRecord]] = {}
        for one in office.credentials():
            proofs.setdefault(one.requester, []).append(one)
        return tuple((record, tuple(proofs.get(record.name, []))) for record in office.requesters())

    def make_token(self, profile: str, names: tuple[str, ...], lifetime: timedelta) -> tuple[str, TokenRecord]:
        """A token, on the operator's account."""
        secret = new_secret(TOKEN_PREFIX)
        return secret, self.authority.office.make_token(secret, profile, names, lifetime=lifetime)

    def tokens(self) -> tuple[TokenRecord, ...]:
        """All of them."""
        return self.authority.office.tokens()

    def revoke_token(self, identifier: str) -> str:
        """End a token."""
        return self.authority.office.revoke_token(identifier).id

    def pending(self, *, waiting: bool) -> tuple[PendingRecord, ...]:
        """All of them."""
        return self.authority.pending(waiting=waiting)

    def approve(self, transaction: str) -> PendingRecord:
        """As the operator."""
        return self.authority.approve(transaction, OPERATOR)

    def reject(self, transaction: str, reason: str) -> PendingRecord:
        """As the operator."""
        return self.authority.reject(transaction, OPERATOR, reason)

    def events(self, last: int) -> tuple[AuditEvent, ...]:
        """From the store, a page at a time."""
        store = self.authority.store
        found: list[AuditEvent] = []
        after = max(0, store.last_event_id() - last)
        while page := store.events(after=after, limit=_EVENTS):
            found += page
            after = page[-1].id
        return tuple(found[-last:])


def _with_secret(proof: Proof) -> OfficeProof:
    return OfficeProof(proof.certificate, new_secret(SECRET_PREFIX) if proof.wants_secret else None)
