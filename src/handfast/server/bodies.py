"""Bodies of requests: read within a number of bytes and a length of time, whatever the client does."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from handfast.protocols.exchange import Response
from handfast.server.problems import problem

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
# What is left of a refused request is not read: the connection ends with the answer.
CLOSE = {"connection": "close"}


@dataclass(frozen=True, slots=True)
class Body:
    """What was read. refusal: the answer to a body that is too large, too slow or no length at all."""

    data: bytes = b""
    refusal: Response | None = None
    is_gone: bool = False


NO_BODY = Body()


async def read_body(receive: Receive, headers: Mapping[str, str], *, most: int, within: timedelta) -> Body:
    """The whole body, at most so many bytes. One that says it is larger is refused before anything of it is read."""
    declared = headers.get("content-length")
    if declared is None and "transfer-encoding" not in headers:
        return NO_BODY
    if declared is not None and (not declared.isdecimal() or int(declared) > most):
        return _too_large(most)
    try:
        async with asyncio.timeout(within.total_seconds()):
            return await _read(receive, most)
    except TimeoutError:
        return Body(refusal=problem(408, "the body did not come in time", headers=CLOSE))


async def _read(receive: Receive, most: int) -> Body:
    data = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return Body(is_gone=True)
        data += message.get("body", b"")
        if len(data) > most:
            return _too_large(most)
        if not message.get("more_body", False):
            return Body(data)


def _too_large(most: int) -> Body:
    return Body(refusal=problem(413, f"the body may have {most} bytes at most", headers=CLOSE))


def replayed(body: bytes, receive: Receive) -> Receive:
    """An ASGI receive that gives a body that was read already, and then what else comes."""
    given = False

    async def again() -> MutableMapping[str, Any]:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
