"""The news that somebody revoked, on every replica of a store in PostgreSQL, by LISTEN and NOTIFY."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
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
# A server, or a network, that has not answered for so long may have swallowed the news too.
_SILENCE = 3.0


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
    # Each number once, whichever threads take them at the same time.
    _marks: Iterator[int] = field(default_factory=lambda: count(1))
    # On the clock of time.monotonic(), until when the last answer proves that news would have come.
    _hears_until: float = 0.0
    _thread: threading.Thread | None = None
    _ended: threading.Event = field(default_factory=threading.Event)
    _starting: threading.Lock = field(default_factory=threading.Lock)

    def mark(self) -> int:
        """The number of this moment. Never waits."""
        if time.monotonic() >= self._hears_until:
            self.changed()
            if self._thread is None:
                self._start()
        return self._mark

    def changed(self) -> None:
        """This process itself may have revoked, and need not wait to hear of it."""
        self._mark = next(self._marks)

    def stop(self) -> None:
        """Listen no more."""
        self._ended.set()
        self._hears_until = 0.0

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
                self._ended.wait(_LOOK)

    def _listen(self) -> None:
        connection = self.connect()
        try:
            connection.execute(f"LISTEN {CHANNEL}")
            self.changed()
            while not self._ended.is_set():
                self._prove(connection)
                for news in connection.notifies(timeout=_LOOK):
                    if news.pid != self.own():
                        self.changed()
        finally:
            self._hears_until = 0.0
            connection.close()

    def _prove(self, connection: "psycopg.Connection[Any]") -> None:
        """Ask for an answer: the news before it has come too.

        Behind a pooler the one who answers may not be the one who listens: then nobody hears.
        """
        asked = time.monotonic()
        (answering,) = connection.execute("SELECT pg_backend_pid()").fetchone() or (0,)
        if answering == connection.info.backend_pid:
            self._hears_until = asked + _SILENCE
