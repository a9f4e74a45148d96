"""Refusals told in sums: failed attempts to prove who one is, and requests beyond a limit. A line for each would be
what a flood is after (NIST SP 800-92 section 4.2).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from handfast.ca.records import AuditEvent
from handfast.errors import HandfastError

if TYPE_CHECKING:
    from handfast.ca.ports import Store

FAILED, LIMITED = "authentication.failed", "request.limited"
# Whose events these are when nobody is known: no requester can have this name.
_ACTOR = "service"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What is counted together. by: the kind of what was presented. serial: of a certificate that was.

    requester: somebody who is on record, or empty: never what a stranger typed, which may be a password in the wrong
    field.
    """

    action: str
    reason: str
    by: str = ""
    requester: str = ""
    issuer: str = ""
    serial: int | None = None


@dataclass(frozen=True, slots=True)
class Sum:
    """So many of them, the first and the last then."""

    refusal: Refusal
    count: int
    since: datetime
    until: datetime

    def event(self, now: datetime) -> AuditEvent:
        """As it stands in the audit log."""
        one = self.refusal
        told = {"by": one.by, "requester": one.requester} if one.action == FAILED else {}
        times = {"since": self.since.isoformat(timespec="seconds"), "until": self.until.isoformat(timespec="seconds")}
        detail = {**told, "reason": one.reason, "count": str(self.count), **times}
        actor = one.requester if one.action == LIMITED and one.requester else _ACTOR
        given = {name: value for name, value in detail.items() if value}
        return AuditEvent(at=now, actor=actor, action=one.action, issuer=one.issuer, serial=one.serial, detail=given)


class Refusals(Protocol):
    """What counts them, in memory and within bounds, until record() writes the sums."""

    def note(self, refusal: Refusal, now: datetime) -> None:
        """Count one. Neither reads nor writes the store."""
        ...

    def take(self, now: datetime, *, everything: bool) -> Sequence[Sum]:
        """The sums that are to be written now, which are forgotten. everything: those also that could wait."""
        ...

    def give_back(self, sums: Sequence[Sum]) -> None:
        """They could not be written: count them again."""
        ...


class Uncounted:
    """Refusals that nobody counts: at the machine of the CA, whoever is refused is told, and that is all."""

    def note(self, refusal: Refusal, now: datetime) -> None:
        """Nothing."""

    def take(self, now: datetime, *, everything: bool) -> Sequence[Sum]:
        """Nothing."""
        return ()

    def give_back(self, sums: Sequence[Sum]) -> None:
        """Nothing."""


def record(refusals: Refusals, store: "Store", now: datetime, *, everything: bool = False) -> int:
    """Write the sums to the audit log, all in one transaction; how many. Raises Unavailable, and loses none."""
    sums = refusals.take(now, everything=everything)
    if not sums:
        return 0
    try:
        store.append(*(one.event(now) for one in sums))
    except HandfastError:
        refusals.give_back(sums)
        raise
    return len(sums)
