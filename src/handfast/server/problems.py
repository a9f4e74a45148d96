"""Problem details: what an error looks like over HTTP where no protocol spells it (RFC 9457)."""

import json
from collections.abc import Mapping
from typing import Any

from handfast.errors import (
    ConfigError,
    Conflict,
    Denied,
    HandfastError,
    Malformed,
    NotFound,
    RateLimited,
    Refused,
    RequestError,
    Unacceptable,
    Unauthenticated,
    Unavailable,
)
from handfast.protocols.exchange import Response

MEDIA_TYPE = "application/problem+json"
# One row for each class; a test walks the tree of errors and finds every class here.
STATUS: Mapping[type[HandfastError], int] = {
    Malformed: 400,
    Unauthenticated: 401,
    Denied: 403,
    NotFound: 404,
    Conflict: 409,
    Unacceptable: 422,
    RateLimited: 429,
    RequestError: 400,
    ConfigError: 500,
    Refused: 502,
    Unavailable: 503,
    HandfastError: 500,
}
_TITLES = {
    400: "the request cannot be read",
    401: "who are you",
    403: "you may not have this",
    404: "not found",
    405: "not by this method",
    408: "the request took too long",
    409: "this contradicts what is so",
    413: "the body is too large",
    422: "this breaks the rules for certificates",
    429: "too many requests",
    431: "the head of the request is too large",
    500: "the service failed",
    502: "another service refused",
    503: "not available now",
}
INTERNAL_HINT = "try again; the operator finds the reason in the service's log"


def problem(status: int, detail: str, *, hint: str = "", headers: Mapping[str, str] | None = None) -> Response:
    """A response that says what went wrong."""
    document: dict[str, Any] = {"type": "about:blank", "title": _TITLES[status], "status": status, "detail": detail}
    if hint:
        document["hint"] = hint
    return _response(status, document, headers or {})


def problem_of(error: HandfastError) -> Response:
    """The response for an error. What is the operator's own business (ConfigError) is not told to clients."""
    status = status_of(error)
    if isinstance(error, Unavailable):
        return problem(status, "a part of the service does not answer", hint="try again", headers=_retry(error))
    if not isinstance(error, RequestError):
        return problem(status, "the service cannot do this now", hint=INTERNAL_HINT)
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": _TITLES[status],
        "status": status,
        "detail": error.message,
        "hint": error.hint,
    }
    if isinstance(error, Unacceptable):
        document["findings"] = [
            {name: str(getattr(one, name)) for name in ("code", "severity", "message", "fix", "reference")}
            for one in error.findings
        ]
    return _response(status, document, _headers_of(error))


def status_of(error: HandfastError) -> int:
    """The HTTP status of an error: of its class, or of the nearest one above it."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def _headers_of(error: HandfastError) -> Mapping[str, str]:
    if isinstance(error, Unauthenticated):
        # What a client may prove itself with, beside its certificate (RFC 9110 section 11.6.1).
        return {"www-authenticate": 'Basic realm="handfast", charset="UTF-8", Bearer realm="handfast"'}
    return _retry(error)


def _retry(error: HandfastError) -> Mapping[str, str]:
    after = getattr(error, "retry_after", None)
    if after is None:
        return {"retry-after": "5"} if isinstance(error, Unavailable) else {}
    return {"retry-after": str(max(1, round(after.total_seconds())))}


def _response(status: int, document: Mapping[str, Any], headers: Mapping[str, str]) -> Response:
    body = json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
    return Response(status=status, body=body, media_type=MEDIA_TYPE, headers={"cache-control": "no-store", **headers})
