"""Numbers without gaps, and events chained by their hashes, inside of a transaction that writes."""

from collections.abc import Sequence

from handfast.ca.audit import event_hash
from handfast.ca.records import AuditEvent
from handfast.stores import rows
from handfast.stores.database import Transaction


def allocate(transaction: Transaction, name: str, count: int) -> int:
    """Take the next `count` numbers; the last of them. Without gaps, and rising in the order of the commits."""
    sql = "UPDATE counter SET value = value + ? WHERE name = ? RETURNING value"
    return int(transaction.rows(sql, [count, name])[0][0])


def append_events(transaction: Transaction, events: Sequence[AuditEvent]) -> None:
    """Append them to the audit log."""
    if not events:
        return
    number = allocate(transaction, "audit", len(events)) - len(events)
    before = transaction.rows("SELECT hash FROM audit WHERE id = ?", [number])
    previous = bytes(before[0][0]) if before else b""
    chained = []
    for event in events:
        number += 1
        previous = event_hash(previous, event, number)
        chained.append(rows.event_row(event, number, previous))
    transaction.many("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?)", chained)
