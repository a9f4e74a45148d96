"""The queue of notices, in SQL."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from handfast.ca.notices import Notice, NoticeKind
from handfast.stores.database import Database, Transaction
from handfast.stores.rows import moment, seconds

_COLUMNS = "id, subject, kind, text, detail, created_at, attempts, taken"


@dataclass(frozen=True, slots=True)
class SqlNotices:
    """A NoticeQueue (handfast.ca.notices) over any Database."""

    database: Database

    def add(self, notices: Sequence[Notice]) -> int:
        if not notices:
            return 0

        def job(transaction: Transaction) -> int:
            return sum(_added(transaction, notice) for notice in notices)

        return self.database.write(job)

    def due(self, now: datetime, *, limit: int = 50) -> tuple[Notice, ...]:
        sql = f"SELECT {_COLUMNS} FROM notice WHERE state = 'waiting' AND due_at <= ? ORDER BY due_at, id LIMIT ?"  # noqa: S608  # constants
        return tuple(
            Notice(
                id=row[0],
                subject=row[1],
                kind=NoticeKind(row[2]),
                text=row[3],
                detail=json.loads(row[4]),
                created_at=moment(row[5]),
                attempts=row[6],
                taken=frozenset(row[7].split()),
            )
            for row in self.database.read(sql, [seconds(now), limit])
        )

    def delivered(self, notice: Notice) -> None:
        self._settle(notice, "delivered", "", notice.attempts)

    def failed(self, notice: Notice, why: str, *, again_at: datetime | None) -> None:
        if again_at is None:
            self._settle(notice, "given-up", why, notice.attempts + 1)
            return
        sql = "UPDATE notice SET due_at = ?, attempts = attempts + 1, failure = ?, taken = ? WHERE id = ?"
        row = (seconds(again_at), why, "\n".join(sorted(notice.taken)), notice.id)
        self.database.write(lambda transaction: transaction.many(sql, [row]))

    def waiting(self) -> int:
        return int(self.database.read("SELECT COUNT(*) FROM notice WHERE state = 'waiting'")[0][0])

    def _settle(self, notice: Notice, state: str, why: str, attempts: int) -> None:
        sql = "UPDATE notice SET state = ?, failure = ?, attempts = ? WHERE id = ?"
        self.database.write(lambda transaction: transaction.many(sql, [(state, why, attempts, notice.id)]))


def _added(transaction: Transaction, notice: Notice) -> int:
    if transaction.rows("SELECT 1 FROM notice WHERE subject = ?", [notice.subject]):
        return 0
    at = seconds(notice.created_at)
    detail = json.dumps(dict(notice.detail), sort_keys=True)
    number = transaction.rows("UPDATE counter SET value = value + 1 WHERE name = 'notice' RETURNING value")[0][0]
    row = (number, notice.subject, notice.kind.value, notice.text, detail, at, at)
    transaction.many("INSERT INTO notice VALUES (?, ?, ?, ?, ?, ?, ?, 0, 'waiting', '', '')", [row])
    return 1
