"""One-time enrollment tokens, over the API."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from handfast.ca.office import TOKEN_LIFETIME
from handfast.ca.tokens import TOKEN_PREFIX
from handfast.errors import ConfigError, Malformed
from handfast.keys.generate import new_secret
from handfast.server.api import models, shown
from handfast.server.api.answers import IdempotencyKey, once, require_right, unknown
from handfast.server.api.caller import Calling

router = APIRouter(tags=["tokens"])


@router.post("/tokens", status_code=201)
def make_token(caller: Calling, wanted: models.NewToken, request: Request, key: IdempotencyKey = None) -> JSONResponse:
    """Make a token for one certificate with these names. The token is in this answer only."""
    require_right({"profile": unknown("profile", (wanted.profile,), caller.authority.profiles)})

    def do() -> tuple[int, dict[str, Any]]:
        secret = new_secret(TOKEN_PREFIX)
        lifetime = models.lifetime_of(wanted.lifetime) or TOKEN_LIFETIME
        try:
            made = caller.authority.office.make_token(
                secret, wanted.profile, wanted.names, lifetime=lifetime, by=caller.requester
            )
        except ConfigError as error:
            raise Malformed(error.message, hint=error.hint) from None
        return 201, {**shown.token(made), "secret": secret}

    return once(caller, request, key, wanted.model_dump_json().encode(), do)


@router.get("/tokens")
def list_tokens(caller: Calling) -> dict[str, Any]:
    """The tokens that can be redeemed; one's own, for most."""
    return {"tokens": [shown.token(one) for one in caller.authority.office.tokens(by=caller.requester)]}


@router.delete("/tokens/{identifier}")
def revoke_token(caller: Calling, identifier: models.Identifier) -> dict[str, Any]:
    """End a token that nobody used yet."""
    return {"revoked": caller.authority.office.revoke_token(identifier, by=caller.requester).id}
