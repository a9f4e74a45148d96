"""The audit log and statistics, over the API."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel

from handfast.ca.audit import verify_chain
from handfast.ca.ports import Store
from handfast.ca.records import AuditEvent
from handfast.server.api import shown
from handfast.server.api.caller import Calling

router = APIRouter(tags=["audit"])
MOST = 1000


class Statistics(BaseModel):
    """Numbers. certificates, revocations and events: ever. tokens: that can be redeemed. approvals_waiting: of requests
    that became no certificate yet and were not rejected.
    """

    certificates: int
    revocations: int
    events: int
    tokens: int
    tokens_by_state: Mapping[str, int]
    approvals_waiting: int
    approvals_by_state: Mapping[str, int]
    notices_waiting: int
    requesters: int


@router.get("/audit")
def list_events(
    caller: Calling,
    after: Annotated[int, Query(ge=0, le=2**62, description="The id of the last event of the page before.")] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 100,
) -> dict[str, Any]:
    """Audit events in the order in which they happened. Each hash covers the event and the hash before."""
    found = caller.authority.store.events(after=after, limit=limit)
    return {"events": [shown.event(one) for one in found], "cursor": found[-1].id if found else after}


@router.get("/audit/head")
def show_head(caller: Calling) -> dict[str, Any]:
    """The last event and its hash: what a witness remembers, to notice a cut later."""
    store = caller.authority.store
    last = store.last_event_id()
    found = store.events(after=last - 1, limit=1) if last else ()
    return {"id": last, "hash": found[0].hash.hex() if found else None}


@router.get("/audit/heads")
def list_heads(
    caller: Calling,
    after: Annotated[int, Query(ge=0, le=2**62, description="The event of the last head of the page before.")] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 100,
) -> dict[str, Any]:
    """Signed heads that the authority keeps itself, oldest first. A witness has its own, and those count for more."""
    found = caller.authority.store.heads.page(after=after, limit=limit)
    return {"heads": [one.document() for one in found], "cursor": found[-1].id if found else after}


@router.get("/audit/verify")
def verify_events(caller: Calling) -> dict[str, Any]:
    """Whether the chain is whole, from the first event to the last. Reads all of it.

    That is the service's own word. To verify on another machine, against heads that a witness kept:
    `handfast audit-log verify --server`.
    """
    store = caller.authority.store
    found = verify_chain(_all(store))
    findings = [{"code": one.code, "message": one.message, "fix": one.fix} for one in found]
    return {"is_whole": not found, "events": store.last_event_id(), "findings": findings}


def _all(store: Store) -> Iterator[AuditEvent]:
    after = 0
    while piece := store.events(after=after, limit=MOST):
        yield from piece
        after = piece[-1].id


@router.get("/statistics")
def show_statistics(caller: Calling) -> Statistics:
    """How much there is. As quick with millions of certificates on record, which are counted when they are made."""
    authority = caller.authority
    store, now = authority.store, authority.clock()
    tokens, approvals = store.tokens.count(now=now), store.approvals.count(now=now)
    return Statistics(
        certificates=store.certificate_count(),
        revocations=store.last_revocation_id(),
        events=store.last_event_id(),
        tokens=tokens["redeemable"],
        tokens_by_state=tokens,
        approvals_waiting=approvals["waiting"] + approvals["approved"],
        approvals_by_state=approvals,
        notices_waiting=store.notices.waiting(),
        requesters=store.requesters.count(),
    )
