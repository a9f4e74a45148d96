"""OCSP over HTTP, by POST and GET, with what caches need (RFC 6960 appendix A, RFC 5019 sections 5 and 6)."""

import binascii
import hashlib
from collections.abc import Iterator
from email.utils import format_datetime
from urllib.parse import quote, unquote_to_bytes

from handfast.ca.answering import OcspAnswer
from handfast.ca.authority import Authority
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
from handfast.pki.ocsp_response import OcspRefusal, build_refusal
from handfast.protocols.exchange import Prepared, Request, Response, Route

MEDIA_TYPE = "application/ocsp-response"
PATH = "/ocsp"
# 256 certificates by SHA-512 are below this.
LARGEST_BODY = 65536
_LARGEST_GET = 8192
# How long a cache on the way may serve an answer: a revocation reaches who is behind it no later.
_CACHED_FOR = 300
# How each class of error is spelled. A key that is not at hand means that we cannot speak for that CA.
REFUSALS: dict[type[HandfastError], OcspRefusal] = {
    Malformed: OcspRefusal.MALFORMED_REQUEST,
    NotFound: OcspRefusal.UNAUTHORIZED,
    Unauthenticated: OcspRefusal.UNAUTHORIZED,
    Denied: OcspRefusal.UNAUTHORIZED,
    ConfigError: OcspRefusal.UNAUTHORIZED,
    Conflict: OcspRefusal.TRY_LATER,
    RateLimited: OcspRefusal.TRY_LATER,
    Unavailable: OcspRefusal.TRY_LATER,
    Unacceptable: OcspRefusal.INTERNAL_ERROR,
    Refused: OcspRefusal.INTERNAL_ERROR,
    RequestError: OcspRefusal.INTERNAL_ERROR,
    HandfastError: OcspRefusal.INTERNAL_ERROR,
}


def answer_post(request: Request, authority: Authority) -> Response:
    """Answer the request in the body."""
    return _answer(request.body, authority)


def answer_get(request: Request, authority: Authority) -> Response:
    """Answer the request in the path, in base64; percent signs are decoded already, and slashes belong to it."""
    return _answer(_decoded(request.parameters["request"].encode("utf-8", "replace")), authority)


def find_post(body: bytes, authority: Authority) -> Prepared | None:
    """An answer that lies ready for this body."""
    memory = authority.ocsp_memory
    if memory is None:
        return None
    try:
        found = memory.find(body, authority.store, authority.clock())
    except HandfastError:
        return None  # the handler meets it again, and spells it
    return found if isinstance(found, Prepared) else None


def find_get(path: bytes, authority: Authority) -> Prepared | None:
    """An answer that lies ready for this path."""
    # The three that base64 needs, without the cost of all.
    path = path.replace(b"%2B", b"+").replace(b"%2F", b"/").replace(b"%3D", b"=")
    return find_post(_decoded(unquote_to_bytes(path) if b"%" in path else path), authority)


def headers_of(answer: OcspAnswer) -> Iterator[tuple[bytes, bytes]]:
    """The whole head of an answer: what caches go by (RFC 5019 section 6.2)."""
    yield b"content-type", MEDIA_TYPE.encode()
    yield b"content-length", b"%d" % len(answer.der)
    for name, value in _caching(answer).items():
        yield name.lower().encode(), value.encode()


def file_name(request: bytes) -> str:
    """The path below the OCSP URL of the file in which a static web server finds the answer to a GET.

    It takes a slash in the path for a folder, two for one, and one at the end for the folder's index.
    """
    name = binascii.b2a_base64(request, newline=False).decode()
    while "//" in name:
        name = name.replace("//", "/")
    return name + "index.html" if name.endswith("/") else name


def get_path(request: bytes) -> str:
    """The path below the OCSP URL at which GET asks this (RFC 5019 section 5)."""
    return quote(binascii.b2a_base64(request, newline=False).decode(), safe="")


def _answer(data: bytes, authority: Authority) -> Response:
    try:
        answer = _recalled(data, authority) or _made(data, authority)
    except HandfastError as error:
        return Response(body=build_refusal(refusal_of(error)), media_type=MEDIA_TYPE, headers=_NO_CACHE)
    return Response(body=answer.der, media_type=MEDIA_TYPE, headers=_caching(answer))


def _recalled(data: bytes, authority: Authority) -> OcspAnswer | None:
    """For whoever did not come the quick way: by HTTP/1.0, with a certificate, or right after a revocation."""
    memory = authority.ocsp_memory
    return None if memory is None else memory.recall(data, authority.store, authority.clock())


def _made(data: bytes, authority: Authority) -> OcspAnswer:
    answer = authority.ocsp(data)
    if authority.ocsp_memory is not None and answer.rests_on:
        authority.ocsp_memory.keep(data, answer, authority.store)
    return answer


_NO_CACHE = {"Cache-Control": "no-store"}


def refusal_of(error: HandfastError) -> OcspRefusal:
    """How OCSP spells this error."""
    return next(REFUSALS[cls] for cls in type(error).__mro__ if cls in REFUSALS)


def _caching(answer: OcspAnswer) -> dict[str, str]:
    age = min(_CACHED_FOR, int((answer.next_update - answer.this_update).total_seconds()) // 2)
    return {
        "ETag": f'"{hashlib.sha256(answer.der).hexdigest()[:40]}"',
        "Last-Modified": format_datetime(answer.this_update, usegmt=True),
        "Expires": format_datetime(answer.next_update, usegmt=True),
        "Cache-Control": f"max-age={age}, public, no-transform, must-revalidate",
    }


def _decoded(text: bytes) -> bytes:
    """The DER of a base64 text; what is none becomes an empty request, which is malformed."""
    text = text.lstrip(b"/")
    if len(text) > _LARGEST_GET:
        return b""
    # A slash at the end may belong to the request: one in 64 ends so. One too many is left over beside whole groups.
    while text.endswith(b"/") and len(text) % 4 == 1:
        text = text[:-1]
    try:
        return binascii.a2b_base64(text + b"=" * (-len(text) % 4), strict_mode=True)
    except binascii.Error:
        return b""


routes = (
    Route(
        methods=("POST",),
        path=PATH,
        handle=answer_post,
        largest_body=LARGEST_BODY,
        is_plain=True,
        prepared=find_post,
    ),
    Route(
        methods=("GET",),
        path=PATH + "/{request:path}",
        handle=answer_get,
        is_plain=True,
        prepared=find_get,
    ),
)
