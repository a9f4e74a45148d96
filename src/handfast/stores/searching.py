"""Pages of certificates. What a page costs is bounded, however many certificates there are and however few match.

Few candidates are looked at first, in the order of the page: nearly always they fill it. Else an index may lead to all
that can match, when those are few. Else a bounded number of candidates is looked at, and the cursor goes on after them,
however many of them matched.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from handfast.ca.records import CertificateRecord, Listing, Page
from handfast.errors import Malformed
from handfast.stores.database import Database
from handfast.stores.listing import Order, Query, in_order, matching, narrowing, order_of, records, sort_keys
from handfast.stores.rows import record_of
from handfast.stores.words import is_found

_FIRST, _PIECE = 128, 1024
# How many candidates one page may look at, at most.
MOST = _FIRST + 3 * _PIECE
# How many the index of words may lead to when they need only be sorted by their ids.
_MOST_SORTED = 50_000


@dataclass(frozen=True, slots=True)
class _Candidates:
    """In the order of the page. is_all: none comes after them."""

    identifiers: Sequence[int]
    is_all: bool


@dataclass(frozen=True, slots=True)
class Search:
    """One page of a listing."""

    database: Database
    listing: Listing
    order: Order
    end_of_cursor: int | None

    def page(self) -> Page:
        """The page; shorter than its limit, and with a cursor, when so many candidates hold no more."""
        found, candidates = self._first()
        if len(found) <= self.listing.limit and not candidates.is_all:
            candidates = self._few() or self._next(self._most)
            found = self._matches(candidates)
        if len(found) > self.listing.limit:
            kept = found[: self.listing.limit]
            return Page(tuple(kept), self.order.identifier(kept[-1]))
        return Page(tuple(found), None if candidates.is_all else candidates.identifiers[-1])

    @property
    def _most(self) -> int:
        """How many candidates. Fewer when each costs more: a text is looked for in it, or its certificate by serial."""
        is_dear = self.order is Order.LAST_REVOKED or self.listing.text is not None
        return MOST - _PIECE if is_dear else MOST

    def _first(self) -> tuple[list[CertificateRecord], _Candidates]:
        candidates = self._next(max(_FIRST, min(MOST, self.listing.limit + 1)))
        return self._matches(candidates), candidates

    def _next(self, count: int) -> _Candidates:
        query = in_order(self.listing, self.end_of_cursor)
        rows = self.database.read(query.sql, [*query.values, count + 1])
        return _Candidates([row[0] for row in rows[:count]], is_all=len(rows) <= count)

    def _few(self) -> _Candidates | None:
        """All that can match, when an index says that they are few; of more than a page may look at, the first."""
        for query in narrowing(self.listing):
            certificates = self._led_to(query)
            if certificates is not None:
                ordered = self._sorted(certificates)
                return _Candidates(ordered[: self._most], is_all=len(ordered) <= self._most)
        return None

    def _led_to(self, query: Query) -> set[int] | None:
        """All that the query leads to, when they are few enough."""
        few = self._most
        rows = self.database.read(query.sql, [*query.values, few + 1])
        if len(rows) > few and query.is_of_words and self.order is Order.NEWEST:
            few = _MOST_SORTED
            # To count them takes a fraction of the time that it takes to read them.
            counting = f"SELECT COUNT(*) FROM ({query.sql}) counted"  # noqa: S608  # a query of ours
            if self.database.read(counting, [*query.values, few + 1])[0][0] <= few:
                rows = self.database.read(query.sql, [*query.values, few + 1])
            else:
                return None
        return {row[0] for row in rows} if len(rows) <= few else None

    def _sorted(self, certificates: set[int]) -> list[int]:
        """The candidates of these certificates after the cursor."""
        before = self.listing.before
        if self.order is Order.NEWEST:
            return sorted((one for one in certificates if before is None or one < before), reverse=True)
        keys = [
            (key, identifier)
            for piece in _pieces(list(certificates))
            for identifier, key in self.database.read(sort_keys(self.order, len(piece)).sql, piece)
        ]
        ordered = sorted(set(keys), reverse=self.order is not Order.ENDS_SOON)
        if before is not None:
            last = (self.end_of_cursor or 0, before)
            ordered = [one for one in ordered if (one > last if self.order is Order.ENDS_SOON else one < last)]
        return [identifier for _, identifier in ordered]

    def _matches(self, candidates: _Candidates) -> list[CertificateRecord]:
        """In order; at most one more than fill the page."""
        found: list[CertificateRecord] = []
        for piece in _pieces(candidates.identifiers):
            chosen = self._matching(piece)[: self.listing.limit + 1 - len(found)]
            found += [record for part in _pieces(chosen) for record in self._records(part)]
            if len(found) > self.listing.limit:
                break
        return found

    def _matching(self, piece: list[int]) -> list[int]:
        """Of these candidates those that match: without their certificates, which are large."""
        query = matching(self.listing, len(piece))
        rows = self.database.read(query.sql, [*piece, *query.values])
        text = self.listing.text
        matched = {row[0] for row in rows if text is None or is_found(row[1:], text)}
        return [one for one in dict.fromkeys(piece) if one in matched]

    def _records(self, piece: list[int]) -> list[CertificateRecord]:
        query = records(self.listing, len(piece))
        found = map(record_of, self.database.read(query.sql, [*piece, *query.values]))
        by_identifier = {self.order.identifier(record): record for record in found}
        return [by_identifier[one] for one in dict.fromkeys(piece) if one in by_identifier]


def search(database: Database, listing: Listing) -> Page:
    """One page. Raises Malformed for a cursor that no page had."""
    order = order_of(listing)
    if listing.before is None or order in {Order.NEWEST, Order.LAST_REVOKED}:
        return Search(database, listing, order, None).page()
    for table in ("certificate", "archive"):
        found = database.read(f"SELECT not_after FROM {table} WHERE id = ?", [listing.before])  # noqa: S608  # constants
        if found:
            return Search(database, listing, order, int(found[0][0])).page()
    raise Malformed(f"{listing.before} is no cursor of such a list", hint="begin again at the first page")


def _pieces(identifiers: Sequence[int]) -> Iterator[list[int]]:
    """Of few sizes, so that the database knows the statement already: the last ones are filled up by repetition."""
    start, size = 0, _FIRST
    while start < len(identifiers):
        piece = list(identifiers[start : start + size])
        yield piece + piece[-1:] * (size - len(piece))
        start, size = start + size, _PIECE
