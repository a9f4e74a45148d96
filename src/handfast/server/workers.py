"""Workers: threads in which handlers run, so that a slow disk or key never holds up the event loop."""

import asyncio
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

Result = TypeVar("Result")


@dataclass(slots=True)
class _Errand:
    call: Callable[[], Any]
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[Any]"

    def run(self) -> None:
        try:
            result = self.call()
        except BaseException as error:  # noqa: BLE001  # it is raised again where it is awaited
            self._settle(self.future.set_exception, error)
        else:
            self._settle(self.future.set_result, result)

    def _settle(self, setter: Callable[[Any], None], value: Any) -> None:
        try:
            self.loop.call_soon_threadsafe(_unless_done, self.future, setter, value)
        except RuntimeError:
            return  # the loop has ended: nobody waits any more


def _unless_done(future: "asyncio.Future[Any]", setter: Callable[[Any], None], value: Any) -> None:
    if not future.done():
        setter(value)


@dataclass(slots=True)
class Workers:
    """count threads over one queue. What has begun is always finished, also when nobody waits for it any more."""

    count: int
    _queue: "queue.SimpleQueue[_Errand | None]" = field(default_factory=queue.SimpleQueue)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Start the threads."""
        self._threads = [
            threading.Thread(target=self._work, name=f"worker-{number}", daemon=True) for number in range(self.count)
        ]
        for thread in self._threads:
            thread.start()

    async def run(self, call: Callable[[], Result]) -> Result:
        """The result of the call, made by a worker."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._queue.put(_Errand(call, loop, future))
        return await future

    @property
    def waiting(self) -> int:
        """Errands that no worker has taken yet."""
        return self._queue.qsize()

    def stop(self) -> None:
        """Let the workers finish what is queued, and end."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (errand := self._queue.get()) is not None:
            errand.run()
