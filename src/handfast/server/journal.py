"""The journal in files: numbered segments that are only ever appended to, by any number of threads and processes.

Each writer that finds no journal begins a stream, a directory of its own; whoever reads takes all streams.
"""

import errno
import os
import secrets
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from handfast.ca.journal import Doubtful, Entry, Signed, Snapshot, Snapshots
from handfast.ca.records import CertificateRecord, CrlRecord, Finished, IssuerRecord, Revocation
from handfast.errors import HandfastError, Unavailable
from handfast.keys.files import make_directory, sync
from handfast.stores import group_commit
from handfast.stores.frames import entries, frame
from handfast.stores.group_commit import GroupCommit

# Some 50,000 certificates: few enough files after years, and each read at once.
SEGMENT_SIZE = 64 * 1024 * 1024
# Of a full disk: some 50,000 certificates that nobody got. What comes after is in the store only.
_MOST_OWED = 64 * 1024 * 1024
_SUFFIX = ".log"
# stream -> (segment, offset)
Position = dict[str, tuple[int, int]]


@dataclass(slots=True, eq=False)
class FileJournal:
    """A Journal (handfast.ca.journal). Opens its file when it first has to write."""

    directory: Path
    segment_size: int = SEGMENT_SIZE
    _descriptor: int | None = None
    _number: int = 0
    _place: Path | None = None
    # Whose number that is; None: it goes on in whichever stream comes next.
    _stream: Path | None = None
    _known: set[str] = field(default_factory=set)
    # Not yet known to be on the disk. owes: some of it could not even be written.
    _unsure: bytearray = field(default_factory=bytearray)
    _owes: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _group: GroupCommit[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self._group = GroupCommit(self._commit)

    def begun(self, records: Sequence[CertificateRecord], snapshots: Snapshots = ()) -> None:
        new = [Snapshot(digest, text) for digest, text in snapshots if digest not in self._known]
        self._known.update(one.digest for one in new)
        told: tuple[Entry, ...] = (*new, *records)
        self._write(b"".join(map(frame, told)), durable=False)

    def finished(self, finished: Sequence[Finished]) -> None:
        self._durable(*(Signed(one.certificate) for one in finished))

    def revoked(self, revocation: Revocation) -> None:
        self._durable(revocation)

    def listed(self, record: CrlRecord) -> None:
        self._durable(record)

    def added(self, record: IssuerRecord) -> None:
        self._durable(record)

    def close(self) -> None:
        with self._lock:
            if self._owes:
                with suppress(OSError, HandfastError):
                    os.fdatasync(self._append(b"", may_move_on=False))
            self._let_go()

    def _durable(self, *told: Entry) -> None:
        self._group.submit(b"".join(map(frame, told)))

    def _commit(self, waiting: list[group_commit.Entry[bytes]]) -> None:
        """Write for all who wait, with one fsync."""
        try:
            self._write(b"".join(entry.job for entry in waiting), durable=True)
        except HandfastError as error:
            for entry in waiting:
                entry.error = error
        finally:
            for entry in waiting:
                entry.is_done = True

    def _write(self, data: bytes, *, durable: bool) -> None:
        try:
            with self._lock:
                # Only who makes durable moves on to the next segment: nobody's file is closed before it is written out.
                descriptor = self._append(data, may_move_on=durable)
                covered = len(self._unsure)
            if durable:
                self._make_sure(descriptor, covered)
        except OSError as error:
            msg = f"the journal {self.directory} cannot be written: {error.strerror}"
            raise Unavailable(msg, hint="see to the space on its disk, and who owns it; then try again") from None

    def _append(self, data: bytes, *, may_move_on: bool) -> int:
        """Write to the current segment, before it what could not be written earlier: the store has that already, and
        tells it of itself. Raises OSError, and then owes it."""
        try:
            descriptor = self._current(may_move_on=may_move_on)
            _append(descriptor, self._unsure + b"\n" + data if self._owes else data)
            self._owes = False
        except (OSError, HandfastError):
            self._owes = True
            raise
        finally:
            if len(self._unsure) < _MOST_OWED:
                self._unsure += b"\n" + data
        return descriptor

    def _make_sure(self, descriptor: int, covered: int) -> None:
        """Synchronize what was written so far.

        After a failure the system takes what it could not write for written. So nothing more goes to that file: the
        next one begins with all of which nobody knows whether it is on the disk.
        """
        try:
            os.fdatasync(descriptor)
        except OSError:
            with self._lock:
                if self._descriptor == descriptor:
                    self._let_go()
                    self._number += 1
            raise
        with self._lock:
            del self._unsure[:covered]

    def _current(self, *, may_move_on: bool) -> int:
        if self._descriptor is not None:
            found = os.fstat(self._descriptor)
            is_there = self._is_there(found)
            if is_there and (not may_move_on or found.st_size < self.segment_size):
                return self._descriptor
            self._end_segment()
            if not is_there:
                # In another stream too, the gap tells a reader that something was lost.
                self._stream = None
        stream = _own_stream(self.directory)
        if self._stream not in {None, stream}:
            # Whoever began at the same time made it: its numbers are its own, and none of them is missing.
            self._number = 0
        self._stream, self._number = stream, max(1, self._number, *segments(stream))
        self._place = stream / _name(self._number)
        self._descriptor = _opened(self._place)
        if self._unsure:
            _append(self._descriptor, self._unsure)
        return self._descriptor

    def _is_there(self, found: os.stat_result) -> bool:
        """False for a file that was deleted, or moved with its directory: what is written to it would not be found."""
        try:
            return self._place is not None and os.path.samestat(found, self._place.stat())
        except OSError:
            return False

    def _end_segment(self) -> None:
        try:
            os.fdatasync(self._descriptor)  # type: ignore[arg-type]  # there is one
            self._unsure.clear()
        finally:
            self._let_go()
            self._number += 1

    def _let_go(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _name(number: int) -> str:
    return f"{number:06}{_SUFFIX}"


def _append(descriptor: int, data: bytes | bytearray) -> None:
    if os.write(descriptor, b"\n" + data) != len(data) + 1:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _opened(path: Path) -> int:
    """Whoever made the file and the directories may not have synchronized their names yet."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    for directory in (path.parent, path.parent.parent):
        sync(directory)
    return descriptor


def _own_stream(directory: Path) -> Path:
    make_directory(directory)
    found = streams(directory)
    if not found:
        make_directory(directory / secrets.token_hex(8))
        found = streams(directory)
    return found[0]


def streams(directory: Path) -> list[Path]:
    """The streams of a journal, sorted; none for a directory that is not there."""
    if not directory.is_dir():
        return []
    return sorted(one for one in directory.iterdir() if one.is_dir() and not one.name.startswith("."))


def segments(stream: Path) -> list[int]:
    """The numbers of a stream's segments, in order."""
    return sorted(int(one.stem) for one in stream.glob(f"*{_SUFFIX}") if one.stem.isdigit())


def old_segments(directory: Path) -> list[Path]:
    """The segments of all streams but the last of each, which may still be written to."""
    return [stream / _name(number) for stream in streams(directory) for number in segments(stream)[:-1]]


def position(directory: Path) -> Position:
    """Up to where the journal is written now. What is before it was in the store before this was asked."""
    found = {}
    for stream in streams(directory):
        numbers = segments(stream)
        if numbers:
            size = (stream / _name(numbers[-1])).stat().st_size
            found[stream.name] = (numbers[-1], size)
    return found


@dataclass(slots=True)
class Reading:
    """What was told since a position. missing: segments that are not there any more. torn: lines without an end.

    damaged: segments with lines that were changed since. perhaps_revoked: what such lines seem to tell.
    """

    directories: Sequence[Path]
    since: Position = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    torn: int = 0
    damaged: list[str] = field(default_factory=list)
    perhaps_revoked: list[Revocation] = field(default_factory=list)
    read: int = 0

    @property
    def is_whole(self) -> bool:
        """True when nothing that was ever written is missing."""
        return not (self.missing or self.torn or self.damaged)

    def entries(self) -> Iterator[Entry]:
        """All entries, in the order of each stream; fills in what is missing and torn on the way."""
        found = {stream.name: stream for one in self.directories for stream in streams(one)}
        self.missing += [f"{name}/{_name(first)}" for name, (first, _) in self.since.items() if name not in found]
        for name, stream in sorted(found.items()):
            yield from self._stream(stream, *self.since.get(name, (1, 0)))

    def _stream(self, stream: Path, first: int, offset: int) -> Iterator[Entry]:
        numbers = [number for number in segments(stream) if number >= first]
        # One that was made and never written to has no segment yet.
        last = max(numbers, default=first if stream.name in self.since else 0)
        expected = range(first, last + 1)
        self.missing += [f"{stream.name}/{_name(number)}" for number in expected if number not in numbers]
        for number in numbers:
            data = (stream / _name(number)).read_bytes()
            found = entries(data[offset if number == first else 0 :])
            yield from self._whole(found, f"{stream.name}/{_name(number)}")

    def _whole(self, found: Iterable[Entry | Doubtful], segment: str) -> Iterator[Entry]:
        for entry in found:
            if isinstance(entry, Doubtful):
                self._doubt(entry, segment)
            else:
                self.read += 1
                yield entry

    def _doubt(self, line: Doubtful, segment: str) -> None:
        if line.is_torn:
            self.torn += 1
        else:
            self.damaged.append(segment)
        if line.revocation is not None:
            self.perhaps_revoked.append(line.revocation)
