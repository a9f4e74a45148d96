"""Progress for people: one line on stderr that is written over, on a terminal; nothing elsewhere."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta


@contextmanager
def progress_line(*, after: timedelta = timedelta(0)) -> Iterator[Callable[[str, str], None]]:
    """A function of who and what is going on; several may report at once, from threads.

    after: how long it stays unseen, from the first report on: what is over by then needs no words.
    """
    lock, state = threading.Lock(), {"": ""}
    state.clear()
    is_shown = sys.stderr.isatty() and not after

    def show() -> None:
        line = ", ".join(f"{name}: {doing}" for name, doing in state.items())
        sys.stderr.write(f"\r\x1b[K{line[:78]}")
        sys.stderr.flush()

    def begin() -> None:
        nonlocal is_shown
        with lock:
            is_shown = True
            show()

    timer = threading.Timer(after.total_seconds(), begin)
    timer.daemon = True

    def report(who: str, what: str) -> None:
        with lock:
            if not state and after and sys.stderr.isatty():
                timer.start()
            state[who] = what
            if is_shown:
                show()

    try:
        yield report
    finally:
        timer.cancel()
        with lock:
            if is_shown:
                sys.stderr.write("\r\x1b[K")
                sys.stderr.flush()
