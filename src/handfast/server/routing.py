"""Which route answers a request: exact paths from a table, the others by their pattern, most literal first."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from handfast import registry
from handfast.protocols.exchange import Route

_PARAMETER = re.compile(r"\{([a-z_]+)(:path)?\}")


@dataclass(frozen=True, slots=True)
class Found:
    """A route and what stands in its braces; without a route, the methods that the path knows (none: not found)."""

    route: Route | None
    parameters: Mapping[str, str] = field(default_factory=dict)
    methods: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Router:
    """exact: by path, then by method. patterns: in the order in which they are tried."""

    exact: Mapping[str, Mapping[str, Route]]
    patterns: tuple[tuple[re.Pattern[str], Mapping[str, Route]], ...]

    def find(self, method: str, path: str) -> Found:
        """The route of this method and path. HEAD is answered where GET is."""
        verb = "GET" if method == "HEAD" else method
        by_method = self.exact.get(path)
        if by_method is not None and verb in by_method:
            return Found(by_method[verb])
        known = set(by_method or ())
        for pattern, routes in self.patterns:
            matched = pattern.fullmatch(path)
            if matched is None:
                continue
            if verb in routes:
                return Found(routes[verb], matched.groupdict())
            known.update(routes)
        return Found(None, methods=tuple(sorted(known)))


def router_of(routes: Iterable[Route]) -> Router:
    """The router of these routes; of two for the same path and method, the first one answers."""
    exact: dict[str, dict[str, Route]] = {}
    patterned: dict[str, dict[str, Route]] = {}
    for route in routes:
        table = patterned if "{" in route.path else exact
        for method in route.methods:
            table.setdefault(route.path, {}).setdefault(method, route)
    ordered = sorted(patterned, key=lambda path: (":path}" in path, path.count("{"), -len(path)))
    return Router(exact, tuple((_pattern(path), patterned[path]) for path in ordered))


def protocol_routes() -> tuple[Route, ...]:
    """The routes of all protocols that are there, built in and installed."""
    return tuple(route for name in registry.names("protocols") for route in registry.load("protocols", name).routes)


def _pattern(path: str) -> re.Pattern[str]:
    pieces, position = [], 0
    for found in _PARAMETER.finditer(path):
        body = ".+" if found[2] else "[^/]+"
        pieces += [re.escape(path[position : found.start()]), f"(?P<{found[1]}>{body})"]
        position = found.end()
    return re.compile("".join([*pieces, re.escape(path[position:])]), re.DOTALL)
