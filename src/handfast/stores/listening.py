"""The news that somebody revoked, on every replica of a store in PostgreSQL, by LISTEN and NOTIFY."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from handfast.errors import HandfastError

if TYPE_CHECKING:
    import psycopg

CHANNEL = "handfast_revoked"
# In the transaction that revokes: whoever listens hears of it when it is committed, and never before.
TRIGGER = (
    (
        "CREATE FUNCTION revocation_tell() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN "
        f"PERFORM pg_notify('{CHANNEL}', current_schema()); RETURN NULL; END $$"
    ),
    "CREATE TRIGGER revocation_tell AFTER INSERT ON revocation FOR EACH STATEMENT EXECUTE FUNCTION revocation_tell()",
)
# Between two looks whether the server still answers, and after a failure before the next attempt.
_LOOK = 1.0


@dataclass(slots=True, eq=False)
class Listener:
    """mark() differs after every revocation. While nobody listens it differs at each call: what is not known to be
    unchanged counts as changed. connect: a connection of its own. error: what the driver raises. own: the number of the
    server's process that writes for this replica, whose revocations changed() told of already.
    """

    connect: "Callable[[], psycopg.Connection[Any]]"
    error: type[Exception]
    own: Callable[[], int]
    _mark: int = 0
    _hears: bool = False
    _thread: threading.Thread | None = None
    _ended: threading.Event = field(default_factory=threading.Event)
    _starting: threading.Lock = field(default_factory=threading.Lock)

    def mark(self) -> int:
        """The number of this moment. Never waits."""
        if not self._hears:
            self._mark += 1
            if self._thread is None:
                self._start()
        return self._mark

    def changed(self) -> None:
        """This process itself revoked, and need not wait to hear of it."""
        self._mark += 1

    def stop(self) -> None:
        """Listen no more."""
        self._ended.set()
        self._hears = False

    def _start(self) -> None:
        with self._starting:
            if self._thread is None and not self._ended.is_set():
                self._thread = threading.Thread(target=self._work, name="revocations", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while not self._ended.is_set():
            try:
                self._listen()
            except (self.error, HandfastError):
                self._hears = False
                self._ended.wait(_LOOK)

    def _listen(self) -> None:
        connection = self.connect()
        try:
            connection.execute(f"LISTEN {CHANNEL}")
            self._mark += 1
            self._hears = True
            while not self._ended.is_set():
                for news in connection.notifies(timeout=_LOOK):
                    if news.pid != self.own():
                        self._mark += 1
                connection.execute("SELECT 1")
        finally:
            self._hears = False
            connection.close()
