"""The audit log of a service, page by page, for whoever verifies it on a machine of their own."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from handfast.ca.audit_head import Head, head_in
from handfast.ca.records import AuditEvent
from handfast.client import documents
from handfast.client.api import Api
from handfast.client.documents import Document, read
from handfast.errors import Malformed

# What the API gives at once.
PAGE = 1000
One = TypeVar("One", AuditEvent, Head)


def last_event(api: Api) -> int:
    """The number of the newest event, as the service says."""
    return read(api.get("audit", "head"), lambda it: int(it["id"]))


def events(api: Api, *, until: int) -> Iterator[AuditEvent]:
    """All events up to that one, or to the end.

    Raises Malformed for pages that lead nowhere, and what Api.get raises.
    """
    return _all(api, ("audit",), "events", documents.event, until=until)


def heads(api: Api) -> tuple[Head, ...]:
    """The signed heads that the service keeps. Raises what events() raises."""
    return tuple(_all(api, ("audit", "heads"), "heads", head_in))


def _all(
    api: Api, path: tuple[str, ...], name: str, parse: Callable[[Document], One], *, until: int | None = None
) -> Iterator[One]:
    after = 0
    while until is None or after < until:
        document = api.get(*path, after=after, limit=PAGE)
        page = read(document, lambda it: [parse(one) for one in it[name]])
        if not page:
            return
        if page[-1].id <= after:
            msg = f"the {name} after {after} end at {page[-1].id}, says the service: that leads nowhere"
            raise Malformed(msg, hint="check that the address is a handfast service, and compare it with a backup")
        yield from page
        after = page[-1].id
