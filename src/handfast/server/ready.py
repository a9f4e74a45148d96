"""Answers that lie ready, given on the event loop without a task, a scope or a thread: OCSP lives by them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from handfast.ca.authority import Authority
from handfast.protocols.exchange import Finder, Route
from handfast.server.tenancy import PREFIX

_STATUS = b"HTTP/1.1 200 OK\r\n"
_PREFIX = PREFIX.encode()
Headers = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Quick:
    """A route with answers that lie ready. start: its path, or for GET the fixed beginning of it.

    tenant: whose authority is asked; empty for the service's own.
    """

    method: bytes
    start: bytes
    find: Finder
    largest_body: int
    seen: Callable[[], None]
    tenant: str = ""


@dataclass(frozen=True, slots=True)
class Ready:
    """The quick routes of a listener. authority: the one of this moment by its tenant's name, if there is one."""

    routes: tuple[Quick, ...]
    authority: Callable[[str], Authority | None]

    def route(self, method: bytes, url: bytes) -> Quick | None:
        """The route for this request line."""
        if url.startswith(_PREFIX):
            tenant, _, _ = url.removeprefix(_PREFIX).partition(b"/")
            found = self._route(method, url[len(_PREFIX) + len(tenant) :])
            if found is None or not tenant:
                return None
            return replace(found, start=_PREFIX + tenant + found.start, tenant=tenant.decode("latin-1"))
        return self._route(method, url)

    def _route(self, method: bytes, url: bytes) -> Quick | None:
        for one in self.routes:
            if one.method == method and (url == one.start or (method == b"GET" and url.startswith(one.start))):
                return one
        return None

    def answer(self, route: Quick, asked: bytes, always: Headers) -> bytes | None:
        """The whole answer as it goes out, or None for the long way. always: the headers of every answer."""
        authority = self.authority(route.tenant)
        found = None if authority is None else route.find(asked, authority)
        if found is None:
            return None
        route.seen()
        lines = [b"%s: %s\r\n" % header for header in (*always, *found.headers)]
        return b"".join((_STATUS, *lines, b"\r\n", found.body))


def ready_of(
    routes: Iterable[Route], authority: Callable[[str], Authority | None], seen: Callable[[str], Callable[[], None]]
) -> Ready:
    """Those of the routes that have answers ready. seen: what counts an answer, for the path of a route."""
    quick = [
        Quick(
            method=method.encode(),
            start=route.path.partition("{")[0].encode(),
            find=route.prepared,
            largest_body=route.largest_body,
            seen=seen(route.path),
        )
        for route in routes
        if route.prepared is not None
        for method in route.methods
        if method in {"GET", "POST"}
    ]
    return Ready(tuple(quick), authority)
