"""The published lists in SQL: the newest of each alone, and never an older one over it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from handfast.ca.published import Base, ListKind, Published, Which
from handfast.ca.records import AuditEvent, CrlRecord, Revocation
from handfast.stores import rows
from handfast.stores.auditing import append_events
from handfast.stores.database import Database, Transaction
from handfast.stores.entries import Encoder
from handfast.stores.rows import Row

_META = (
    "issuer, shard, kind, number, this_update, next_update, covers, full_at, entries, base_number, base_covers, base_at"
)
_CHANGED = ", ".join(f"{name} = EXCLUDED.{name}" for name in (*_META.split(", ")[3:], "der"))
_SHARD_OF = (
    "SELECT s.shard FROM certificate c JOIN certificate_shard s ON s.certificate = c.id "
    "WHERE c.serial = ? AND c.issuer = ?"
)
_NEWEST = (
    "INSERT INTO newest_revocation VALUES (?, ?, ?) "
    "ON CONFLICT (issuer, shard) DO UPDATE SET revocation = EXCLUDED.revocation"
)
_OF_ISSUER = "FROM revocation r WHERE r.issuer = ? AND r.id <= ?"
_OF_SHARD = (
    "FROM revocation_shard s JOIN revocation r ON r.id = s.revocation "
    "WHERE s.issuer = ? AND s.revocation <= ? AND s.shard = ?"
)


@dataclass(frozen=True, slots=True)
class SqlPublications:
    """Publications (handfast.ca.published) over any Database."""

    database: Database

    def get(self, which: Which) -> Published | None:
        sql = f"SELECT {_META}, der FROM published WHERE issuer = ? AND shard = ? AND kind = ?"  # noqa: S608  # a constant
        found = self.database.read(sql, [which.issuer, which.shard, which.kind.value])
        return _published(found[0], bytes(found[0][12])) if found else None

    def all(self, issuer: str) -> tuple[Published, ...]:
        sql = f"SELECT {_META} FROM published WHERE issuer = ? ORDER BY shard, kind DESC"  # noqa: S608  # a constant
        return tuple(_published(row, b"") for row in self.database.read(sql, [issuer]))

    def put(self, published: Published, event: AuditEvent) -> bool:
        sql = (
            f"INSERT INTO published ({_META}, der) VALUES ({', '.join('?' * 13)}) "  # noqa: S608  # constants
            f"ON CONFLICT (issuer, shard, kind) DO UPDATE SET {_CHANGED} WHERE published.number < EXCLUDED.number "
            "RETURNING number"
        )

        def job(transaction: Transaction) -> bool:
            is_newest = bool(transaction.rows(sql, _row(published)))
            if is_newest:
                append_events(transaction, [event])
            return is_newest

        return self.database.write(job)

    def outdate(self, issuer: str) -> None:
        def job(transaction: Transaction) -> None:
            transaction.rows("DELETE FROM published WHERE issuer = ? AND shard = 0", [issuer])
            # That there are lists of shards is told by these rows alone: they stay, long ended.
            transaction.rows("UPDATE published SET this_update = 0, next_update = 0 WHERE issuer = ?", [issuer])

        self.database.write(job)

    def newest(self, issuer: str) -> Mapping[int, int]:
        sql = "SELECT shard, revocation FROM newest_revocation WHERE issuer = ?"
        return {row[0]: row[1] for row in self.database.read(sql, [issuer])}

    def encoded_entries(self, which: Which, *, until: int, alive_at: datetime) -> Iterator[bytes]:
        source, values = _source(which, until)
        later_sql = f"SELECT r.serial, MAX(r.sequence) {source} AND r.sequence > 0 GROUP BY r.serial"
        later = {bytes(row[0]): row[1] for row in self.database.read(later_sql, values)}
        sql = f"SELECT r.serial, r.revoked_at, r.reason, r.sequence {source} AND r.not_after >= ? ORDER BY r.id"
        encoder = Encoder(later)
        for piece in self.database.stream(sql, [*values, rows.seconds(alive_at)]):
            yield encoder.entries(piece)

    def changes(self, which: Which, *, after: int, until: int) -> Iterator[Revocation]:
        source, values = _source(which, until)
        columns = ", ".join(f"r.{name}" for name in rows.REVOCATION_COLUMNS.split(", "))
        for piece in self.database.stream(f"SELECT {columns} {source} AND r.id > ? ORDER BY r.id", [*values, after]):
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


def _source(which: Which, until: int) -> tuple[str, list[object]]:
    if which.shard:
        return _OF_SHARD, [which.issuer, until, which.shard]
    return _OF_ISSUER, [which.issuer, until]


def _row(published: Published) -> tuple[object, ...]:
    which, record, base = published.which, published.record, published.base
    issuer, *numbers = rows.crl_row(record)
    based = (None, None, None) if base is None else (base.number, base.covers, rows.seconds(base.at))
    return (issuer, which.shard, which.kind.value, *numbers, published.entries, *based, published.der)


def _published(row: Row, der: bytes) -> Published:
    record: CrlRecord = rows.crl_of((row[0], *row[3:8]))
    base = None if row[9] is None else Base(row[9], row[10], rows.moment(row[11]))
    return Published(Which(row[0], row[1], ListKind(row[2])), record, row[8], der, base)
