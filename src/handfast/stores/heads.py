"""Signed heads of the audit chain, in a table that is only ever appended to."""

from dataclasses import dataclass

from handfast.ca.audit_head import Head
from handfast.ca.records import AuditEvent
from handfast.stores import rows
from handfast.stores.database import Database
from handfast.stores.rows import Row

_HEADS = "SELECT id, hash, at, key, signature FROM audit_head"


@dataclass(frozen=True, slots=True)
class SqlHeads:
    """Heads (handfast.ca.audit_head) over any Database."""

    database: Database

    def last_event(self) -> AuditEvent | None:
        found = self.database.read("SELECT * FROM audit ORDER BY id DESC LIMIT 1")
        return rows.event_of(found[0]) if found else None

    def add(self, head: Head) -> None:
        values = (head.id, head.hash, rows.seconds(head.at), head.key, head.signature)
        sql = "INSERT INTO audit_head VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
        self.database.write(lambda transaction: transaction.many(sql, [values]))

    def all(self) -> tuple[Head, ...]:
        return tuple(map(head_of, self.database.read(f"{_HEADS} ORDER BY id")))

    def page(self, *, after: int, limit: int) -> tuple[Head, ...]:
        sql = f"{_HEADS} WHERE id > ? ORDER BY id LIMIT ?"
        return tuple(map(head_of, self.database.read(sql, [after, limit])))


def head_of(row: Row) -> Head:
    """The value of a row of `audit_head`."""
    return Head(id=row[0], hash=bytes(row[1]), at=rows.moment(row[2]), key=bytes(row[3]), signature=bytes(row[4]))
