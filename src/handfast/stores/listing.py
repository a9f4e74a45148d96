"""A Listing as SQL: what its pages are ordered by, which index leads to candidates, and what must hold of them."""

from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import NamedTuple

from handfast.ca.records import CertificateRecord, Listing, State
from handfast.stores.rows import RECORD_COLUMNS, seconds
from handfast.stores.words import bounds, plain_part

Condition = tuple[str, list[object]]
_NOT_REVOKED = "(r.id IS NULL OR r.reason = 'removeFromCRL')"
_FINISHED = "i.certificate IS NOT NULL"
_IS_REVOKED = "r.reason NOT IN ('certificateHold', 'removeFromCRL')"
_IS_HELD = "r.reason = 'certificateHold'"
# That it is above 0 is said for the index of the few that are (revocation_later): most are the first and only one.
_IS_LAST = (
    "NOT EXISTS (SELECT 1 FROM revocation l "
    "WHERE l.serial = r.serial AND l.issuer = r.issuer AND l.sequence > 0 AND l.sequence > r.sequence)"
)
# Each certificate with its last revocation, if it has one.
_CERTIFICATES = (
    "FROM certificate c LEFT JOIN issued i ON i.certificate = c.id "
    f"LEFT JOIN revocation r ON r.serial = c.serial AND r.issuer = c.issuer AND {_IS_LAST}"
)
RECORDS = f"SELECT {RECORD_COLUMNS} {_CERTIFICATES}"
# Each last revocation with its certificate. CROSS JOIN: SQLite begins with the revocations, which are few, and does not
# go through all certificates of a requester.
_REVOKED = (
    "FROM revocation r CROSS JOIN certificate c LEFT JOIN issued i ON i.certificate = c.id "
    f"WHERE c.serial = r.serial AND c.issuer = r.issuer AND {_IS_LAST} AND"
)
# What a text is looked for in.
_TEXTS = "c.subject, c.label, c.names"
# What a state is, given the moment it is asked about; the same order of precedence as CertificateRecord.state().
_STATES: Mapping[State, Callable[[int], Condition]] = {
    State.VALID: lambda now: (
        f"{_FINISHED} AND {_NOT_REVOKED} AND c.not_before <= ? AND c.not_after >= ?",
        [now, now],
    ),
    State.NOT_YET_VALID: lambda now: (f"{_FINISHED} AND {_NOT_REVOKED} AND c.not_before > ?", [now]),
    State.EXPIRED: lambda now: (f"{_FINISHED} AND {_NOT_REVOKED} AND c.not_after < ?", [now]),
    State.REVOKED: lambda now: (_IS_REVOKED, []),
    State.HELD: lambda now: (_IS_HELD, []),
    State.UNFINISHED: lambda now: (f"i.certificate IS NULL AND {_NOT_REVOKED}", []),
}


class Query(NamedTuple):
    """SQL and its values."""

    sql: str
    values: list[object]
    is_of_words: bool = False


class Order(Enum):
    """What comes first on a page. Candidates are told by the id of the certificate, or else of the revocation."""

    NEWEST = "the newest certificate"
    LAST_ENDED = "the latest end"
    ENDS_SOON = "the earliest end"
    LAST_REVOKED = "the newest revocation"

    def identifier(self, record: CertificateRecord) -> int:
        """The candidate that became this record."""
        if self is Order.LAST_REVOKED and record.revocation is not None:
            return record.revocation.id
        return record.id


def order_of(listing: Listing) -> Order:
    """Always one that an index brings the matches of a state in."""
    if listing.state in {State.REVOKED, State.HELD}:
        return Order.LAST_REVOKED
    if listing.state is State.EXPIRED:
        return Order.LAST_ENDED
    return Order.NEWEST if listing.expires_before is None else Order.ENDS_SOON


def matching(listing: Listing, count: int) -> Query:
    """Of so many candidates those that match, with what a text is looked for in: of it, SQL understands a part only."""
    return _matching(f"{_candidate(listing)}, {_TEXTS}", listing, count)


def records(listing: Listing, count: int) -> Query:
    """The records of so many candidates that match."""
    return _matching(RECORD_COLUMNS, listing, count)


def _matching(columns: str, listing: Listing, count: int) -> Query:
    source = _REVOKED if order_of(listing) is Order.LAST_REVOKED else f"{_CERTIFICATES} WHERE"
    marks = ", ".join("?" * count)
    parts = list(_conditions(listing))
    start = f"SELECT {columns} {source} {_candidate(listing)} IN ({marks})"
    sql = " AND ".join([start, *(text for text, _ in parts)])
    return Query(sql, [value for _, values in parts for value in values])


def _candidate(listing: Listing) -> str:
    return "r.id" if order_of(listing) is Order.LAST_REVOKED else "c.id"


def _conditions(listing: Listing) -> Iterator[Condition]:
    if listing.state is not None:
        yield _STATES[listing.state](seconds(listing.now))
    yield from _owners(listing)
    if listing.expires_before is not None:
        yield "c.not_after < ?", [seconds(listing.expires_before)]
    if listing.text is not None:
        pattern = f"%{plain_part(listing.text)}%"
        columns = ("c.names", "c.label", "c.subject")
        yield "(" + " OR ".join(f"LOWER({one}) LIKE ?" for one in columns) + ")", [pattern] * len(columns)


def in_order(listing: Listing, end_of_cursor: int | None) -> Query:
    """Candidates in the order of the page, after its cursor, up to a number that is the last value.

    end_of_cursor: when the certificate of the cursor ends, for an order by ends.
    """
    order = order_of(listing)
    if order is Order.LAST_REVOKED:
        held = _IS_HELD if listing.state is State.HELD else _IS_REVOKED
        return _newest("revocation r", "r.id", [(held, [])], listing)
    if order is not Order.NEWEST:
        return _by_end(listing, end_of_cursor)
    if listing.state is State.UNFINISHED:
        return _newest("unfinished u", "u.certificate", [], listing)
    return _newest("certificate c", "c.id", list(_owners(listing))[:1], listing)


def _owners(listing: Listing) -> Iterator[Condition]:
    """What has an index with the id after it, so that its certificates come in order."""
    if listing.requester is not None:
        yield "c.requester = ?", [listing.requester]
    if listing.profile is not None:
        yield "c.profile = ?", [listing.profile]
    if listing.issuer is not None:
        yield "c.issuer = ?", [listing.issuer]


def _newest(table: str, column: str, conditions: list[Condition], listing: Listing) -> Query:
    parts: list[Condition] = [("1 = 1", []), *conditions]
    if listing.before is not None:
        parts.append((f"{column} < ?", [listing.before]))
    where = " AND ".join(text for text, _ in parts)
    sql = f"SELECT {column} FROM {table} WHERE {where} ORDER BY {column} DESC LIMIT ?"  # noqa: S608  # constants
    return Query(sql, [value for _, values in parts for value in values])


def _by_end(listing: Listing, end_of_cursor: int | None) -> Query:
    """One bound at each end of the range: of two, the database might take the one that skips nothing."""
    now = seconds(listing.now)
    low: Condition = ("c.not_after >= ?", [now]) if listing.state is State.VALID else ("1 = 1", [])
    high: Condition = ("c.not_after < ?", [_least(now, listing)])
    after: list[object] = [end_of_cursor, listing.before]
    if order_of(listing) is Order.LAST_ENDED:
        direction, high = "DESC", high if end_of_cursor is None else ("(c.not_after, c.id) < (?, ?)", after)
    else:
        direction, low = "ASC", low if end_of_cursor is None else ("(c.not_after, c.id) > (?, ?)", after)
    sql = (
        f"SELECT c.id FROM certificate c WHERE {low[0]} AND {high[0]} "  # noqa: S608  # constants
        f"ORDER BY c.not_after {direction}, c.id {direction} LIMIT ?"
    )
    return Query(sql, [*low[1], *high[1]])


def _least(now: int, listing: Listing) -> int:
    ends = [now] if listing.state is State.EXPIRED else []
    return min([*ends, *([] if listing.expires_before is None else [seconds(listing.expires_before)])])


def narrowing(listing: Listing) -> Iterator[Query]:
    """Ways to all certificates that a part of the listing lets through, in no order; they may be few or very many."""
    now = seconds(listing.now)
    if listing.text is not None:
        sql = "SELECT w.certificate FROM certificate_word w WHERE w.word >= ? AND w.word < ? LIMIT ?"
        yield Query(sql, list(bounds(listing.text)), is_of_words=True)
    if listing.state is State.NOT_YET_VALID:
        yield Query("SELECT c.id FROM certificate c WHERE c.not_before > ? LIMIT ?", [now])
    if listing.state is State.VALID and listing.expires_before is None:
        yield Query("SELECT c.id FROM certificate c WHERE c.not_after >= ? LIMIT ?", [now])
    for text, values in _owners(listing):
        yield Query(f"SELECT c.id FROM certificate c WHERE {text} LIMIT ?", values)  # noqa: S608  # a constant


def sort_keys(order: Order, count: int) -> Query:
    """Of so many certificates: what tells the candidate, and what to order by before that."""
    marks = ", ".join("?" * count)
    if order is not Order.LAST_REVOKED:
        return Query(f"SELECT c.id, c.not_after FROM certificate c WHERE c.id IN ({marks})", [])  # noqa: S608  # marks
    sql = (
        "SELECT r.id, 0 FROM certificate c JOIN revocation r ON r.serial = c.serial AND r.issuer = c.issuer "  # noqa: S608  # marks
        f"WHERE c.id IN ({marks})"
    )
    return Query(sql, [])
