"""Being asked to stop: by Ctrl-C or SIGTERM, in the middle of what has to come to an end by itself."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass(slots=True)
class Stop:
    """Whether somebody asked to stop; set by signal handlers."""

    is_asked: bool = False


@contextmanager
def stopping() -> Iterator[Stop]:
    """What the first SIGINT or SIGTERM asks for: nothing is interrupted in the middle of a private key's file."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop  # signals arrive elsewhere
        return

    def ask(number: int, _frame: FrameType | None) -> None:
        stop.is_asked = True
        signal.signal(number, signal.default_int_handler)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
