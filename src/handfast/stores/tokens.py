"""One-time tokens in SQL. What is redeemed or revoked is deleted; the audit log tells of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from handfast.ca.records import AuditEvent
from handfast.ca.tokens import TOKEN_STATES, TokenRecord
from handfast.pki.names import parse_names
from handfast.stores.auditing import append_events
from handfast.stores.database import Database, Transaction
from handfast.stores.rows import Row, moment, seconds


@dataclass(frozen=True, slots=True)
class SqlTokens:
    """Tokens (handfast.ca.tokens) over a Database."""

    database: Database

    def add(self, token: TokenRecord, event: AuditEvent) -> None:
        def job(transaction: Transaction) -> None:
            transaction.rows("DELETE FROM token WHERE expires_at <= ?", [seconds(token.created_at)])
            transaction.many("INSERT INTO token VALUES (?, ?, ?, ?, ?, ?, ?)", [_row(token)])
            append_events(transaction, [event])

        self.database.write(job, conflict="this token is on record already")

    def find(self, digest: bytes) -> TokenRecord | None:
        found = self.database.read("SELECT * FROM token WHERE digest = ?", [digest])
        return _token_of(found[0]) if found else None

    def all(self, *, now: datetime) -> tuple[TokenRecord, ...]:
        sql = "SELECT * FROM token WHERE expires_at > ? ORDER BY created_at, digest"
        return tuple(map(_token_of, self.database.read(sql, [seconds(now)])))

    def count(self, *, now: datetime) -> Mapping[str, int]:
        sql = "SELECT expires_at > ? AS may_be, COUNT(*) FROM token GROUP BY may_be"
        found = {bool(row[0]): row[1] for row in self.database.read(sql, [seconds(now)])}
        return dict(zip(TOKEN_STATES, (found.get(True, 0), found.get(False, 0)), strict=True))

    def revoke(self, digest: bytes, event: AuditEvent) -> bool:
        def job(transaction: Transaction) -> bool:
            if not transaction.rows("DELETE FROM token WHERE digest = ? RETURNING digest", [digest]):
                return False
            append_events(transaction, [event])
            return True

        return self.database.write(job)


def _row(token: TokenRecord) -> tuple[object, ...]:
    return (
        token.digest,
        token.profile,
        json.dumps([str(name) for name in token.names]),
        json.dumps(token.words),
        token.creator,
        seconds(token.created_at),
        seconds(token.expires_at),
    )


def _token_of(row: Row) -> TokenRecord:
    return TokenRecord(
        digest=bytes(row[0]),
        profile=row[1],
        names=parse_names(json.loads(row[2])),
        words=tuple(json.loads(row[3])),
        creator=row[4],
        created_at=moment(row[5]),
        expires_at=moment(row[6]),
    )
