"""Notices: what people are to be told in time, in a queue that survives the machine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

NO_DETAIL: Mapping[str, str] = {}
# Doubling from a minute: some fourteen attempts in three days.
FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=8)
GIVE_UP_AFTER = timedelta(days=3)


class NoticeKind(StrEnum):
    """What a notice is about."""

    CERTIFICATE_EXPIRES = "certificate.expires"
    CA_EXPIRES = "ca.expires"
    APPROVAL_PENDING = "approval.pending"
    CRL_LATE = "crl.late"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing that people are to know. subject: what makes it one of a kind, as `expires/issuing/5f3a/7d`.

    text: a sentence. detail: for programs; never a secret. id: given by the store. attempts: how often delivery failed.
    taken: the names of the channels that took it all the same.
    """

    subject: str
    kind: NoticeKind
    text: str
    created_at: datetime
    detail: Mapping[str, str] = field(default_factory=lambda: NO_DETAIL)
    attempts: int = 0
    id: int = 0
    taken: frozenset[str] = frozenset()


class NoticeQueue(Protocol):
    """Notices that wait, in the order in which they are due."""

    def add(self, notices: Sequence[Notice]) -> int:
        """Queue those whose subject never was queued before; how many that were."""
        ...

    def due(self, now: datetime, *, limit: int = 50) -> tuple[Notice, ...]:
        """Those that are to be delivered by now, oldest first."""
        ...

    def delivered(self, notice: Notice) -> None:
        """It has arrived."""
        ...

    def failed(self, notice: Notice, why: str, *, again_at: datetime | None) -> None:
        """It arrived nowhere else than notice.taken says; again_at: when to try again, None to give it up."""
        ...

    def waiting(self) -> int:
        """How many wait."""
        ...


def next_attempt(notice: Notice, now: datetime) -> datetime | None:
    """When to try again after a failure at this moment; None when it is too old."""
    if now - notice.created_at >= GIVE_UP_AFTER:
        return None
    return now + min(FIRST_PAUSE * (1 << min(notice.attempts, 20)), LONGEST_PAUSE)
