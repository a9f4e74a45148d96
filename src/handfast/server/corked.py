"""A transport that keeps the head of an answer back until its body comes: one TLS record and one write for both."""

import asyncio
from typing import Any

_HEAD = b"HTTP/1.1 "


class Corked:
    """A transport around a transport: uvicorn writes the head by itself, which costs as much as all the rest."""

    __slots__ = ("_held", "_loop", "inner")

    def __init__(self, inner: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        """Around this one."""
        self.inner = inner
        self._loop = loop
        self._held = b""

    def write(self, data: bytes) -> None:
        """Write, a head together with what is written next, or alone when nothing comes in this turn of the loop."""
        if self._held:
            data, self._held = self._held + data, b""
        elif data.startswith(_HEAD):
            self._held = data
            self._loop.call_soon(self.flush)
            return
        self.inner.write(data)

    def write_whole(self, answer: bytes) -> None:
        """Write an answer with its head and its body."""
        self.flush()
        self.inner.write(answer)

    def flush(self) -> None:
        """Write what is held."""
        if self._held:
            data, self._held = self._held, b""
            self.inner.write(data)

    def close(self) -> None:
        """Write what is held, and end."""
        self.flush()
        self.inner.close()

    def __getattr__(self, name: str) -> Any:
        """All else as it is."""
        return getattr(self.inner, name)
