"""The published lists in SQL: the newest of each alone, and never an older one over it; their entries in pieces."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from handfast.ca.published import Base, Entries, Kept, ListKind, Published, Which
from handfast.ca.records import AuditEvent, CrlRecord, Reason, Revocation
from handfast.pki.crl import around_entries
from handfast.stores import rows
from handfast.stores.auditing import append_events
from handfast.stores.database import Database, Transaction
from handfast.stores.entries import Encoder
from handfast.stores.list_memory import ListMemory
from handfast.stores.rows import Row

_META = (
    "issuer, shard, kind, number, this_update, next_update, covers, full_at, alive_at, entries, "
    "base_number, base_covers, base_at"
)
_META_COLUMNS = _META.split(", ")
_CHANGED = ", ".join(f"{name} = EXCLUDED.{name}" for name in (*_META_COLUMNS[3:], "der", "tail"))
_PUT = (
    f"INSERT INTO published ({_META}, der, tail) VALUES ({', '.join('?' * 15)}) "  # noqa: S608  # constants
    f"ON CONFLICT (issuer, shard, kind) DO UPDATE SET {_CHANGED}"
)
# In one statement, so that all of it is of one list.
_WHOLE = (
    f"SELECT {', '.join(f'p.{name}' for name in _META_COLUMNS)}, p.der, p.tail, e.last, e.entries FROM published p "  # noqa: S608  # constants
    "LEFT JOIN published_entries e ON e.issuer = p.issuer AND e.shard = p.shard AND e.kind = p.kind "
    "WHERE p.issuer = ? AND p.shard = ? AND p.kind = ? ORDER BY e.last"
)
_FRONT, _TAIL, _LAST, _PIECE = range(len(_META_COLUMNS), len(_META_COLUMNS) + 4)
_THIS_ONE = "WHERE issuer = ? AND shard = ? AND kind = ?"
_SHARD_OF = (
    "SELECT s.shard FROM certificate c JOIN certificate_shard s ON s.certificate = c.id "
    "WHERE c.serial = ? AND c.issuer = ?"
)
_NEWEST = (
    "INSERT INTO newest_revocation VALUES (?, ?, ?) "
    "ON CONFLICT (issuer, shard) DO UPDATE SET revocation = EXCLUDED.revocation"
)
_OF_ISSUER = "FROM revocation r WHERE r.issuer = ? AND r.id > ? AND r.id <= ?"
_OF_SHARD = (
    "FROM revocation_shard s JOIN revocation r ON r.id = s.revocation "
    "WHERE s.issuer = ? AND s.revocation > ? AND s.revocation <= ? AND s.shard = ?"
)
# So many serials in one question.
_TOGETHER = 500


@dataclass(frozen=True, slots=True)
class SqlPublications:
    """Publications (handfast.ca.published) over any Database."""

    database: Database
    memory: ListMemory

    def get(self, which: Which) -> Published | None:
        sql = f"SELECT {_META} FROM published {_THIS_ONE}"  # noqa: S608  # constants
        found = self.database.read(sql, _key(which))
        return self.memory.whole(_published(found[0]), lambda: self._read(which)) if found else None

    def _read(self, which: Which) -> Published | None:
        found = self.database.read(_WHOLE, _key(which))
        if not found:
            return None
        first = found[0]
        pieces = [row[_PIECE] for row in found if row[_LAST] is not None]
        return _published(first, b"".join((first[_FRONT], *pieces, first[_TAIL] or b"")))

    def all(self, issuer: str) -> tuple[Published, ...]:
        sql = f"SELECT {_META} FROM published WHERE issuer = ? ORDER BY shard, kind DESC"  # noqa: S608  # a constant
        return tuple(map(_published, self.database.read(sql, [issuer])))

    def kept(self, which: Which) -> Kept | None:
        found = self.database.read(_WHOLE, _key(which))
        if not found or found[0][_TAIL] is None:
            return None
        published = _published(found[0])
        pieces = {row[_LAST]: bytes(row[_PIECE]) for row in found if row[_LAST] is not None}
        return Kept(published, Entries(pieces, published.entries))

    def put(self, published: Published, entries: Entries, event: AuditEvent, *, upon: Kept | None = None) -> bool:
        key = _key(published.which)
        row = _row(published, *around_entries(published.der))

        def job(transaction: Transaction) -> bool:
            found = transaction.rows(f"SELECT number, this_update FROM published {_THIS_ONE}", key)  # noqa: S608  # constants
            number, this_update = found[0] if found else (0, 0)
            if number >= published.record.number or this_update >= rows.seconds(published.record.this_update):
                return False
            _put_entries(transaction, key, entries, upon if upon and upon.published.record.number == number else None)
            transaction.rows(_PUT, row)
            append_events(transaction, [event])
            return True

        return self.database.write(job)

    def outdate(self, issuer: str) -> None:
        def job(transaction: Transaction) -> None:
            transaction.rows("DELETE FROM published WHERE issuer = ? AND shard = 0", [issuer])
            transaction.rows("DELETE FROM published_entries WHERE issuer = ? AND shard = 0", [issuer])
            # That there are lists of shards is told by these rows alone: they stay, long ended.
            transaction.rows("UPDATE published SET this_update = 0, next_update = 0 WHERE issuer = ?", [issuer])

        self.database.write(job)

    def newest(self, issuer: str) -> Mapping[int, int]:
        sql = "SELECT shard, revocation FROM newest_revocation WHERE issuer = ?"
        return {row[0]: row[1] for row in self.database.read(sql, [issuer])}

    def entries(self, wanted: Published) -> Entries:
        after = wanted.base.covers if wanted.base is not None else 0
        source, values = _source(wanted.which, after, wanted.record.covers)
        later_sql = f"SELECT r.serial, MAX(r.sequence) {source} AND r.sequence > 0 GROUP BY r.serial"
        later = {bytes(row[0]): row[1] for row in self.database.read(later_sql, values)}
        # The plus keeps an index out of it that has the rows in another order.
        sql = f"SELECT r.serial, r.revoked_at, r.reason, r.sequence, r.id {source} AND +r.not_after >= ?"
        if wanted.which.kind is ListKind.FULL:
            sql += f" AND r.reason <> '{Reason.REMOVE_FROM_CRL}'"
        encoder, pieces, total = Encoder(later), dict[int, bytes](), 0
        for rows_of_piece in self.database.stream(f"{sql} ORDER BY r.id", [*values, rows.seconds(wanted.alive_at)]):
            piece, count = encoder.entries(rows_of_piece)
            total += count
            if piece:
                pieces[rows_of_piece[-1][4]] = piece
        return Entries(pieces, total)

    def leaving(self, before: Published, wanted: Published, changes: Sequence[Revocation]) -> Sequence[tuple[int, int]]:
        issuer = wanted.which.issuer
        ended = (rows.seconds(before.alive_at), rows.seconds(wanted.alive_at))
        found = self.database.read(
            "SELECT id, serial FROM revocation WHERE issuer = ? AND not_after >= ? AND not_after < ?", [issuer, *ended]
        )
        serials = [rows.serial_bytes(one.serial) for one in changes if one.sequence > 0]
        for start in range(0, len(serials), _TOGETHER):
            some = serials[start : start + _TOGETHER]
            marks = ", ".join("?" * len(some))
            sql = f"SELECT id, serial FROM revocation WHERE serial IN ({marks}) AND issuer = ? AND id <= ?"  # noqa: S608  # marks
            found += self.database.read(sql, [*some, issuer, before.record.covers])
        return [(row[0], int.from_bytes(row[1], "big")) for row in found]

    def changes(self, which: Which, *, after: int, until: int) -> Iterator[Revocation]:
        source, values = _source(which, after, until)
        columns = ", ".join(f"r.{name}" for name in rows.REVOCATION_COLUMNS.split(", "))
        for piece in self.database.stream(f"SELECT {columns} {source} ORDER BY r.id", values):
            yield from map(rows.revocation_of, piece)

    def revocations(self, *, after: int, limit: int) -> tuple[Revocation, ...]:
        sql = f"SELECT {rows.REVOCATION_COLUMNS} FROM revocation WHERE id > ? ORDER BY id LIMIT ?"  # noqa: S608  # a constant
        return tuple(map(rows.revocation_of, self.database.read(sql, [after, limit])))


def note_revocation(transaction: Transaction, identifier: int, serial: bytes, issuer: str) -> None:
    """In the transaction of a revocation: which lists it is for."""
    lists = [0]
    found = transaction.rows(_SHARD_OF, [serial, issuer])
    if found:
        transaction.many("INSERT INTO revocation_shard VALUES (?, ?, ?)", [(identifier, issuer, found[0][0])])
        lists.append(found[0][0])
    transaction.many(_NEWEST, [(issuer, shard, identifier) for shard in lists])


def _put_entries(transaction: Transaction, key: list[object], entries: Entries, upon: Kept | None) -> None:
    """Only what differs from those in the store, when these are the ones that they were made upon."""
    there: Mapping[int, bytes] = {}
    if upon is None:
        transaction.rows(f"DELETE FROM published_entries {_THIS_ONE}", key)  # noqa: S608  # constants
    else:
        there = upon.entries.pieces
    gone = [(*key, last) for last, piece in there.items() if entries.pieces.get(last) is not piece]
    transaction.many(f"DELETE FROM published_entries {_THIS_ONE} AND last = ?", gone)  # noqa: S608  # constants
    new = [(*key, last, piece) for last, piece in entries.pieces.items() if there.get(last) is not piece]
    transaction.many("INSERT INTO published_entries VALUES (?, ?, ?, ?, ?)", new)


def _key(which: Which) -> list[object]:
    return [which.issuer, which.shard, which.kind.value]


def _source(which: Which, after: int, until: int) -> tuple[str, list[object]]:
    if which.shard:
        return _OF_SHARD, [which.issuer, after, until, which.shard]
    return _OF_ISSUER, [which.issuer, after, until]


def _row(published: Published, front: bytes, tail: bytes) -> tuple[object, ...]:
    which, record, base = published.which, published.record, published.base
    issuer, *numbers = rows.crl_row(record)
    based = (None, None, None) if base is None else (base.number, base.covers, rows.seconds(base.at))
    alive_at = rows.seconds(published.alive_at)
    return (issuer, which.shard, which.kind.value, *numbers, alive_at, published.entries, *based, front, tail)


def _published(row: Row, der: bytes = b"") -> Published:
    record: CrlRecord = rows.crl_of((row[0], *row[3:8]))
    base = None if row[10] is None else Base(row[10], row[11], rows.moment(row[12]))
    which = Which(row[0], row[1], ListKind(row[2]))
    return Published(which, record, rows.moment(row[8]), row[9], der, base)
