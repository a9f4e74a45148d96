"""The service's log: one line for each event, JSON where a program reads it; never a body, a token or a key."""

import json
import logging
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO

Value = str | int | float | bool | None
# Called with the event's name, and what belongs to it.
Log = Callable[..., None]
_LONGEST = 500


def quiet(event: str, **fields: Value) -> None:
    """A log that nobody keeps."""


@dataclass(frozen=True, slots=True)
class Lines:
    """A Log on a stream. as_json: for programs; else for people."""

    stream: IO[str]
    as_json: bool
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, event: str, **fields: Value) -> None:
        """Write one line."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        cleaned = {name: _clean(value) for name, value in fields.items() if value is not None}
        if self.as_json:
            line = json.dumps({"at": now, "event": event, **cleaned}, ensure_ascii=True)
        else:
            line = " ".join([now[11:19], event, *(f"{name}={_shown(value)}" for name, value in cleaned.items())])
        with self._lock:
            self.stream.write(line + "\n")
            self.stream.flush()


class Libraries(logging.Handler):
    """What libraries log by themselves, as events. Subclassed because logging has no other way in."""

    def __init__(self, log: Log) -> None:
        """Into this log."""
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """One record. Of an exception its kind and place: its words may be what a client sent."""
        error = record.exc_info[1] if record.exc_info else None
        kind = None if error is None else type(error).__name__
        where = None if error is None else place_of(error)
        self._log("library.warned", library=record.name, why=record.getMessage().strip(), error=kind, where=where)


def take_up_libraries(log: Log) -> None:
    """From now on no library writes to stderr on its own, nor Python its warnings."""
    logging.captureWarnings(True)
    logging.getLogger().addHandler(Libraries(log))
    # Its warnings are of what clients send, and that is on record as request.refused.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)


def place_of(error: BaseException) -> str:
    """The file and line where it was raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"


def to_stderr() -> Lines:
    """The log of a service: for people on a terminal, JSON lines elsewhere."""
    return Lines(sys.stderr, as_json=not sys.stderr.isatty())


def _clean(value: Value) -> Value:
    """A text without control characters, and not too long: what a client sent must not forge a line."""
    if not isinstance(value, str):
        return value
    return "".join(one if one.isprintable() else "?" for one in value[:_LONGEST])


def _shown(value: Value) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if " " in text or '"' in text or not text else text
