"""The service as an ASGI application: from bytes to a protocol's Request, and from its Response to bytes."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from prometheus_client import Histogram

from handfast.ca.authority import Authority
from handfast.errors import HandfastError, RequestError
from handfast.pki.serial import serial_text
from handfast.protocols import feed
from handfast.protocols.exchange import Peer, Request, Response, Route
from handfast.server.bodies import Receive, read_body, replayed
from handfast.server.desk import Desk
from handfast.server.health import LIVE, READY, Health
from handfast.server.limits import Limits
from handfast.server.log import place_of
from handfast.server.metrics import Metrics
from handfast.server.peers import SCOPE_KEY, Visitor, require_standing
from handfast.server.problems import INTERNAL_HINT, problem, problem_of
from handfast.server.routing import Router
from handfast.server.service import Service
from handfast.server.tenancy import enter, mounted, tenant_of
from handfast.server.workers import Workers

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

API, METRICS = "/api", "/metrics"
# Where the path template of the route that was found is in the scope.
_ROUTE, _STATUS = "handfast.route", "handfast.status"
_PIECE = 65536


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """One listener's application. is_secure: over TLS. None on plain HTTP: api, below /api, and feed, at /feed.

    metrics: what counts. shows_metrics: this listener is the one that Prometheus asks. logs_requests: each
    one that a handler answered, in the log.
    """

    service: Service
    router: Router
    limits: Limits
    workers: Workers
    desk: Desk
    health: Health
    is_secure: bool
    api: Application | None = None
    feed: Application | None = None
    metrics: Metrics | None = None
    shows_metrics: bool = False
    logs_requests: bool = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. No error escapes: this is the outermost frame of the service."""
        if scope["type"] != "http":
            return
        enter(scope)
        path: str = scope["path"]
        if self.api is not None and (path == API or path.startswith(API + "/")):
            response = await self._guarded(scope, self._below(self.api, scope, receive, send))
        elif self.feed is not None and path == feed.PATH:
            response = await self._guarded(scope, self._fed(self.feed, scope, receive, send))
        else:
            response = await self._guarded(scope, self._answer(scope, receive))
        if response is not None:
            await self._send(response, send, scope)
        if self.logs_requests and _STATUS in scope:
            self._log(scope)

    async def _guarded(self, scope: Scope, answer: Awaitable[Response | None]) -> Response | None:
        try:
            return await answer
        except HandfastError as error:
            if not isinstance(error, RequestError):
                self.service.log("request.failed", path=scope["path"], error=type(error).__name__, why=error.message)
            return problem_of(error)
        except Exception as error:  # noqa: BLE001  # the outermost frame
            # On record with its place in the code, and without what it was about.
            self.service.log("request.failed", path=scope["path"], error=type(error).__name__, where=place_of(error))
            return problem(500, "the service failed", hint=INTERNAL_HINT)

    async def _answer(self, scope: Scope, receive: Receive) -> Response | None:
        """None when the client has gone."""
        method, path = scope["method"], scope["path"]
        authority = self.service.tenant(tenant_of(scope))
        if path in {LIVE, READY, METRICS}:
            own = await self._own(path, tenant_of(scope))
            if own is not None:
                return own
        found = self.router.find(method, path)
        if found.route is None:
            return _no_route(found.methods)
        scope[_ROUTE] = found.route.path
        headers = _headers(scope)
        body = await read_body(receive, headers, most=found.route.largest_body, within=self.limits.body)
        if body.is_gone or body.refusal is not None:
            return body.refusal
        visitor: Visitor = scope[SCOPE_KEY]
        request = Request(
            method=method,
            path=path,
            peer=visitor.peer,
            parameters=found.parameters,
            query=scope["query_string"].decode("ascii", "replace"),
            headers=headers,
            body=body.data,
            is_secure=self.is_secure,
        )
        worker = self.desk if found.route.is_issuing else self.workers
        return await worker.run(partial(handle, found.route, request, authority, self._timed(scope)))

    async def _own(self, path: str, tenant: str) -> Response | None:
        """What the process tells of itself; of a tenant, whether it is ready."""
        if path == READY:
            return await self.workers.run(partial(self.health.ready, tenant))
        if tenant:
            return None
        if path == LIVE:
            return self.health.live()
        if self.shows_metrics and self.metrics is not None:
            return await self.workers.run(self.metrics.answer)
        return None

    async def _below(self, application: Application, scope: Scope, receive: Receive, send: Send) -> Response | None:
        """Hand on to the application that is mounted at /api, within the same bounds; None when it has answered."""
        await self._require_standing(scope)
        limits = self.limits
        body = await read_body(receive, _headers(scope), most=limits.largest_api_body, within=limits.body)
        if body.is_gone or body.refusal is not None:
            return body.refusal
        inner = mounted(scope, API)
        has_begun = False

        async def noting(message: MutableMapping[str, Any]) -> None:
            nonlocal has_begun
            if not has_begun:
                self._seen(scope, API, message.get("status", 0))
                # Certificates and requesters are nobody's cache's affair, and keys and passwords least of all.
                message["headers"] = [*message.get("headers", ()), (b"cache-control", b"no-store")]
            has_begun = True
            await send(message)

        scope[_ROUTE] = API
        failure = await self._guarded(scope, _run(application, inner, replayed(body.data, receive), noting))
        return None if has_begun else failure

    async def _fed(self, application: Application, scope: Scope, receive: Receive, send: Send) -> Response | None:
        if scope["method"] != "GET":
            return _no_route(("GET",))
        await self._require_standing(scope)
        await application(scope, receive, send)
        return None

    async def _require_standing(self, scope: Scope) -> None:
        """For what no handler answers. Raises Denied for a peer whose certificate no longer stands."""
        visitor: Visitor = scope[SCOPE_KEY]
        if visitor.peer.chain:
            authority = self.service.tenant(tenant_of(scope))
            await self.workers.run(partial(require_standing, authority, visitor.peer))

    async def _send(self, response: Response, send: Send, scope: Scope) -> None:
        self._seen(scope, scope.get(_ROUTE, ""), response.status)
        await send({"type": "http.response.start", "status": response.status, "headers": _head(response)})
        body = b"" if scope["method"] == "HEAD" else response.body
        if len(body) <= _PIECE:
            await send({"type": "http.response.body", "body": body})
            return
        # As the client takes it: what it leaves lying stays small.
        for start in range(0, len(body), _PIECE):
            piece, more = body[start : start + _PIECE], start + _PIECE < len(body)
            await send({"type": "http.response.body", "body": piece, "more_body": more})

    def _log(self, scope: Scope) -> None:
        """One line for a request: the route and not the path, which may be as long and as secret as a client likes."""
        peer: Peer = scope[SCOPE_KEY].peer
        who = None if peer.certificate is None else serial_text(peer.certificate.serial_number)
        route = scope.get(_ROUTE, "")
        self.service.log(
            "request",
            method=scope["method"],
            route=route,
            status=scope[_STATUS],
            address=peer.address,
            serial=who,
            tenant=tenant_of(scope) or None,
        )

    def _seen(self, scope: Scope, route: str, status: int) -> None:
        scope[_STATUS] = status
        if self.metrics is not None:
            self.metrics.answered(tenant_of(scope), route, status)

    def _timed(self, scope: Scope) -> Histogram | None:
        return None if self.metrics is None else self.metrics.validation.labels(tenant_of(scope))


def handle(route: Route, request: Request, authority: Authority, timed: Histogram | None = None) -> Response:
    """The route's answer; none for a peer whose certificate no longer stands. timed: how long it took to look it up."""
    if timed is None or request.peer.certificate is None:
        require_standing(authority, request.peer)
    else:
        with timed.time():
            require_standing(authority, request.peer)
    return route.handle(request, authority)


async def _run(application: Application, scope: Scope, receive: Receive, send: Send) -> None:
    await application(scope, receive, send)


def _no_route(methods: tuple[str, ...]) -> Response:
    if methods:
        return problem(405, "this path does not know the method", headers={"allow": ", ".join(methods)})
    return problem(404, "there is nothing at this path")


def _headers(scope: Scope) -> Mapping[str, str]:
    """By name in lower case; of several with one name, all, joined (RFC 9110 section 5.3)."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _head(response: Response) -> list[tuple[bytes, bytes]]:
    head = [(b"x-content-type-options", b"nosniff")]
    if response.status != 304:  # it would have to be the length of what is not sent (RFC 9110 section 8.6)
        head.append((b"content-length", str(len(response.body)).encode()))
    if response.media_type:
        head.append((b"content-type", response.media_type.encode("latin-1")))
    head += [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.headers.items()]
    return head
