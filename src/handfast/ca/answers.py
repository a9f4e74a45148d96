"""Idempotency keys: the same request under the same key is answered the same, and done once."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

KEPT = timedelta(hours=24)
# Longer than a request takes: whoever worked on it has died, or lost the store. When it is only slow all the same, the
# row of the certificate (Order.batch_row) lets nobody make a second one.
UNFINISHED = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class AnswerKey:
    """The key that a requester chose; another requester's same key is another one."""

    requester: str
    key: str


class Answers(Protocol):
    """The part of the store that knows the answers of the last 24 hours."""

    def claim(self, key: AnswerKey, request: bytes, *, now: datetime) -> bytes | None:
        """The answer that was given; or None: then do it, and keep() the answer or forget() the key.

        request: a digest of everything that was asked. Raises Conflict when the key was used for another request, or
        when that one is not answered yet.
        """
        ...

    def keep(self, key: AnswerKey, answer: bytes) -> None:
        """The answer, for whoever asks again."""
        ...

    def forget(self, key: AnswerKey) -> None:
        """Nothing was done: it may be tried again under the same key."""
        ...
