"""A Listing as SQL: the conditions and their values."""

from collections.abc import Callable, Mapping

from handfast.ca.records import Listing, State
from handfast.stores.rows import seconds

Condition = tuple[str, list[object]]
_NOT_REVOKED = "(r.id IS NULL OR r.reason = 'removeFromCRL')"
_FINISHED = "i.certificate IS NOT NULL"
# What a state is, given the moment it is asked about; the same order of precedence as CertificateRecord.state().
_STATES: Mapping[State, Callable[[int], Condition]] = {
    State.VALID: lambda now: (
        f"{_FINISHED} AND {_NOT_REVOKED} AND c.not_before <= ? AND c.not_after >= ?",
        [now, now],
    ),
    State.NOT_YET_VALID: lambda now: (f"{_FINISHED} AND {_NOT_REVOKED} AND c.not_before > ?", [now]),
    State.EXPIRED: lambda now: (f"{_FINISHED} AND {_NOT_REVOKED} AND c.not_after < ?", [now]),
    State.REVOKED: lambda now: ("r.reason NOT IN ('certificateHold', 'removeFromCRL')", []),
    State.HELD: lambda now: ("r.reason = 'certificateHold'", []),
    State.UNFINISHED: lambda now: (f"i.certificate IS NULL AND {_NOT_REVOKED}", []),
}


def conditions(listing: Listing) -> tuple[str, list[object]]:
    """The WHERE clause, always true for an empty listing, and its values."""
    parts: list[Condition] = [("1 = 1", [])]
    if listing.state is not None:
        parts.append(_STATES[listing.state](seconds(listing.now)))
    if listing.profile is not None:
        parts.append(("c.profile = ?", [listing.profile]))
    if listing.issuer is not None:
        parts.append(("c.issuer = ?", [listing.issuer]))
    if listing.text is not None:
        pattern = f"%{_escaped(listing.text.lower())}%"
        parts.append(("(LOWER(c.subject) LIKE ? ESCAPE '!' OR LOWER(c.names) LIKE ? ESCAPE '!')", [pattern, pattern]))
    if listing.requester is not None:
        parts.append(("c.requester = ?", [listing.requester]))
    if listing.expires_before is not None:
        parts.append(("c.not_after < ?", [seconds(listing.expires_before)]))
    if listing.before is not None:
        parts.append((f"{order(listing)} < ?", [listing.before]))
    return " AND ".join(text for text, _ in parts), [value for _, values in parts for value in values]


def order(listing: Listing) -> str:
    """What to order by. With an end in sight, the sum keeps the database on the index of ends instead of on ids."""
    return "c.id" if listing.expires_before is None else "c.id + 0"


def _escaped(text: str) -> str:
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
