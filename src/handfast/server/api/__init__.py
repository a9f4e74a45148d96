"""The REST API at /api: everything that the commands do, as OpenAPI 3.1 (FastAPI, RFC 9110, RFC 9457)."""

from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from handfast import __version__
from handfast.errors import HandfastError
from handfast.server.api import approvals, audit, certificates, issuers, requesters, tokens
from handfast.server.api.access import OPERATIONS
from handfast.server.api.answers import on_bug, on_error, on_http_error, on_invalid
from handfast.server.api.caller import Authenticator
from handfast.server.service import Service

ROOMS = (certificates, requesters, tokens, approvals, issuers, audit)
_SECURITY = {
    "certificate": {"type": "mutualTLS", "description": "A client certificate of this authority."},
    "secret": {"type": "http", "scheme": "bearer", "description": "A requester's secret, or a one-time token."},
}


def make_api(service: Service) -> FastAPI:
    """The application that is mounted at /api. It authenticates, authorizes by the table, and tells every field."""
    app = FastAPI(
        title="handfast",
        version=__version__,
        summary="A private certification authority: issue, renew, revoke, approve, audit.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.authenticate = Authenticator(service)
    for room in ROOMS:
        app.include_router(room.router)
    app.add_exception_handler(HandfastError, on_error)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(Exception, on_bug)
    _describe_security(app)
    return app


def _describe_security(app: FastAPI) -> None:
    """FastAPI has no word for mutual TLS: the document is completed when it is first made."""
    make = app.openapi

    def openapi() -> dict[str, Any]:
        document = make()
        document.setdefault("components", {})["securitySchemes"] = _SECURITY
        document["security"] = [{"certificate": []}, {"secret": []}]
        for path in document["paths"].values():
            for operation in path.values():
                rule = OPERATIONS[operation["operationId"]]
                operation["description"] = f"{operation.get('description', '')}\n\nFor: {rule.words}.".strip()
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # the way that FastAPI's manual shows
