"""Approvals, over the API: what waits for other eyes."""

from typing import Any

from fastapi import APIRouter

from handfast.server.api import models, shown
from handfast.server.api.caller import Calling

router = APIRouter(tags=["approvals"])


@router.get("/approvals")
def list_approvals(caller: Calling, waiting: bool = True) -> dict[str, Any]:
    """The requests that wait, or all of the last 30 days; one's own, for a requester."""
    found = caller.authority.pending(caller.requester, waiting=waiting)
    return {"approvals": [shown.pending(one) for one in found]}


@router.post("/approvals/{transaction}/approve")
def approve_request(caller: Calling, transaction: models.Identifier) -> dict[str, Any]:
    """Agree. Who asked cannot; each counts once."""
    return shown.pending(caller.authority.approve(transaction, caller.requester))


@router.post("/approvals/{transaction}/reject")
def reject_request(caller: Calling, transaction: models.Identifier, wanted: models.Rejection) -> dict[str, Any]:
    """Reject it for ever; the requester is told why."""
    return shown.pending(caller.authority.reject(transaction, caller.requester, wanted.reason))
