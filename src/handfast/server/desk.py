"""The desk: one thread that has many requests going at once, and shares each write to the disk among all of them.

Handlers are plain functions. Each runs in a greenlet; where it would wait for the disk, the next one runs. When all of
them wait, one write serves them all. Threads would wait for the disk and for each other: at 16 clients this issues
several times as many certificates with the same processor.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import greenlet

from handfast.stores.group_commit import Entry, GroupCommit, cooperation

Result = TypeVar("Result")
# Beyond this, a batch gains nothing, and the first in it would wait for all the others.
_MOST_AT_ONCE = 64


@dataclass(slots=True)
class _Errand:
    call: Callable[[], Any]
    future: "asyncio.Future[Any]"
    result: Any = None
    error: BaseException | None = None

    def run(self) -> None:
        try:
            self.result = self.call()
        except BaseException as error:  # noqa: BLE001  # it is raised again where it is awaited
            self.error = error

    def settle(self) -> None:
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


@dataclass(slots=True)
class _Paused:
    """A handler that waits for its entry to be on the disk."""

    handler: greenlet.greenlet
    group: GroupCommit[Any]
    entry: Entry[Any]


@dataclass(slots=True)
class Desk:
    """One thread. What has begun is always finished, also when nobody waits for it any more."""

    loop: asyncio.AbstractEventLoop
    _queue: "queue.SimpleQueue[_Errand | None]" = field(default_factory=queue.SimpleQueue)
    _paused: list[_Paused] = field(default_factory=list)
    _done: list[_Errand] = field(default_factory=list)
    _thread: threading.Thread | None = None
    _hub: greenlet.greenlet | None = None
    _is_ending: bool = False

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._work, name="desk", daemon=True)
        self._thread.start()

    async def run(self, call: Callable[[], Result]) -> Result:
        """The result of the call, made at the desk. To be awaited in the desk's loop."""
        future: asyncio.Future[Result] = self.loop.create_future()
        self._queue.put(_Errand(call, future))
        return await future

    @property
    def waiting(self) -> int:
        """Errands that nobody has begun yet."""
        return self._queue.qsize()

    def stop(self) -> None:
        """Let what is queued finish, and end."""
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        self._hub = greenlet.getcurrent()
        cooperation.wait = self._wait
        while not (self._is_ending and self._queue.empty() and not self._paused):
            self._begin()
            self._write()
            self._report()

    def _begin(self) -> None:
        """Begin what is queued. Waits for the first when nothing else is going on."""
        if not self._paused:
            self._begin_one(self._queue.get())
        while len(self._paused) < _MOST_AT_ONCE:
            try:
                errand = self._queue.get_nowait()
            except queue.Empty:
                return
            self._begin_one(errand)

    def _begin_one(self, errand: _Errand | None) -> None:
        if errand is None:
            self._is_ending = True
            return

        def handler() -> None:
            errand.run()
            self._done.append(errand)

        greenlet.greenlet(handler).switch()

    def _write(self) -> None:
        """Write for all that wait, and let them go on up to where they wait again."""
        paused, self._paused = self._paused, []
        failed: dict[int, BaseException] = {}
        for group in {id(one.group): one.group for one in paused}.values():
            try:
                group.flush()
            except BaseException as error:  # noqa: BLE001  # a bug in one of them: raised in those whom it concerns
                failed[id(group)] = error
        for one in paused:
            bug = failed.get(id(one.group))
            if bug is not None and one.entry.is_done and one.entry.error is None:
                one.handler.throw(bug)
            else:
                one.handler.switch()

    def _wait(self, group: GroupCommit[Any], entry: Entry[Any]) -> None:
        """Called in a handler: the others run until its entry is done. The hub itself, writing for all, goes on."""
        current, hub = greenlet.getcurrent(), self._hub
        if hub is None or current is hub:
            return
        while not entry.is_done:
            self._paused.append(_Paused(current, group, entry))
            hub.switch()

    def _report(self) -> None:
        """Tell the loop of all that is done, at once."""
        done, self._done = self._done, []
        if done:
            try:
                self.loop.call_soon_threadsafe(_settle, done)
            except RuntimeError:
                return  # the loop has ended: nobody waits any more


def _settle(errands: list[_Errand]) -> None:
    for errand in errands:
        errand.settle()
