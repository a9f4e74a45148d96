"""Group commit: whoever writes while another is writing shares the next write to the disk with all who wait.

There is no thread of its own: one of those who wait writes for all. A single writer goes straight through.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from handfast.errors import HandfastError

Job = TypeVar("Job")


@dataclass(slots=True)
class Entry(Generic[Job]):
    """A job on its way, and what became of it."""

    job: Job
    is_done: bool = False
    result: object = None
    error: HandfastError | None = None


@dataclass(slots=True)
class GroupCommit(Generic[Job]):
    """run: gets all jobs that wait, at most `most`, does them in one transaction, and fills in each one's fate.

    What `run` raises goes to the caller who wrote for the others; theirs it must have filled in.
    """

    run: Callable[[list[Entry[Job]]], None]
    most: int = 256
    _waiting: list[Entry[Job]] = field(default_factory=list)
    _queue: threading.Lock = field(default_factory=threading.Lock)
    _writing: threading.Lock = field(default_factory=threading.Lock)

    def submit(self, job: Job) -> object:
        """Do the job, together with others; its result once it is on the disk, or its own error."""
        entry = Entry(job)
        with self._queue:
            self._waiting.append(entry)
        if cooperation.wait is not None:
            cooperation.wait(self, entry)
        while not entry.is_done:
            with self._writing:
                if not entry.is_done:
                    self.run(self._next())
        if entry.error is not None:
            raise entry.error
        return entry.result

    def flush(self) -> None:
        """Write for all who wait now."""
        with self._writing:
            taken = self._next()
            if taken:
                self.run(taken)

    def alone(self) -> threading.Lock:
        """The lock that keeps everybody else from writing."""
        return self._writing

    def _next(self) -> list[Entry[Job]]:
        with self._queue:
            taken, self._waiting = self._waiting[: self.most], self._waiting[self.most :]
        return taken


class Cooperation(threading.local):
    """How a thread that has several things going at once lets one of them wait: by going on with the others.

    wait: called with the group and the entry, which is done when it returns. None: the thread itself waits.
    """

    wait: Callable[[GroupCommit[Any], Entry[Any]], None] | None = None


cooperation = Cooperation()
