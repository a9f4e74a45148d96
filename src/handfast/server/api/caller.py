"""Who calls: authenticated anew at each request, and allowed or not by the table."""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request

from handfast.ca.authenticating import Credentials
from handfast.ca.authority import Authority
from handfast.ca.policy import Requester
from handfast.errors import Denied, Unauthenticated
from handfast.server.api.access import Whose, require
from handfast.server.peers import peer_of_scope
from handfast.server.service import Service
from handfast.server.tenancy import tenant_of


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, at which authority, and over whose objects the operation may go."""

    authority: Authority
    requester: Requester
    whose: Whose


@dataclass(frozen=True, slots=True)
class Authenticator:
    """Finds the tenant's authority, and who asks it."""

    service: Service

    def __call__(self, request: Request, operation: str) -> Caller:
        """The caller. Raises Unauthenticated, Denied, NotFound."""
        authority = self.service.tenant(tenant_of(request.scope))
        _require_no_other_site(request)
        peer = peer_of_scope(request.scope)
        user, secret = _authorization(request.headers.get("authorization"))
        requester = authority.authenticate(Credentials(peer.certificate, user, secret))
        return Caller(authority, requester, require(operation, requester))


def _require_no_other_site(request: Request) -> None:
    """A browser shows its user's certificate to whatever a page makes it ask; it says then whose page that is."""
    if request.headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
        raise Denied("a page of another site asks for this", hint="ask from a program, or from a page of this service")


def _authorization(header: str | None) -> tuple[str | None, str | None]:
    """User and secret of a Basic or Bearer header (RFC 7617, RFC 6750)."""
    if header is None:
        return None, None
    scheme, _, rest = header.partition(" ")
    if scheme.lower() == "bearer":
        return None, rest.strip()
    if scheme.lower() == "basic":
        try:
            user, colon, secret = base64.b64decode(rest.strip(), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            colon = ""
        if colon:
            return user, secret
    raise Unauthenticated("the Authorization header cannot be read", hint="send Bearer SECRET, or Basic")


def _caller(request: Request) -> Caller:
    authenticate: Callable[[Request, str], Caller] = request.app.state.authenticate
    route: Any = request.scope["route"]
    return authenticate(request, route.name)


Calling = Annotated[Caller, Depends(_caller)]
