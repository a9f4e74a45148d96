"""Requesters and their grants, over the API."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from handfast.ca.name_patterns import parse_pattern
from handfast.ca.office import Proof
from handfast.ca.requesters import SECRET_PREFIX, CredentialRecord, RequesterRecord
from handfast.errors import ConfigError, Malformed
from handfast.keys.generate import new_secret
from handfast.server.api import models, shown
from handfast.server.api.access import kind_of
from handfast.server.api.answers import IdempotencyKey, once, require_right, unknown
from handfast.server.api.caller import Calling

router = APIRouter(tags=["requesters"])


@router.get("/caller")
def show_caller(caller: Calling) -> dict[str, Any]:
    """Who one is here."""
    one = caller.requester
    return {"name": one.name, "kind": kind_of(one).value, "grants": sorted(grant.value for grant in one.grants)}


@router.post("/requesters", status_code=201)
def add_requester(
    caller: Calling, wanted: models.NewRequester, request: Request, key: IdempotencyKey = None
) -> JSONResponse:
    """Make a requester. Its secret, when one is made, is in this answer only."""
    require_right({"profiles": unknown("profile", wanted.profiles or (), caller.authority.profiles)})

    def do() -> tuple[int, dict[str, Any]]:
        proof = _proof(wanted)
        record = _record(caller, wanted)
        _usable(lambda: caller.authority.office.add_requester(record, proof, by=caller.requester))
        office = caller.authority.office
        credentials = list(office.credentials(record.name, by=caller.requester))
        return 201, {**shown.requester(record, credentials), "secret": proof.secret}

    return once(caller, request, key, wanted.model_dump_json().encode(), do)


@router.get("/requesters")
def list_requesters(caller: Calling) -> dict[str, Any]:
    """Everybody who may ask."""
    office = caller.authority.office
    proofs: dict[str, list[CredentialRecord]] = {}
    for one in office.credentials(by=caller.requester):
        proofs.setdefault(one.requester, []).append(one)
    found = office.requesters(by=caller.requester)
    return {"requesters": [shown.requester(one, proofs.get(one.name, [])) for one in found]}


@router.delete("/requesters/{name}", status_code=204)
def remove_requester(caller: Calling, name: models.Identifier) -> Response:
    """Forget a requester: its next request is refused. Its certificates stay what they are."""
    caller.authority.office.remove_requester(name, by=caller.requester)
    return Response(status_code=204)


@router.post("/requesters/{name}/credentials", status_code=201)
def add_credential(
    caller: Calling, name: models.Identifier, wanted: models.NewCredential, request: Request, key: IdempotencyKey = None
) -> JSONResponse:
    """Another certificate or secret by which a requester proves who it is."""

    def do() -> tuple[int, dict[str, Any]]:
        proof = _proof(wanted)
        _usable(lambda: caller.authority.office.add_credential(name, proof, by=caller.requester))
        return 201, {"name": name, "secret": proof.secret}

    return once(caller, request, key, wanted.model_dump_json().encode(), do)


def _record(caller: Calling, wanted: models.NewRequester) -> RequesterRecord:
    patterns = wanted.patterns
    record: RequesterRecord = _usable(
        lambda: RequesterRecord(
            name=wanted.name,
            role=wanted.role,
            profiles=None if wanted.profiles is None else frozenset(wanted.profiles),
            patterns=None if patterns is None else tuple(map(parse_pattern, patterns)),
            created_at=caller.authority.clock(),
        )
    )
    return record


def _proof(wanted: models.NewRequester | models.NewCredential) -> Proof:
    if wanted.certificate is None and not wanted.secret:
        raise Malformed("nothing says how it proves who it is", hint='send a certificate, or "secret": true')
    return Proof(wanted.certificate, new_secret(SECRET_PREFIX) if wanted.secret else None)


def _usable(do: Any) -> Any:
    """What the office says of settings is, over the API, said of the request."""
    try:
        return do()
    except ConfigError as error:
        raise Malformed(error.message, hint=error.hint) from None
