"""What a service says while its store is brought up to date: to its log, and to systemd, which waits for it."""

import time
from dataclasses import dataclass, field
from datetime import timedelta

from handfast.server.log import Log
from handfast.server.notify import notify
from handfast.stores.migrations import Migrating

# From one sign of life to the next, it is one statement or a thousand certificates: this is enough for an index over
# many millions. A start that hangs is still noticed.
_PATIENCE = timedelta(minutes=10)
_PAUSE = timedelta(seconds=1)


@dataclass(slots=True)
class Announcement:
    """A Watch (handfast.stores.migrations): a line in the log at the begin and at the end of each store's migration.

    systemd, if it asked to be told, gives the start more time for as long as it goes on (sd_notify(3)).
    """

    log: Log
    _begun: dict[str, float] = field(default_factory=dict)
    _told: float = 0.0

    def __call__(self, at: Migrating) -> None:
        """Say so."""
        now = time.monotonic()
        if at.place not in self._begun:
            self._begun[at.place] = now
            self.log("store.migrating", store=at.place, since=at.since, until=at.until)
        elif at.is_over:
            self.log("store.migrated", store=at.place, until=at.until, seconds=round(now - self._begun[at.place], 1))
            notify("STATUS=")
            return
        elif now - self._told < _PAUSE.total_seconds():
            return
        self._told = now
        microseconds = _PATIENCE // timedelta(microseconds=1)
        notify(f"EXTEND_TIMEOUT_USEC={microseconds}\nSTATUS=bringing the store up to date: {at.words()}")
