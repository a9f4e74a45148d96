"""EST on the wire: base64 both ways, and how each error is spelled (RFC 7030 section 4, RFC 8951)."""

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta

from handfast.errors import (
    Conflict,
    Denied,
    Malformed,
    NotFound,
    RateLimited,
    RequestError,
    Unacceptable,
    Unauthenticated,
)
from handfast.pki import der
from handfast.pki.cms import certificates_only
from handfast.protocols.exchange import Request, Response

OPERATIONS = ("cacerts", "simpleenroll", "simplereenroll", "csrattrs", "serverkeygen", "fullcmc")
REQUEST_TYPE = "application/pkcs10"
CERTIFICATES_TYPE = "application/pkcs7-mime; smime-type=certs-only"
_TEXT = "text/plain; charset=utf-8"
_CHALLENGE = 'Basic realm="handfast EST", charset="UTF-8"'
_ARMOUR = re.compile(rb"-----(?:BEGIN|END) [A-Z ]{1,40}-----")
_LINE = 76
_HINT = "send the PKCS#10 request in DER, as base64"
# One row for each class of what is the client's fault; a test walks the tree and finds every class here.
STATUS: Mapping[type[RequestError], int] = {
    Malformed: 400,
    Unauthenticated: 401,
    Denied: 403,
    NotFound: 404,
    Conflict: 409,
    Unacceptable: 422,
    RateLimited: 429,
    RequestError: 400,
}


def request_bytes(request: Request) -> bytes:
    """The DER in the body: base64 with or without line breaks, or DER itself. Raises Malformed.

    Content-Transfer-Encoding is not looked at (RFC 8951 section 3.1). The media type is, since a web page elsewhere
    can make a browser send others with its user's certificate, but not this one.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != REQUEST_TYPE:
        msg = f"the Content-Type is {media_type[:80]!r}, not {REQUEST_TYPE}"
        raise Malformed(msg, hint=f"send the header Content-Type: {REQUEST_TYPE}")
    body = request.body.strip(b" \t\r\n") if request.body[:1] != b"\x30" else request.body
    data = body if body[:1] == b"\x30" else _from_base64(_ARMOUR.sub(b"", body) if b"-" in body else body)
    if data[:1] != b"\x30" or der.element_at(data).end != len(data):
        raise Malformed("the body is no certificate request", hint=_HINT)
    return data


def _from_base64(text: bytes) -> bytes:
    try:
        return binascii.a2b_base64(b"".join(text.split()), strict_mode=True)
    except binascii.Error:
        raise Malformed("the body is neither base64 nor DER", hint=_HINT) from None


def base64_text(data: bytes, *, is_wrapped: bool) -> bytes:
    """Base64, in lines of 76 characters or in one."""
    text = base64.b64encode(data)
    if not is_wrapped:
        return text
    return b"".join(text[start : start + _LINE] + b"\r\n" for start in range(0, len(text), _LINE))


def encoded(data: bytes, media_type: str, *, is_wrapped: bool) -> Response:
    """An answer in base64. Content-Transfer-Encoding says so, for clients from before RFC 8951."""
    return Response(
        body=base64_text(data, is_wrapped=is_wrapped),
        media_type=media_type,
        headers={"content-transfer-encoding": "base64"},
    )


def certificates_response(certificates: Iterable[bytes], *, is_wrapped: bool) -> Response:
    """Certificates in DER, with nothing else."""
    return encoded(certificates_only(certificates), CERTIFICATES_TYPE, is_wrapped=is_wrapped)


def spelled(answer: Callable[[], Response]) -> Response:
    """The answer, or the error in EST's words. What is not the client's fault goes on to the service, for its log."""
    try:
        return answer()
    except RequestError as error:
        return error_response(error)


def error_response(error: RequestError) -> Response:
    """Plain text for people, and no body at all where the client is to authenticate (RFC 8951 section 5)."""
    status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    if isinstance(error, Unauthenticated):
        # Java clients that try again on the same connection give up over a body.
        return Response(status=status, headers={"www-authenticate": _CHALLENGE})
    headers = retry_after(error.retry_after) if isinstance(error, RateLimited) else {}
    text = f"{error.message}\n{error.hint}\n"
    if isinstance(error, Unacceptable):
        text += "".join(f"{one.code}: {one.message}\n" for one in error.findings)
    return Response(status=status, body=text.encode("utf-8", "replace"), media_type=_TEXT, headers=headers)


def retry_after(wait: timedelta) -> Mapping[str, str]:
    """The header that says when to come again, in whole seconds."""
    return {"retry-after": str(max(1, round(wait.total_seconds())))}
