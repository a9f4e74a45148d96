"""Requests that wait, in SQL: one row for each, and one for each approval."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from handfast.ca.approving import APPROVAL_STATES, PendingRecord, known, require_undecided
from handfast.ca.claims import QuotaUse
from handfast.ca.records import AuditEvent
from handfast.pki.names import parse_names
from handfast.stores.auditing import append_events
from handfast.stores.claims import settle
from handfast.stores.database import Database, Transaction
from handfast.stores.rows import Row, moment, seconds

_INSERT = f"INSERT INTO pending VALUES ({', '.join('?' * 15)})"  # noqa: S608  # a constant
_LATE = "(SELECT transaction_id FROM pending WHERE expires_at <= ?)"
# As PendingRecord.state says it.
_COUNT = (
    "SELECT state, COUNT(*) FROM (SELECT CASE WHEN p.serial IS NOT NULL THEN 'issued' "
    "WHEN p.rejected_by <> '' THEN 'rejected' "
    "WHEN (SELECT COUNT(*) FROM approval a WHERE a.transaction_id = p.transaction_id) >= p.needed THEN 'approved' "
    "ELSE 'waiting' END AS state FROM pending p WHERE p.expires_at > ?) AS states GROUP BY state"
)


@dataclass(frozen=True, slots=True)
class SqlApprovals:
    """Approvals (handfast.ca.approving) over a Database."""

    database: Database

    def ask(self, record: PendingRecord, event: AuditEvent, uses: tuple[QuotaUse, ...] = ()) -> PendingRecord:
        def job(transaction: Transaction) -> PendingRecord:
            now = seconds(record.created_at)
            transaction.rows(f"DELETE FROM approval WHERE transaction_id IN {_LATE}", [now])  # noqa: S608  # constants
            transaction.rows("DELETE FROM pending WHERE expires_at <= ?", [now])
            there = transaction.rows("SELECT * FROM pending WHERE digest = ?", [record.digest])
            if there:
                return _pending_of(there[0], _voters(transaction, there[0][0]))
            settle(transaction, uses)
            transaction.many(_INSERT, [_row(record)])
            append_events(transaction, [event])
            return record

        return self.database.write(job, conflict="the same was asked for just now")

    def find(self, transaction: str) -> PendingRecord | None:
        return self._one("transaction_id = ?", transaction)

    def same(self, digest: bytes) -> PendingRecord | None:
        return self._one("digest = ?", digest)

    def all(self, *, now: datetime, waiting: bool = True, limit: int = 1000) -> tuple[PendingRecord, ...]:
        condition = "AND rejected_by = '' AND serial IS NULL" if waiting else ""
        sql = f"SELECT * FROM pending WHERE expires_at > ? {condition} ORDER BY created_at, transaction_id LIMIT ?"  # noqa: S608  # constants
        return tuple(self._with_voters(row) for row in self.database.read(sql, [seconds(now), limit]))

    def count(self, *, now: datetime) -> Mapping[str, int]:
        found = {row[0]: row[1] for row in self.database.read(_COUNT, [seconds(now)])}
        return {state: found.get(state, 0) for state in APPROVAL_STATES}

    def approve(self, transaction: str, name: str, event: AuditEvent) -> None:
        def job(writing: Transaction) -> None:
            require_undecided(_now(writing, transaction))
            writing.many("INSERT INTO approval VALUES (?, ?)", [(transaction, name)])
            append_events(writing, [event])

        self.database.write(job, conflict=f"{name} approved the request {transaction} already")

    def reject(self, transaction: str, name: str, reason: str, event: AuditEvent) -> None:
        def job(writing: Transaction) -> None:
            require_undecided(_now(writing, transaction))
            sql = "UPDATE pending SET rejected_by = ?, reason = ? WHERE transaction_id = ?"
            writing.many(sql, [(name, reason, transaction)])
            append_events(writing, [event])

        self.database.write(job)

    def forget(self, transaction: str) -> None:
        def job(writing: Transaction) -> None:
            writing.rows("DELETE FROM approval WHERE transaction_id = ?", [transaction])
            writing.rows("DELETE FROM pending WHERE transaction_id = ?", [transaction])

        self.database.write(job)

    def _one(self, condition: str, value: object) -> PendingRecord | None:
        found = self.database.read(f"SELECT * FROM pending WHERE {condition}", [value])  # noqa: S608  # constants
        return self._with_voters(found[0]) if found else None

    def _with_voters(self, row: Row) -> PendingRecord:
        voters = self.database.read(
            "SELECT approver FROM approval WHERE transaction_id = ? ORDER BY approver", [row[0]]
        )
        return _pending_of(row, tuple(one[0] for one in voters))


def _now(writing: Transaction, transaction: str) -> PendingRecord:
    # The database lets one transaction change this row at a time: what is read here is what is decided about.
    touch = "UPDATE pending SET reason = reason WHERE transaction_id = ? RETURNING *"
    found = writing.rows(touch, [transaction])
    return known(_pending_of(found[0], _voters(writing, transaction)) if found else None, transaction)


def _voters(writing: Transaction, transaction: str) -> tuple[str, ...]:
    found = writing.rows("SELECT approver FROM approval WHERE transaction_id = ? ORDER BY approver", [transaction])
    return tuple(one[0] for one in found)


def _row(record: PendingRecord) -> tuple[object, ...]:
    return (
        record.transaction,
        record.digest,
        record.requester,
        record.sponsor,
        record.profile,
        record.subject,
        json.dumps([str(name) for name in record.names]),
        record.key,
        record.needed,
        seconds(record.created_at),
        seconds(record.expires_at),
        "",
        "",
        None,
        "",
    )


def _pending_of(row: Row, voters: tuple[str, ...]) -> PendingRecord:
    return PendingRecord(
        transaction=row[0],
        digest=bytes(row[1]),
        requester=row[2],
        sponsor=row[3],
        profile=row[4],
        subject=row[5],
        names=parse_names(json.loads(row[6])),
        key=row[7],
        needed=row[8],
        created_at=moment(row[9]),
        expires_at=moment(row[10]),
        approved_by=voters,
        rejected_by=row[11],
        reason=row[12],
        serial=None if row[13] is None else int.from_bytes(row[13], "big"),
        issuer=row[14],
    )
