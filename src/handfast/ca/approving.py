"""Four eyes: a request waits until enough others agree, over restarts, and is then answered with one certificate."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from handfast.ca.claims import QuotaUse
from handfast.ca.order import Order
from handfast.ca.policy import Requester
from handfast.ca.records import AuditEvent, Pending
from handfast.errors import Conflict, Denied, NotFound
from handfast.pki.keys import describe_key, public_key_info
from handfast.pki.names import Name
from handfast.pki.subject import format_subject

RETRY_AFTER = timedelta(seconds=60)
# Who was told to come again while another poll of the same request is being answered.
RETRY_SOON = timedelta(seconds=5)
KEPT = timedelta(days=30)
# Longer than the signing of one certificate ever takes; after that, whoever began it is gone.
UNFINISHED_FOR = timedelta(seconds=30)
APPROVAL_STATES = ("waiting", "approved", "rejected", "issued")


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingRecord:
    """A request that waits or waited. digest: of all that was asked, and by whom. sponsor: of the requester, or empty.

    approved_by: who agreed. rejected_by: who did not, or empty; reason: in their words. serial, issuer: of the
    certificate that it became. expires_at: when it is forgotten.
    """

    transaction: str
    digest: bytes
    requester: str
    sponsor: str
    profile: str
    subject: str
    names: tuple[Name, ...]
    key: str
    needed: int
    created_at: datetime
    expires_at: datetime
    approved_by: tuple[str, ...] = ()
    rejected_by: str = ""
    reason: str = ""
    serial: int | None = None
    issuer: str = ""

    @property
    def is_approved(self) -> bool:
        """True when enough agreed and nobody rejected it."""
        return not self.rejected_by and len(self.approved_by) >= self.needed

    @property
    def state(self) -> str:
        """One of APPROVAL_STATES."""
        if self.serial is not None:
            return "issued"
        if self.rejected_by:
            return "rejected"
        return "approved" if self.is_approved else "waiting"


class Approvals(Protocol):
    """The part of the store that knows requests that wait. Becoming a certificate is a claim (ca/claims.py)."""

    def ask(self, record: PendingRecord, event: AuditEvent, uses: tuple[QuotaUse, ...] = ()) -> PendingRecord:
        """Remember it, unless the same is there already; what is there. Raises RateLimited for a new one."""
        ...

    def find(self, transaction: str) -> PendingRecord | None:
        """The request of that transaction."""
        ...

    def same(self, digest: bytes) -> PendingRecord | None:
        """The request with that digest."""
        ...

    def all(self, *, now: datetime, waiting: bool = True, limit: int = 1000) -> tuple[PendingRecord, ...]:
        """Those that wait, or all, oldest first."""
        ...

    def count(self, *, now: datetime) -> Mapping[str, int]:
        """How many are remembered in each state, those of APPROVAL_STATES."""
        ...

    def approve(self, transaction: str, name: str, event: AuditEvent) -> None:
        """Count an approval. Raises Conflict when it counts already, or the request was decided."""
        ...

    def reject(self, transaction: str, name: str, reason: str, event: AuditEvent) -> None:
        """Reject it for ever. Raises Conflict when it became a certificate, or was rejected."""
        ...

    def forget(self, transaction: str) -> None:
        """Let the same be asked anew."""
        ...


def digest_of(order: Order) -> bytes:
    """What makes two requests the same: who asks for what, for which key."""
    parts = [
        order.requester.name.encode(),
        order.profile.encode(),
        public_key_info(order.public_key),
        order.subject.public_bytes(),
        *sorted(str(name).encode() for name in order.names),
        repr((order.lifetime, order.issuer, order.replaces)).encode(),
    ]
    return hashlib.sha256(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).digest()


def pending_record(order: Order, *, transaction: str, needed: int, now: datetime) -> PendingRecord:
    """What is remembered of an order that has to wait."""
    return PendingRecord(
        transaction=transaction,
        digest=digest_of(order),
        requester=order.requester.name,
        sponsor=order.requester.sponsor,
        profile=order.profile,
        subject=format_subject(order.subject),
        names=order.names,
        key=describe_key(order.public_key),
        needed=needed,
        created_at=now,
        expires_at=now + KEPT,
    )


def answer(record: PendingRecord) -> Pending:
    """What the requester is told while it waits. Raises Denied, with the reason, when it was rejected."""
    if record.rejected_by:
        reason = record.reason or "no reason was given"
        msg = f"the request {record.transaction} was rejected by {record.rejected_by}: {reason}"
        raise Denied(msg, hint="ask for what they would agree to; the same request stays rejected")
    return Pending(record.transaction, RETRY_AFTER)


def known(record: PendingRecord | None, transaction: str) -> PendingRecord:
    """The record. Raises NotFound."""
    if record is None:
        hint = "`handfast approvals list` has those that wait"
        raise NotFound(f"no request {transaction[:80]!r} waits for approval", hint=hint)
    return record


def require_may_approve(record: PendingRecord, requester: Requester) -> None:
    """Raise Denied for whoever asked, Conflict for what is decided."""
    if requester.name in {record.requester, record.sponsor} or requester.owner in {record.requester, record.sponsor}:
        msg = f"{requester.name} asked for the certificate of the request {record.transaction}"
        raise Denied(msg, hint="somebody else must approve it")
    require_undecided(record)


def require_undecided(record: PendingRecord) -> None:
    """Raise Conflict for what was rejected or has become a certificate."""
    if record.state in {"rejected", "issued"}:
        msg = f"the request {record.transaction} is {record.state} already"
        raise Conflict(msg, hint="revoke the certificate, or ask anew")
