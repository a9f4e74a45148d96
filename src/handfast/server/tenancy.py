"""Tenants: several authorities in one service, each below its own path; none of them sees another's."""

from collections.abc import Mapping, MutableMapping
from typing import Any

# /t/NAME/api/…, /t/NAME/.well-known/est/…
PREFIX = "/t/"
_KEY = "handfast.tenant"


def tenant_of(scope: Mapping[str, Any]) -> str:
    """The name of the tenant whose path was asked for; empty for the service's own authority."""
    return str(scope.get(_KEY, ""))


def enter(scope: MutableMapping[str, Any]) -> None:
    """Take the tenant out of the path, so that every route is below it as it is without."""
    path: str = scope["path"]
    if not path.startswith(PREFIX):
        return
    name, slash, rest = path.removeprefix(PREFIX).partition("/")
    if name:
        scope[_KEY] = name
        scope["path"] = slash + rest if slash else "/"


def mounted(scope: Mapping[str, Any], below: str) -> dict[str, Any]:
    """The scope for an application that is mounted below a path: it sees the whole path again, and what is not its own
    of it (ASGI, root_path).
    """
    tenant = tenant_of(scope)
    prefix = f"{PREFIX}{tenant}" if tenant else ""
    return {**scope, "path": prefix + scope["path"], "root_path": prefix + below}
