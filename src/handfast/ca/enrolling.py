"""Enrolling under four eyes: wait, be approved, be issued once; and be answered the same whenever one asks again."""

from dataclasses import replace
from typing import TYPE_CHECKING

from handfast.ca import approving, issuing
from handfast.ca.approving import RETRY_SOON, UNFINISHED_FOR, PendingRecord
from handfast.ca.claims import ApprovalUse
from handfast.ca.order import Issued, Order
from handfast.ca.records import AuditEvent, CertificateRecord, Pending, State
from handfast.errors import Conflict, RateLimited

if TYPE_CHECKING:
    from handfast.ca.authority import Authority


def enroll(authority: "Authority", order: Order, needed: int) -> Issued | Pending:
    """Answer an order that needs that many approvals."""
    record = authority.store.approvals.same(approving.digest_of(order))
    if record is not None and record.expires_at <= authority.clock():
        record = None
    if record is not None and record.serial is not None:
        answer = _again(authority, order, record)
        if answer is not None:
            return answer
        # What it became is over: it is decided anew, by others too.
        authority.store.approvals.forget(record.transaction)
        record = None
    if record is None:
        record = _ask(authority, order, needed)
    pending = approving.answer(record)
    if not record.is_approved or len(record.approved_by) < needed:
        return pending
    return _issue(authority, order, record)


def _ask(authority: "Authority", order: Order, needed: int) -> PendingRecord:
    decision = authority._decide(order)  # noqa: SLF001  # one use case in two files
    record = approving.pending_record(
        order, transaction=f"{authority.new_serial():040x}"[-20:], needed=needed, now=decision.now
    )
    detail = {"transaction": record.transaction, "profile": record.profile, "subject": record.subject}
    event = AuditEvent(at=decision.now, actor=record.requester, action="request.pending", detail=detail)
    uses = authority.limits.uses(order.requester, order.profile, decision.now)
    try:
        return authority.store.approvals.ask(record, event, uses)
    except RateLimited as error:
        authority._limited(order, error)  # noqa: SLF001  # one use case in two files
        raise


def _issue(authority: "Authority", order: Order, record: PendingRecord) -> Issued | Pending:
    decision = authority._decide(order)  # noqa: SLF001  # one use case in two files
    draft = decision.draft
    use = ApprovalUse(record.transaction, draft.serial, decision.issuer.name, draft.not_after)
    try:
        return authority._issue(decision, use)  # noqa: SLF001  # one use case in two files
    except Conflict:
        current = authority.store.approvals.find(record.transaction)
        if current is None or current.serial is None:
            raise
        return Pending(record.transaction, RETRY_SOON)  # somebody else asked the same, and is being answered


def _again(authority: "Authority", order: Order, record: PendingRecord) -> Issued | Pending | None:
    """The very same certificate; None when it is over, or not on record."""
    found = [one for one in authority.store.by_serial(record.serial or 0) if one.issuer == record.issuer]
    if not found:
        return None
    one, now = found[0], authority.clock()
    state = one.state(now)
    if state is State.UNFINISHED:
        if now < one.created_at + UNFINISHED_FOR:
            return Pending(record.transaction, RETRY_SOON)
        return authority.resume(order, one)
    if state not in {State.VALID, State.NOT_YET_VALID}:
        return None
    return _with_replaced(authority, one, order)


def _with_replaced(authority: "Authority", record: CertificateRecord, order: Order) -> Issued | None:
    issued = issuing.again(record, authority.issuer(record.issuer), authority.store)
    if issued is None or order.replaces is None:
        return issued
    replaced = authority.store.by_serial(order.replaces)
    return replace(issued, replaced=replaced[0] if replaced else None)
