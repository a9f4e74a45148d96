"""Bulk issue on several cores: a process for each, which opens the store for itself and has its share of the rows."""

import itertools
import multiprocessing
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from pathlib import Path

from handfast.ca.authority import Authority
from handfast.client.batch import BulkJob, BulkReport, alone_in
from handfast.client.stopping import Stop, stopping
from handfast.errors import HandfastError, Unavailable
from handfast.keys.passphrase import PassphraseSource
from handfast.server.assembly import assemble, open_parts
from handfast.server.bulk import issue_rows

Progress = Callable[[BulkReport], None]
# So long it takes until the parent notices that it shall stop, when nobody says anything.
_GLANCE = 0.2


@dataclass(frozen=True, slots=True)
class _Failure:
    message: str
    hint: str


def run_bulk(
    directory: Path, job: BulkJob, *, jobs: int, passphrase: PassphraseSource, progress: Progress
) -> BulkReport:
    """Issue all rows; progress gets the sum after each chunk.

    jobs: how many processes. Raises what opening an authority raises, and Unavailable when a process failed or another
    bulk issue is at work in the directory. SIGINT and SIGTERM end it after the chunk that it is at, by
    KeyboardInterrupt; a second one at once. All that was issued until then is kept, and the same call goes on from
    there.
    """
    with alone_in(job.out), stopping() as stop:
        parts = open_parts(directory, passphrase=passphrase)
        authority = assemble(parts)
        try:
            authority.issuer().unlock()
            if jobs == 1:
                return _here(authority, job, progress, stop)
        finally:
            # No connection to the store may cross a fork; the keys do, unlocked once.
            parts.store.close()
        return _in_processes(directory, authority, _shares(job, jobs), progress, stop)


def _here(authority: Authority, job: BulkJob, progress: Progress, stop: Stop) -> BulkReport:
    total = BulkReport()
    for report in issue_rows(authority, job):
        total.add(report)
        progress(total)
        if stop.is_asked and total.done < len(job.rows):
            raise KeyboardInterrupt
    return total


def _shares(job: BulkJob, jobs: int) -> list[BulkJob]:
    edges = [len(job.rows) * number // jobs for number in range(jobs + 1)]
    pairs = itertools.pairwise(edges)
    return [replace(job, rows=job.rows[first:last]) for first, last in pairs if first < last]


def _in_processes(
    directory: Path, authority: Authority, shares: list[BulkJob], progress: Progress, stop: Stop
) -> BulkReport:
    context = multiprocessing.get_context("fork")
    total = BulkReport()
    ends: list[Connection] = []
    children: list[ForkProcess] = []
    try:
        for share in shares:
            ours, theirs = context.Pipe(duplex=False)
            ends.append(ours)
            work = _Work(directory, authority, share, theirs, stop, tuple(ends))
            child = context.Process(target=work.run, daemon=True)
            child.start()
            theirs.close()
            children.append(child)
        _listen(ends, children, total, progress, stop)
    finally:
        # Each ends after the chunk that it is at; one that would say something finds nobody listening.
        _terminate(children)
        for end in ends:
            end.close()
        for child in children:
            child.join()
    if total.done < sum(len(share.rows) for share in shares):
        if stop.is_asked:
            raise KeyboardInterrupt
        raise Unavailable("a process of the bulk issue was ended", hint="run the same command again: it goes on")
    return total


def _listen(
    ends: list[Connection], children: list[ForkProcess], total: BulkReport, progress: Progress, stop: Stop
) -> None:
    open_ends = list(ends)
    while open_ends:
        for end in wait(open_ends, _GLANCE):
            _receive(end, open_ends, total)  # type: ignore[arg-type]  # they are what was given
            progress(total)
        if stop.is_asked:
            _terminate(children)


def _terminate(children: list[ForkProcess]) -> None:
    for child in children:
        child.terminate()


def _receive(end: Connection, open_ends: list[Connection], total: BulkReport) -> None:
    try:
        message = end.recv()
    except EOFError:
        open_ends.remove(end)
        return
    if isinstance(message, _Failure):
        raise Unavailable(message.message, hint=f"{message.hint}; then run the same command again: it goes on")
    total.add(message)


@dataclass(frozen=True, slots=True)
class _Work:
    """One process. inherited: the ends of all pipes on which the parent listens. A closed pipe ends it."""

    directory: Path
    authority: Authority
    share: BulkJob
    end: Connection
    stop: Stop
    inherited: tuple[Connection, ...]

    def run(self) -> None:
        # At a terminal, Ctrl-C reaches every process: only the parent answers it, and says so to the others.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: setattr(self.stop, "is_asked", True))
        for one in self.inherited:
            one.close()
        try:
            self._issue()
        except BrokenPipeError:
            return
        finally:
            self.end.close()

    def _issue(self) -> None:
        try:
            parts = open_parts(self.directory, passphrase=lambda name: None)
            for report in issue_rows(replace(self.authority, store=parts.store), self.share):
                self.end.send(report)
                if self.stop.is_asked:
                    break
            parts.store.close()
        except HandfastError as error:
            self.end.send(_Failure(error.message, error.hint))
