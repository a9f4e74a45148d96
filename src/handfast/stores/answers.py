"""Idempotency keys in SQL: a row without an answer is a request that is being worked on."""

from dataclasses import dataclass
from datetime import datetime

from handfast.ca.answers import KEPT, UNFINISHED, AnswerKey
from handfast.errors import Conflict
from handfast.stores.database import Database, Transaction
from handfast.stores.rows import seconds

_THIS = "WHERE requester = ? AND key_text = ?"


@dataclass(frozen=True, slots=True)
class SqlAnswers:
    """Answers (handfast.ca.answers) over a Database."""

    database: Database

    def claim(self, key: AnswerKey, request: bytes, *, now: datetime) -> bytes | None:
        def job(transaction: Transaction) -> bytes | None:
            transaction.rows("DELETE FROM answer WHERE created_at <= ?", [seconds(now - KEPT)])
            abandoned = f"DELETE FROM answer {_THIS} AND answer IS NULL AND created_at <= ?"  # noqa: S608  # constants
            transaction.rows(abandoned, [key.requester, key.key, seconds(now - UNFINISHED)])
            insert = "INSERT INTO answer VALUES (?, ?, ?, NULL, ?) ON CONFLICT DO NOTHING RETURNING requester"
            if transaction.rows(insert, [key.requester, key.key, request, seconds(now)]):
                return None
            found = transaction.rows(f"SELECT request, answer FROM answer {_THIS}", [key.requester, key.key])  # noqa: S608  # constants
            return _answer(key, request, bytes(found[0][0]), found[0][1])

        return self.database.write(job)

    def keep(self, key: AnswerKey, answer: bytes) -> None:
        sql = f"UPDATE answer SET answer = ? {_THIS}"  # noqa: S608  # constants
        self.database.write(lambda transaction: transaction.many(sql, [(answer, key.requester, key.key)]))

    def forget(self, key: AnswerKey) -> None:
        sql = f"DELETE FROM answer {_THIS} AND answer IS NULL"  # noqa: S608  # constants
        self.database.write(lambda transaction: transaction.many(sql, [(key.requester, key.key)]))


def _answer(key: AnswerKey, request: bytes, known: bytes, answer: bytes | None) -> bytes:
    if known != request:
        msg = f"the idempotency key {key.key[:80]!r} was used for another request"
        raise Conflict(msg, hint="take a new key for every request")
    if answer is None:
        msg = f"the request with the idempotency key {key.key[:80]!r} is still being worked on"
        raise Conflict(msg, hint="ask again in some seconds, with the same key")
    return bytes(answer)
