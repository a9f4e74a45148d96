"""A transport that keeps the head of an answer back until its body comes: one TLS record and one write for both."""

import asyncio
from typing import Any

_HEAD = b"HTTP/1.1 "


class Corked:
    """A transport around a transport: uvicorn writes the head by itself, which costs as much as all the rest."""

    __slots__ = ("_held", "_loop", "_stall", "inner")

    def __init__(self, inner: asyncio.Transport, loop: asyncio.AbstractEventLoop, *, stall: float | None) -> None:
        """Around this one. stall: for how many seconds a client may take nothing of what is left when it is closed;
        None for TLS, which has a clock of its own for that."""
        self.inner = inner
        self._loop = loop
        self._stall = stall
        self._held = b""

    def write(self, data: bytes) -> None:
        """Write, a head together with what is written next, or alone when nothing comes in this turn of the loop."""
        if self._held:
            data, self._held = self._held + data, b""
        elif data.startswith(_HEAD):
            self._held = data
            self._loop.call_soon(self.flush)
            return
        self._write(data)

    def write_whole(self, answer: bytes) -> None:
        """Write an answer with its head and its body."""
        self.flush()
        self._write(answer)

    def flush(self) -> None:
        """Write what is held."""
        if self._held:
            data, self._held = self._held, b""
            self._write(data)

    def close(self) -> None:
        """Write what is held, and end."""
        self.flush()
        self.inner.close()
        if self._stall is not None:
            self._wait_for(self._stall, self.inner.get_write_buffer_size())

    def _wait_for(self, stall: float, left: int) -> None:
        if left:
            self._loop.call_later(stall, self._look_again, stall, left)

    def _look_again(self, stall: float, before: int) -> None:
        """A client that takes nothing of what is left is waited for no longer."""
        left = self.inner.get_write_buffer_size()
        if left < before:
            self._wait_for(stall, left)
        else:
            self.inner.abort()

    def _write(self, data: bytes) -> None:
        # To one that is closed already uvloop raises, and asyncio complains in its log.
        if not self.inner.is_closing():
            self.inner.write(data)

    def __getattr__(self, name: str) -> Any:
        """All else as it is."""
        return getattr(self.inner, name)
