"""The revocation feed: what was revoked, held and released since a cursor, one JSON document for each.

As lines (application/x-ndjson), or as server-sent events (HTML Living Standard, section 9.2). The cursor is the id of
the last one that was seen. What it tells is in the CRLs too: anybody may ask.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from urllib.parse import parse_qs

from handfast.ca.authority import Authority
from handfast.ca.records import Revocation
from handfast.errors import Conflict, Malformed

PATH = "/feed"
LINES_TYPE = "application/x-ndjson"
EVENTS_TYPE = "text/event-stream"
CURSOR = "Handfast-Cursor"
# One answer, or one piece of a stream.
MOST = 1000
LONGEST_WAIT = 60
NOW = "now"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a follower asks for. after: the cursor; None: only what comes from now on. wait: seconds, 0 for not."""

    after: int | None
    wait: int
    is_stream: bool


def asked(query: str, headers: Mapping[str, str]) -> Asked:
    """From `after=ID|now` (or Last-Event-ID) and `wait=SECONDS`. Raises Malformed."""
    found = parse_qs(query, keep_blank_values=True)
    is_stream = EVENTS_TYPE in headers.get("accept", "")
    after = headers.get("last-event-id") if is_stream else None
    after = after or found.get("after", ["0"])[-1]
    wait = _number("wait", found.get("wait", ["0"])[-1])
    return Asked(None if after == NOW else _number("after", after), min(wait, LONGEST_WAIT), is_stream)


def start_of(asked_for: Asked, authority: Authority) -> int:
    """The cursor to begin with. Raises Conflict for one that this store has not come to: it was restored since."""
    last = authority.store.last_revocation_id()
    if asked_for.after is None:
        return last
    if asked_for.after > last:
        hint = "begin anew: fetch the CRLs, then follow with after=now"
        raise Conflict(f"the cursor {asked_for.after} is not of this store, which has come to {last}", hint=hint)
    return asked_for.after


def document(revocation: Revocation) -> str:
    """One revocation as JSON. reason: the words of RFC 5280; removeFromCRL is the end of a hold."""
    return json.dumps(
        {
            "id": revocation.id,
            "issuer": revocation.issuer,
            "serial": f"{revocation.serial:x}",
            "reason": revocation.reason.value,
            "revoked_at": f"{revocation.revoked_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        }
    )


def lines(revocations: Sequence[Revocation]) -> bytes:
    """JSON Lines."""
    return "".join(f"{document(one)}\n" for one in revocations).encode()


def events(revocations: Sequence[Revocation]) -> bytes:
    """Server-sent events."""
    return "".join(f"id: {one.id}\nevent: revocation\ndata: {document(one)}\n\n" for one in revocations).encode()


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise Malformed(f"{name} must be a number, not {text[:50]!r}", hint=f"write /feed?{name}=0")
    return int(text)
