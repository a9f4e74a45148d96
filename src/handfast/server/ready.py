"""Answers that lie ready, given on the event loop without a task, a scope or a thread: OCSP lives by them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from handfast.ca.authority import Authority
from handfast.protocols.exchange import Finder, Route, header_lines
from handfast.server.tenancy import PREFIX

_STATUS = b"HTTP/1.1 200 OK\r\n"
_PREFIX = PREFIX.encode()
_END = b"\r\n\r\n"
# The clients of one service are few programs. Whoever sends others all the time only makes it parse.
_MOST_HEADS = 1024
_LONGEST_HEAD = 1024
# The question of a GET stands in its request line, and may have any length there.
_ANY = -1
Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Quick:
    """A route with answers that lie ready. start: its path, or for GET the fixed beginning of it.

    tenant: whose authority is asked; empty for the service's own. seen: counts an answer, by its tenant.
    heads: what the parser took for the rest of a request, and how long the question is that goes with it (_ANY).
    """

    method: bytes
    start: bytes
    find: Finder
    largest_body: int
    seen: Callable[[str], None]
    tenant: str = ""
    heads: dict[bytes, int] = field(default_factory=dict, compare=False)

    def parts(self, request: bytes) -> tuple[bytes, bytes] | None:
        """What is asked, and all that stands around it, which many requests have in common; None for other routes.

        Only a guess where the parts end: what comes of it holds for a request that was parsed once.
        """
        line = b"%s %s" % (self.method, self.start)
        if not request.startswith(line):
            return None
        if self.method == b"GET":
            end = request.find(b" ", len(line))
            return request[len(line) : end], request[end:]
        end = request.find(_END) + len(_END)
        return request[end:], request[:end]


@dataclass(slots=True)
class Ready:
    """The quick routes of a listener. authority: the one of this moment by its tenant's name, if there is one.

    Parsing a request costs more than to answer it. So the parser's verdict on what stands around the question is kept:
    the same bytes around another question need not be parsed again. Requests to tenants are parsed each time.
    """

    routes: tuple[Quick, ...]
    authority: Callable[[str], Authority | None]
    _always: tuple[Headers, bytes] = ((), b"")

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
        route.seen(route.tenant)
        if self._always[0] is not always:
            self._always = always, _STATUS + header_lines(always)
        return b"%s%s\r\n%s" % (self._always[1], found.lines, found.body)

    def answer_unparsed(self, request: bytes, always: Headers) -> bytes | None:
        """As answer(), for bytes that came between two requests; None for what has to be parsed."""
        for route in self.routes:
            parts = route.parts(request)
            if parts is not None:
                asked, around = parts
                size = route.heads.get(around)
                return self.answer(route, asked, always) if size == _ANY or size == len(asked) else None
        return None

    def parsed(self, route: Quick, request: bytes, asked: bytes) -> None:
        """The parser took these bytes for one whole request, after which the connection stays, that asks this."""
        parts = None if route.tenant else route.parts(request)
        if parts is None or parts[0] != asked or len(parts[1]) > _LONGEST_HEAD:
            return
        # Two requests in one piece are no request.
        if parts[1].find(_END) != len(parts[1]) - len(_END):
            return
        if len(route.heads) >= _MOST_HEADS:
            route.heads.clear()
        route.heads[parts[1]] = _ANY if route.method == b"GET" else len(asked)


def ready_of(
    routes: Iterable[Route], authority: Callable[[str], Authority | None], seen: Callable[[str], Callable[[str], None]]
) -> Ready:
    """Those of the routes that have answers ready. seen: what counts an answer by its tenant, for a route's path."""
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
