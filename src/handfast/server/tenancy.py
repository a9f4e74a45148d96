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
    scope[_KEY] = name
    scope["path"] = slash + rest if slash else "/"
    scope["root_path"] = f"{scope.get('root_path', '')}{PREFIX}{name}"
    raw = scope.get("raw_path")
    if raw:
        scope["raw_path"] = b"/" + raw.split(b"/", 3)[3] if raw.count(b"/") > 2 else b"/"
