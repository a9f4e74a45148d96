"""Errors as problem details with every field at once (RFC 9457), and answers that are the same when asked again."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Header, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.responses import Response

from handfast.ca.answers import KEPT, AnswerKey
from handfast.ca.records import BatchRow
from handfast.errors import Malformed, RequestError
from handfast.pki.nearest import nearest
from handfast.protocols.exchange import Response as Answer
from handfast.server.api.caller import Caller
from handfast.server.log import Log
from handfast.server.problems import INTERNAL_HINT, MEDIA_TYPE, problem, problem_of

IdempotencyKey = Annotated[
    str | None,
    Header(alias="Idempotency-Key", max_length=200, description="Done once, answered the same."),
]
# What is shown once, and never kept.
SECRETS = ("key", "pkcs12", "password", "secret")


def on_error(request: Request, error: Any) -> Response:
    """A HandfastError, as the rest of the service spells it; on record when it is the operator's to mend."""
    if not isinstance(error, RequestError):
        log: Log = request.app.state.authenticate.service.log
        log("request.failed", path=request.scope["path"], error=type(error).__name__, why=error.message)
    return _response(problem_of(error))


def on_bug(_request: Request, _error: Any) -> Response:
    """Anything else. It is raised again after this, and the frame of the service puts it on record."""
    return _response(problem(500, "the service failed", hint=INTERNAL_HINT))


def on_invalid(_request: Request, error: Any) -> Response:
    """A RequestValidationError: every field that is wrong, at once."""
    fields = [{"field": _place(one["loc"]), "message": _message(one)} for one in error.errors()]
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": "the request cannot be used",
        "status": 422,
        "detail": f"{len(fields)} of its fields are wrong" if len(fields) > 1 else "one of its fields is wrong",
        "errors": fields,
    }
    return JSONResponse(document, status_code=422, media_type=MEDIA_TYPE)


def on_http_error(_request: Request, error: Any) -> Response:
    """An HTTPException: no such path, no such method."""
    status = error.status_code if error.status_code in {404, 405} else 400
    words = {404: "there is nothing at this path", 405: "this path does not know the method"}
    return _response(problem(status, words.get(status, "the request cannot be read"), headers=error.headers))


def require_right(wrong: Mapping[str, str | None]) -> None:
    """Refuse a body for what only the authority can tell of its fields. wrong: by field, the message, or None.

    Raises RequestValidationError, with every field that is wrong.
    """
    told = [{"loc": ("body", field), "msg": message} for field, message in wrong.items() if message is not None]
    if told:
        raise RequestValidationError(told)


def unknown(what: str, names: Iterable[str], known: Iterable[str]) -> str | None:
    """The message of a field with a name that is not known, as of a profile; None when all are."""
    listed = list(known)
    missing = [name for name in names if name not in listed]
    return f"there is no {what} {missing[0]!r}; {nearest(missing[0], listed)}" if missing else None


def once(
    caller: Caller, request: Request, key: str | None, body: bytes, do: Callable[[], tuple[int, dict[str, Any]]]
) -> JSONResponse:
    """Do it, or give the answer of the last 24 hours to the same request under the same key.

    Secrets are in the first answer only: they are not kept for the second. That a request waits is no answer yet.
    """
    if key is None:
        return _answer(*do())
    if not key.isprintable() or not key.strip():
        raise Malformed("the Idempotency-Key has unprintable characters", hint="send a UUID")
    name = AnswerKey(caller.requester.name, key)
    answers = caller.authority.store.answers
    before = answers.claim(name, _digest(request, body), now=caller.authority.clock())
    if before is not None:
        status, document = json.loads(before)
        return _answer(status, document)
    is_done = False
    try:
        status, document = do()
        # What waits for others is not done: the same request again has to learn what became of it.
        is_done = status != HTTPStatus.ACCEPTED
    finally:
        if not is_done:
            answers.forget(name)
    if not is_done:
        return _answer(status, document)
    kept = {field: None if field in SECRETS else value for field, value in document.items()}
    answers.keep(name, json.dumps([status, kept], default=str).encode())
    return _answer(status, document)


def row_of(caller: Caller, request: Request, key: str | None, body: bytes) -> BatchRow | None:
    """The row that a certificate is issued for, so that its key has one only, also when the answer was lost in a crash.

    It is that of the last 24 hours, as the key's answer; then the key is free again.
    """
    if key is None:
        return None
    now, store = caller.authority.clock(), caller.authority.store
    what = hashlib.sha256(key.encode() + b"\0" + _digest(request, body)).hexdigest()
    batch, rows = f"{caller.requester.name}/once", [f"{what} {day:%Y-%m-%d}" for day in (now, now - KEPT)]
    before = [one.batch_row for one in store.by_batch(batch, rows) if one.created_at > now - KEPT]
    return before[0] if before else BatchRow(batch, rows[0])


def _digest(request: Request, body: bytes) -> bytes:
    return hashlib.sha256(b"\0".join([request.method.encode(), request.url.path.encode(), body])).digest()


def _answer(status: int, document: Mapping[str, Any]) -> JSONResponse:
    return JSONResponse(json.loads(json.dumps(document, default=str)), status_code=status)


def _response(answer: Answer) -> Response:
    headers = {name: value for name, value in answer.headers.items() if name != "cache-control"}  # as for all of /api
    return Response(answer.body, answer.status, headers, answer.media_type)


def _place(location: tuple[Any, ...]) -> str:
    """A field by its names; the body itself where it is no JSON, of which pydantic tells the octet."""
    names = [str(one) for one in location[1:]]
    return ".".join(names) if names and not isinstance(location[1], int) else str(location[0])


def _message(one: Mapping[str, Any]) -> str:
    # pydantic's words for an error of ours begin with its kind; what was sent is not said back.
    return str(one["msg"]).removeprefix("Value error, ")[:300]
