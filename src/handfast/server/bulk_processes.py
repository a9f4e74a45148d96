"""Bulk issue on several cores: a process for each, which opens the store for itself and has its share of the rows."""

import itertools
import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from pathlib import Path

from handfast.ca.authority import Authority
from handfast.errors import HandfastError, Unavailable
from handfast.keys.passphrase import PassphraseSource
from handfast.server.assembly import assemble, open_parts
from handfast.server.bulk import BulkJob, BulkReport, issue_rows

Progress = Callable[[BulkReport], None]


@dataclass(frozen=True, slots=True)
class _Failure:
    message: str
    hint: str


def run_bulk(
    directory: Path, job: BulkJob, *, jobs: int, passphrase: PassphraseSource, progress: Progress
) -> BulkReport:
    """Issue all rows; progress gets the sum after each chunk.

    jobs: how many processes. Raises what opening an authority raises, and Unavailable when a process failed; all that
    was issued until then is kept, and the same call goes on from there.
    """
    parts = open_parts(directory, passphrase=passphrase)
    authority = assemble(parts)
    total = BulkReport()
    try:
        authority.issuer().unlock()
        if jobs == 1:
            for report in issue_rows(authority, job):
                total.add(report)
                progress(total)
            return total
    finally:
        # No connection to the store may cross a fork; the keys do, unlocked once.
        parts.store.close()
    return _in_processes(directory, authority, _shares(job, jobs), progress)


def _shares(job: BulkJob, jobs: int) -> list[BulkJob]:
    edges = [len(job.rows) * number // jobs for number in range(jobs + 1)]
    pairs = itertools.pairwise(edges)
    return [replace(job, rows=job.rows[first:last]) for first, last in pairs if first < last]


def _in_processes(directory: Path, authority: Authority, shares: list[BulkJob], progress: Progress) -> BulkReport:
    context = multiprocessing.get_context("fork")
    total = BulkReport()
    open_ends: list[Connection] = []
    children: list[ForkProcess] = []
    try:
        for share in shares:
            ours, theirs = context.Pipe(duplex=False)
            child = context.Process(target=_work, args=(directory, authority, share, theirs), daemon=True)
            child.start()
            theirs.close()
            open_ends.append(ours)
            children.append(child)
        while open_ends:
            for end in wait(open_ends):
                _receive(end, open_ends, total)  # type: ignore[arg-type]  # they are what was given
                progress(total)
    finally:
        for child in children:
            child.terminate()
            child.join()
    if total.done < sum(len(share.rows) for share in shares):
        raise Unavailable("a process of the bulk issue was ended", hint="run the same command again: it goes on")
    return total


def _receive(end: Connection, open_ends: list[Connection], total: BulkReport) -> None:
    try:
        message = end.recv()
    except EOFError:
        open_ends.remove(end)
        return
    if isinstance(message, _Failure):
        raise Unavailable(message.message, hint=f"{message.hint}; then run the same command again: it goes on")
    total.add(message)


def _work(directory: Path, authority: Authority, share: BulkJob, end: Connection) -> None:
    """One process. A closed pipe ends it: nobody waits for it any more."""
    try:
        parts = open_parts(directory, passphrase=lambda name: None)
        for report in issue_rows(replace(authority, store=parts.store), share):
            end.send(report)
        parts.store.close()
    except HandfastError as error:
        end.send(_Failure(error.message, error.hint))
    except BrokenPipeError:
        return
    finally:
        end.close()
