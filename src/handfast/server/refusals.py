"""Sums of refusals in the memory of one process: bounded in number, and written more rarely as they go on."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from handfast.ca.refusals import Refusal, Sum

# Of so many different ones at a time; what is beyond is counted as one.
MOST = 64
OTHERS = "others"
# A sum that goes on is written after a minute, two, four, and so on: a flood of a day is some thirty events.
_FIRST, _LONGEST = timedelta(minutes=1), timedelta(hours=1)


@dataclass(slots=True)
class _Counting:
    sum: Sum | None
    due: datetime
    pause: timedelta = _FIRST


@dataclass(slots=True, eq=False)
class Sums:
    """Refusals (handfast.ca.refusals), for the threads of one process."""

    most: int = MOST
    _all: dict[Refusal, _Counting] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, refusal: Refusal, now: datetime) -> None:
        with self._lock:
            self._add(Sum(refusal, 1, now, now))

    def take(self, now: datetime, *, everything: bool) -> Sequence[Sum]:
        with self._lock:
            return [one for key in tuple(self._all) if (one := self._taken(key, now, everything)) is not None]

    def give_back(self, sums: Sequence[Sum]) -> None:
        with self._lock:
            for one in sums:
                self._add(one)

    def _add(self, more: Sum) -> None:
        key = more.refusal
        if key not in self._all and len(self._all) >= self.most:
            key = Refusal(action=key.action, reason=OTHERS)
        counting = self._all.setdefault(key, _Counting(None, more.since))
        so_far = counting.sum or replace(more, refusal=key, count=0)
        since, until = min(so_far.since, more.since), max(so_far.until, more.until)
        counting.sum = Sum(key, so_far.count + more.count, since, until)

    def _taken(self, key: Refusal, now: datetime, everything: bool) -> Sum | None:
        counting = self._all[key]
        if now < counting.due and not everything:
            return None
        if counting.sum is None:  # it has stopped
            del self._all[key]
            return None
        taken, counting.sum = counting.sum, None
        counting.due, counting.pause = now + counting.pause, min(2 * counting.pause, _LONGEST)
        return taken
