"""Errors as problem details with every field at once (RFC 9457), and answers that are the same when asked again."""

import hashlib
import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Header, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from handfast.ca.answers import AnswerKey
from handfast.errors import Malformed
from handfast.protocols.exchange import Response as Answer
from handfast.server.api.caller import Caller
from handfast.server.problems import MEDIA_TYPE, problem, problem_of

IdempotencyKey = Annotated[
    str | None,
    Header(alias="Idempotency-Key", max_length=200, description="Done once, answered the same."),
]
# What is shown once, and never kept.
SECRETS = ("key", "pkcs12", "password", "secret")


def on_error(_request: Request, error: Any) -> Response:
    """A HandfastError, as the rest of the service spells it."""
    return _response(problem_of(error))


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
    digest = hashlib.sha256(b"\0".join([request.method.encode(), request.url.path.encode(), body])).digest()
    answers = caller.authority.store.answers
    before = answers.claim(name, digest, now=caller.authority.clock())
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


def _answer(status: int, document: Mapping[str, Any]) -> JSONResponse:
    return JSONResponse(json.loads(json.dumps(document, default=str)), status_code=status)


def _response(answer: Answer) -> Response:
    headers = {name: value for name, value in answer.headers.items() if name != "cache-control"}  # as for all of /api
    return Response(answer.body, answer.status, headers, answer.media_type)


def _place(location: tuple[Any, ...]) -> str:
    return ".".join(str(one) for one in location[1:]) or str(location[0])


def _message(one: Mapping[str, Any]) -> str:
    # pydantic's words for an error of ours begin with its kind; what was sent is not said back.
    return str(one["msg"]).removeprefix("Value error, ")[:300]
