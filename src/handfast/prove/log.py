"""Reads what a program's log says about one visit, and nothing of what it said about the visits before."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

from handfast.prove.program import Observation, Outcome

# A log line is written after the client has had its answer; a line that has not come by then is not coming.
PATIENCE = 3.0
_PAUSE = 0.02


@dataclass(frozen=True, slots=True)
class LogReader:
    """A log file from a position on."""

    path: Path | None
    position: int

    @classmethod
    def at_end(cls, path: Path | None) -> "LogReader":
        """From what is written next."""
        return cls(path, path.stat().st_size if path and path.exists() else 0)

    def text(self) -> str:
        """What was written since."""
        if self.path is None or not self.path.exists():
            return ""
        with self.path.open("rb") as file:
            file.seek(self.position)
            return file.read().decode("utf-8", "replace")

    def line_with(self, words: str) -> str:
        """The first line since with these words, waited for; "" when it does not come."""
        deadline = time.monotonic() + PATIENCE
        while True:
            for line in self.text().splitlines():
                if words in line:
                    return line.strip()
            if time.monotonic() > deadline:
                return ""
            time.sleep(_PAUSE)

    def with_log(self, seen: Observation, words: str) -> Observation:
        """The observation, with the log's line about a refusal."""
        if not words or self.path is None or seen.outcome is Outcome.ADMITTED:
            return seen
        return replace(seen, log=self.line_with(words))
