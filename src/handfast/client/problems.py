"""Problem details of a service, as the errors that they were there (RFC 9457)."""

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from handfast.client.documents import finding, read
from handfast.errors import (
    Conflict,
    Denied,
    HandfastError,
    Malformed,
    NotFound,
    RateLimited,
    Refused,
    Unacceptable,
    Unauthenticated,
    Unavailable,
)

_LONGEST = timedelta(days=1)
_MOST = 2000
_AGAIN = "try again later; the operator finds the reason in the service's log"


def error_of(status: int, body: bytes, retry_after: str | None = None) -> HandfastError:
    """The error that an answer other than 2xx tells of, in the service's own words."""
    document = _document(body)
    message = str(document.get("detail") or document.get("title") or f"the service answered {status}")[:_MOST]
    hint = str(document.get("hint") or _HINTS.get(status, _AGAIN))[:_MOST]
    if status in _PLAIN:
        return _PLAIN[status](message, hint=hint)
    if status == 422:
        return _unacceptable(document, message, hint)
    if status == 429:
        return RateLimited(message, hint=hint, retry_after=_length(retry_after) or timedelta(minutes=1))
    if status in {408, 503, 504}:
        return Unavailable(f"the service cannot do this now: {message}", hint=hint, retry_after=_length(retry_after))
    return Refused(f"the service answered {status}: {message}", hint=hint, code=str(status))


_PLAIN: Mapping[int, Callable[..., HandfastError]] = {
    400: Malformed,
    401: Unauthenticated,
    403: Denied,
    404: NotFound,
    405: Malformed,
    409: Conflict,
    413: Malformed,
    431: Malformed,
}
_HINTS = {
    401: "give --client-certificate FILE and --client-key FILE, or --secret-file FILE",
    404: "check the address; the service may run a version of handfast that does not know this",
    405: "check the address; the service may run a version of handfast that does not know this",
    422: "mend what it says is wrong",
}


def _unacceptable(document: Mapping[str, Any], message: str, hint: str) -> HandfastError:
    """What breaks rules for certificates, with all findings; or a request with fields that are wrong, with all."""
    fields = document.get("errors")
    if isinstance(fields, list):
        told = [f"{one.get('field')}: {one.get('message')}" for one in fields[:20] if isinstance(one, dict)]
        return Malformed("; ".join([message, *told])[:_MOST], hint=hint)
    findings = document.get("findings")
    listed = [one for one in findings if isinstance(one, dict)] if isinstance(findings, list) else []
    return Unacceptable(message, hint=hint, findings=tuple(read(one, finding) for one in listed))


def _document(body: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _length(seconds: str | None) -> timedelta | None:
    if seconds is None or not seconds.isascii() or not seconds.isdigit() or len(seconds) > 9:
        return None
    return min(timedelta(seconds=int(seconds)), _LONGEST)
