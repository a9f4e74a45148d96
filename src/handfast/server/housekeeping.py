"""What is done from time to time: archive what ended, drop old journal segments, give the witness a head."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from handfast.server.assembly import Parts
from handfast.server.holding import Step, freely
from handfast.server.journal import old_segments
from handfast.server.witness import witness_if_due

# One transaction each: whoever wants to issue waits for no more than this.
_TOGETHER = 200
# A job that was not run for years goes on the next time.
_MOST_BATCHES = 5_000


@dataclass(frozen=True, slots=True)
class Tidied:
    """What was done. head: the id of the event up to which the witness knows the log; None when it was told nothing."""

    archived: int
    segments: int
    head: int | None


def tidy(parts: Parts) -> Tidied:
    """All of it. Raises Unavailable when the store or the witness does not answer, ConfigError without the key."""
    archived, segments = retire(parts), drop_segments(parts)
    head = witness_if_due(parts)
    return Tidied(archived, segments, None if head is None else head.id)


def retire(parts: Parts, step: Step = freely) -> int:
    """Move what ended longer ago than retention.expired says, and its revocations, to the archive; how many."""
    now, moved = parts.clock(), 0
    for _ in range(_MOST_BATCHES):
        step()
        some = parts.store.retire(ended_before=now - parts.settings.retention.expired, now=now, limit=_TOGETHER)
        if not some:
            break
        moved += some
    if moved:
        parts.store.append(parts.record("store.archived", moved=str(moved)))
    return moved


def drop_segments(parts: Parts) -> int:
    """Delete journal segments that were last written longer ago than journal.keep says; how many."""
    directory = parts.directory / parts.settings.journal.directory
    before = parts.clock() - parts.settings.journal.keep
    old = [path for path in old_segments(directory) if _written(path) < before]
    if old:
        names = ",".join(f"{path.parent.name}/{path.name}" for path in old)
        parts.store.append(parts.record("journal.dropped", segments=names))
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


def _written(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)
