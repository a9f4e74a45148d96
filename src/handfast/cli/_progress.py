"""Progress for people: one line on stderr that is written over, on a terminal; nothing elsewhere."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_line() -> Iterator[Callable[[str, str], None]]:
    """A function of who and what is going on; several may report at once, from threads."""
    lock, state = threading.Lock(), {"": ""}
    state.clear()
    shown = sys.stderr.isatty()

    def report(who: str, what: str) -> None:
        with lock:
            state[who] = what
            if shown:
                line = ", ".join(f"{name}: {doing}" for name, doing in state.items())
                sys.stderr.write(f"\r\x1b[K{line[:78]}")
                sys.stderr.flush()

    try:
        yield report
    finally:
        if shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
