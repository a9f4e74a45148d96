"""The revocation feeds as an ASGI application: it waits here, on the event loop, and holds no worker while it does."""

import asyncio
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from handfast.ca.authority import Authority
from handfast.ca.records import Revocation
from handfast.errors import HandfastError
from handfast.protocols import feed
from handfast.protocols.feed import Asked
from handfast.server.bodies import Receive
from handfast.server.health import Health
from handfast.server.service import Service
from handfast.server.tenancy import tenant_of
from handfast.server.workers import Workers

# How often the store is asked, once for all who wait, whether there is anything new: by whatever replica.
LOOK = 0.1
# A comment now and then keeps proxies from ending a silent stream, and finds out who is gone.
HEARTBEAT = 15.0


@dataclass(slots=True)
class Feeds:
    """One process's feeds: one for each tenant, and none of them tells another's."""

    service: Service
    workers: Workers
    health: Health
    _by_tenant: "dict[str, Feed]" = field(default_factory=dict)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Any) -> None:
        """Answer one request. Raises NotFound, Malformed and Conflict before anything is sent."""
        tenant = tenant_of(scope)
        self.service.tenant(tenant)
        if tenant not in self._by_tenant:
            self._by_tenant[tenant] = Feed(self.service, self.workers, self.health, tenant)
        await self._by_tenant[tenant](scope, receive, send)


@dataclass(slots=True)
class Feed:
    """The feed of one tenant. wait() is for all who wait: one of them looks, for all."""

    service: Service
    workers: Workers
    health: Health
    tenant: str
    _last: int = -1
    _moved: asyncio.Event = field(default_factory=asyncio.Event)
    _watching: "asyncio.Task[None] | None" = None
    _waiting: int = 0

    @property
    def _authority(self) -> Authority:
        return self.service.tenant(self.tenant)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Any) -> None:
        """Answer one request. Raises Malformed and Conflict before anything is sent."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        wanted = feed.asked(scope["query_string"].decode("ascii", "replace"), headers)
        after = await self.workers.run(partial(feed.start_of, wanted, self._authority))
        gone = asyncio.create_task(_gone(receive))
        try:
            if wanted.is_stream:
                await self._stream(after, gone, send)
            else:
                await self._lines(wanted, after, gone, send)
        finally:
            gone.cancel()

    async def _lines(self, wanted: Asked, after: int, gone: "asyncio.Task[None]", send: Any) -> None:
        found = await self._since(after)
        if not found and wanted.wait:
            await self._wait(after, gone, wanted.wait)
            found = await self._since(after)
        cursor = str(found[-1].id if found else after)
        await send(_start(feed.LINES_TYPE, {feed.CURSOR: cursor}))
        await send({"type": "http.response.body", "body": feed.lines(found)})

    async def _stream(self, after: int, gone: "asyncio.Task[None]", send: Any) -> None:
        await send(_start(feed.EVENTS_TYPE, {feed.CURSOR: str(after)}))
        await send({"type": "http.response.body", "body": b"retry: 1000\n\n", "more_body": True})
        while not gone.done() and not self.health.is_stopping:
            try:
                found = await self._since(after)
            except HandfastError:
                break  # it comes back, to this replica or another, with the cursor that it has
            if found:
                after = found[-1].id
                await send({"type": "http.response.body", "body": feed.events(found), "more_body": True})
            elif not await self._wait(after, gone, HEARTBEAT):
                await send({"type": "http.response.body", "body": b": still here\n\n", "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _since(self, after: int) -> Sequence[Revocation]:
        publications = self._authority.store.publications
        return await self.workers.run(partial(publications.revocations, after=after, limit=feed.MOST))

    async def _wait(self, after: int, gone: "asyncio.Task[None]", seconds: float) -> bool:
        """Until there is something after the cursor, the asker is gone or the time is over; True in the first case."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        self._waiting += 1
        try:
            while self._last <= after and not gone.done() and not self.health.is_stopping:
                left = end - loop.time()
                if left <= 0:
                    break
                if self._watching is None or self._watching.done():
                    self._watching = asyncio.create_task(self._watch())
                moved = asyncio.ensure_future(self._moved.wait())
                await asyncio.wait((moved, gone), timeout=min(left, 1.0), return_when=asyncio.FIRST_COMPLETED)
                moved.cancel()
        finally:
            self._waiting -= 1
        return self._last > after

    async def _watch(self) -> None:
        """Look at the store as long as anybody waits."""
        while self._waiting and not self.health.is_stopping:
            try:
                last = await self.workers.run(self._authority.store.last_revocation_id)
            except HandfastError:
                last = self._last
            if last != self._last:
                self._last = last
                self._moved.set()
                self._moved.clear()
            await asyncio.sleep(LOOK)


def _start(media_type: str, headers: Mapping[str, str]) -> dict[str, Any]:
    head = [(b"content-type", media_type.encode()), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")]
    head += [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http.response.start", "status": 200, "headers": head}


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
