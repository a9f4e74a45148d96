"""RemoteDesk: an authority behind the REST API of a service; private keys stay here, requests go there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from handfast.ca.approving import PendingRecord
from handfast.ca.order import Issued
from handfast.ca.records import AuditEvent, CertificateRecord, Listing, Page, Pending, Reason, Role
from handfast.ca.requesters import CredentialRecord, RequesterRecord
from handfast.ca.tokens import TokenRecord
from handfast.client import documents
from handfast.client.api import Api
from handfast.client.desk import KnownIssuer, Proof, PublishedList, Wish
from handfast.client.documents import read
from handfast.errors import NotFound
from handfast.pki.csr import CertificateRequest
from handfast.pki.lifetime import format_lifetime
from handfast.pki.pem import request_text, to_pem
from handfast.pki.profile import Profile
from handfast.pki.serial import serial_text
from handfast.pki.subject import format_subject

# What the API gives at once.
PAGE, EVENTS = 200, 1000


@dataclass(frozen=True, slots=True, eq=False)
class RemoteDesk:
    """handfast.client.desk.Desk over the network. now: the clock here, by which states are told."""

    api: Api
    now: Callable[[], datetime]

    def clock(self) -> datetime:
        """The time here."""
        return self.now()

    def profile_map(self) -> Mapping[str, Profile]:
        """The kinds of certificates that the service has."""
        found = self.api.get("profiles")
        return {one.name: one for one in read(found, lambda it: [*map(documents.profile, it["profiles"])])}

    def known_issuers(self) -> tuple[KnownIssuer, ...]:
        """Its CAs."""
        found = self.api.get("issuers")
        return read(found, lambda it: tuple(documents.issuer(one, it["default"]) for one in it["issuers"]))

    def issue(self, wish: Wish) -> Issued | Pending:
        """By the request: the service never sees the private key."""
        body: dict[str, object] = {
            "profile": wish.profile,
            "names": [str(name) for name in wish.names],
            "subject": format_subject(wish.subject),
            "lifetime": _text_of(wish.lifetime),
            "issuer": wish.issuer,
            "csr": request_text(wish.request.der),
        }
        if wish.row is not None:
            body["row"] = {"batch": wish.row.batch, "name": wish.row.row}
        return _issued(self.api.post("certificates", body=body, once=wish.row is None, again=wish.row is not None))

    def renew(self, record: CertificateRecord, lifetime: timedelta | None) -> Issued | Pending:
        """The next certificate for the same key."""
        return _issued(self._on(record, "renew", {"lifetime": _text_of(lifetime)}, once=True))

    def rekey(
        self, record: CertificateRecord, request: CertificateRequest, lifetime: timedelta | None
    ) -> Issued | Pending:
        """The next certificate for the key of a request."""
        return _issued(
            self._on(record, "rekey", {"csr": request_text(request.der), "lifetime": _text_of(lifetime)}, once=True)
        )

    def revoke(self, record: CertificateRecord, reason: Reason) -> CertificateRecord:
        """Revoke for ever."""
        return read(self._on(record, "revoke", {"reason": reason.value}), documents.record)

    def hold(self, record: CertificateRecord) -> CertificateRecord:
        """Revoke until it is released."""
        return read(self._on(record, "hold"), documents.record)

    def release(self, record: CertificateRecord) -> CertificateRecord:
        """End a hold."""
        return read(self._on(record, "release"), documents.record)

    def candidates(self, text: str) -> tuple[CertificateRecord, ...]:
        """All that the text may mean, as the service takes it."""
        found = self.api.get("certificates", means=text, limit=PAGE)
        return read(found, lambda it: tuple(map(documents.record, it["certificates"])))

    def find_certificate(self, certificate: x509.Certificate) -> CertificateRecord:
        """The record of this very certificate. Raises NotFound."""
        fingerprint = certificate.fingerprint(hashes.SHA256())
        for record in self.candidates(fingerprint.hex()):
            if record.fingerprint == fingerprint:
                return record
        msg = f"the service does not know the certificate {serial_text(certificate.serial_number)}, or it is not yours"
        raise NotFound(msg, hint="check that the file is of this authority, and not renewed elsewhere")

    def search(self, listing: Listing) -> Page:
        """One page, as long as the service gives them."""
        return self._page(
            state=listing.state.value if listing.state is not None else None,
            profile=listing.profile,
            issuer=listing.issuer,
            text=listing.text,
            cursor=listing.before,
            limit=min(listing.limit, PAGE),
        )

    def expiring(self, within: timedelta, *, before: int | None, limit: int) -> Page:
        """Those that are valid, and over by then."""
        return self._page(expires_within=format_lifetime(within), cursor=before, limit=min(limit, PAGE))

    def publish(self, issuer: str) -> PublishedList:
        """Let the service make a new CRL."""
        return read(
            self.api.post("issuers", issuer, "crl"),
            lambda it: PublishedList(
                issuer=it["issuer"],
                number=int(it["number"]),
                next_update=documents.moment(it["next_update"]),
                entries=int(it["entries"]),
            ),
        )

    def is_due(self, issuer: KnownIssuer) -> bool:
        """Never for a root: the service makes its CRLs by itself when its key is there."""
        return issuer.role is not Role.ROOT

    def last_list(self, issuer: str) -> None:
        """Nothing: the service has it in its place."""

    def add_requester(self, record: RequesterRecord, proof: Proof) -> str | None:
        """Make a requester; the service makes the secret."""
        body = {
            "name": record.name,
            "role": record.role.value,
            "profiles": None if record.profiles is None else sorted(record.profiles),
            "patterns": None if record.patterns is None else [*map(str, record.patterns)],
        }
        return _secret(self.api.post("requesters", body={**body, **_proof(proof)}))

    def add_credential(self, name: str, proof: Proof) -> str | None:
        """Another credential; the service makes the secret."""
        return _secret(self.api.post("requesters", name, "credentials", body=_proof(proof)))

    def remove_requester(self, name: str) -> None:
        """Forget a requester."""
        self.api.delete("requesters", name)

    def requesters(self) -> tuple[tuple[RequesterRecord, tuple[CredentialRecord, ...]], ...]:
        """Everybody who may ask."""
        found = self.api.get("requesters")
        return read(found, lambda it: tuple(map(documents.requester, it["requesters"])))

    def make_token(self, profile: str, names: tuple[str, ...], lifetime: timedelta) -> tuple[str, TokenRecord]:
        """A token; the service makes it."""
        body = {"profile": profile, "names": list(names), "lifetime": format_lifetime(lifetime)}
        made = self.api.post("tokens", body=body)
        return read(made, lambda it: (str(it["secret"]), documents.token(it)))

    def tokens(self) -> tuple[TokenRecord, ...]:
        """The tokens that can be redeemed."""
        return read(self.api.get("tokens"), lambda it: tuple(map(documents.token, it["tokens"])))

    def revoke_token(self, identifier: str) -> str:
        """End a token."""
        return read(self.api.delete("tokens", identifier), lambda it: str(it["revoked"]))

    def pending(self, *, waiting: bool) -> tuple[PendingRecord, ...]:
        """The requests that wait; one's own, for who cannot approve."""
        found = self.api.get("approvals", waiting=str(waiting).lower())
        return read(found, lambda it: tuple(map(documents.pending, it["approvals"])))

    def approve(self, transaction: str) -> PendingRecord:
        """Agree to a request."""
        return read(self.api.post("approvals", transaction, "approve"), documents.pending)

    def reject(self, transaction: str, reason: str) -> PendingRecord:
        """Refuse a request for ever."""
        return read(self.api.post("approvals", transaction, "reject", body={"reason": reason}), documents.pending)

    def events(self, last: int) -> tuple[AuditEvent, ...]:
        """The last events, oldest first."""
        head = read(self.api.get("audit", "head"), lambda it: int(it["id"]))
        found: list[AuditEvent] = []
        after = max(0, head - last)
        while after < head:
            page = read(
                self.api.get("audit", after=after, limit=EVENTS), lambda it: [*map(documents.event, it["events"])]
            )
            if not page:
                break
            found += page
            after = page[-1].id
        return tuple(found[-last:])

    def _page(self, **query: object) -> Page:
        found = self.api.get("certificates", **query)
        return read(found, lambda it: Page(tuple(map(documents.record, it["certificates"])), it["cursor"]))

    def _on(
        self, record: CertificateRecord, verb: str, body: Mapping[str, object] | None = None, *, once: bool = False
    ) -> dict[str, Any]:
        return self.api.post("certificates", f"{record.serial:x}", verb, body=body, once=once)


def _issued(document: Mapping[str, Any]) -> Issued | Pending:
    if "transaction" in document:
        return read(document, lambda it: Pending(str(it["transaction"]), timedelta(seconds=int(it["retry_after"]))))
    return read(document, documents.issued)


def _text_of(lifetime: timedelta | None) -> str | None:
    return None if lifetime is None else format_lifetime(lifetime)


def _proof(proof: Proof) -> dict[str, object]:
    certificate = None if proof.certificate is None else to_pem(proof.certificate)
    return {"certificate": certificate, "secret": proof.wants_secret}


def _secret(document: Mapping[str, Any]) -> str | None:
    secret = document.get("secret")
    return None if secret is None else str(secret)
