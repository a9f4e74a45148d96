"""Bulk issue at a service: keys are made here, requests go there, many at once; no row gets two certificates."""

import queue
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from cryptography.exceptions import InvalidSignature

from handfast.ca.bulk import Row, order_of
from handfast.ca.order import Issued
from handfast.ca.records import BatchRow, Pending
from handfast.client.batch import CERTIFICATE, BulkJob, BulkReport, alone_in, refusal
from handfast.client.desk import Desk, KnownIssuer, Wish
from handfast.client.stopping import Stop, stopping
from handfast.errors import ConfigError, Denied, Malformed, RateLimited, RequestError, Unauthenticated, Unavailable
from handfast.keys.files import PUBLIC, sweep, sync, write_atomically
from handfast.pki.csr import proof_of
from handfast.pki.keys import PrivateKey
from handfast.pki.nearest import nearest
from handfast.pki.pem import certificates, to_pem
from handfast.pki.profile import Profile

# So many keys are on the disk before any of their requests is sent.
CHUNK = 256
# A service that restarts is back within half a minute.
# One that was killed leaves a row that it had begun in doubt for as long again.
_PATIENCE = timedelta(seconds=75)
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=0.5), timedelta(seconds=10)
_GLANCE = 0.2
_SAME_TIME = 1.0
Progress = Callable[[BulkReport], None]
Waiting = Callable[[timedelta], None]


def run_bulk(desks: Sequence[Desk], job: BulkJob, *, progress: Progress, waiting: Waiting) -> BulkReport:
    """Issue all rows, as many at once as there are desks; progress gets the sum after each row.

    waiting: told when the service's limit is reached, and how long until the next try. Raises Unavailable when the
    service is away for long or another bulk issue is at work in the directory, Unauthenticated, and what the service
    cannot be understood in. SIGINT and SIGTERM end it after the requests that are on their way, by KeyboardInterrupt.
    The same call goes on where it ended: no row gets a second certificate.
    """
    total = BulkReport()
    with alone_in(job.out), stopping() as stop:
        batch = _Batch(job, desks[0].profile_map(), desks[0].known_issuers(), stop, waiting)
        for one in batch.reports(desks):
            total.add(one)
            progress(total)
        if stop.is_asked and total.done < len(job.rows):
            raise KeyboardInterrupt
    return total


@dataclass(slots=True)
class _Batch:
    """resumes_at: the time, by time.monotonic(), before which nobody asks: the service said so."""

    job: BulkJob
    profiles: Mapping[str, Profile]
    issuers: Sequence[KnownIssuer]
    stop: Stop
    waiting: Waiting
    resumes_at: float = 0.0
    free: "queue.SimpleQueue[Desk]" = field(default_factory=queue.SimpleQueue)

    def reports(self, desks: Sequence[Desk]) -> Iterator[BulkReport]:
        """One for each row that was seen to."""
        for desk in desks:
            self.free.put(desk)
        with ThreadPoolExecutor(len(desks)) as pool:
            for start in range(0, len(self.job.rows), CHUNK):
                rows = self.job.rows[start : start + CHUNK]
                if self.stop.is_asked:
                    return
                done = list(pool.map(self._is_done, rows))
                yield from (BulkReport(already=1) for is_done in done if is_done)
                wanted = [row for row, is_done in zip(rows, done, strict=True) if not is_done]
                keys = list(pool.map(self.job.key_of, wanted))
                if wanted:
                    # A certificate on record has its key, whatever happens.
                    sync(self.job.out)
                yield from (one for one in pool.map(self._report, wanted, keys) if one is not None)

    def _is_done(self, row: Row) -> bool:
        """Whether the certificate is there, of this service. What a killed run left half-written goes."""
        folder = self.job.out / row.name
        if not folder.is_dir():
            return False
        sweep(folder)
        path = folder / CERTIFICATE
        return path.exists() and self._is_ours(path)

    def _is_ours(self, path: Path) -> bool:
        leaf = certificates(path.read_bytes(), str(path))[0]
        for issuer in self.issuers:
            try:
                leaf.verify_directly_issued_by(issuer.certificate)
            except (ValueError, TypeError, InvalidSignature):
                continue
            return True
        hint = "choose another directory with --out"
        raise ConfigError(f"{path} is of another authority than the service", hint=hint)

    def _report(self, row: Row, key: PrivateKey) -> BulkReport | None:
        """None when somebody asked to stop before this row was asked for."""
        try:
            answer = self._ask(self._wish(row, key))
        except (Unauthenticated, Unavailable):
            raise
        except (RequestError, ConfigError) as error:
            return BulkReport(refused=[refusal(row, error)])
        if answer is None:
            return None
        if isinstance(answer, Pending):
            hint = f"run the same command again once others agreed: handfast approvals approve {answer.transaction}"
            return BulkReport(refused=[refusal(row, Denied("it waits for approval", hint=hint))])
        if answer.certificate.public_key() != key.public_key():
            raise Malformed("the service answers with a certificate for another key", hint="tell whoever runs it")
        text = "".join(map(to_pem, (answer.certificate, *answer.chain)))
        write_atomically(self.job.out / row.name / CERTIFICATE, text, mode=PUBLIC)
        return BulkReport(issued=1)

    def _wish(self, row: Row, key: PrivateKey) -> Wish:
        name = row.profile or self.job.profile
        if name not in self.profiles:
            raise ConfigError(f"there is no profile {name!r}", hint=nearest(name, self.profiles))
        order = order_of(row, self.profiles[name], public_key=key.public_key(), batch=self.job.batch)
        return Wish(
            profile=order.profile,
            request=proof_of(key),
            subject=order.subject,
            names=order.names,
            lifetime=order.lifetime,
            row=BatchRow(self.job.batch, row.name),
        )

    def _ask(self, wish: Wish) -> Issued | Pending | None:
        """Ask until there is an answer: as often as the service says that it has had enough, and for a while when it
        is away. None when somebody asked to stop. Raises Unavailable, and what the service refuses with."""
        desk, away, since = self.free.get(), 0, 0.0
        try:
            while self._may_ask():
                try:
                    return desk.issue(wish)
                except RateLimited as limited:
                    if self._hold_off(limited.retry_after):
                        self.waiting(limited.retry_after)
                except Unavailable as error:
                    away, now = away + 1, time.monotonic()
                    since = since or now
                    if now - since > _PATIENCE.total_seconds():
                        hint = f"{error.hint}; then run the same command again: it goes on"
                        raise Unavailable(error.message, hint=hint) from None
                    self._hold_off(error.retry_after or min(_FIRST_PAUSE * 2**away, _LONGEST_PAUSE))
            return None
        finally:
            self.free.put(desk)

    def _hold_off(self, length: timedelta) -> bool:
        """Nobody asks for so long. False when another row, refused at the same time, said so already."""
        until = time.monotonic() + length.total_seconds()
        is_news = until > self.resumes_at + _SAME_TIME
        self.resumes_at = max(self.resumes_at, until)
        return is_news

    def _may_ask(self) -> bool:
        while not self.stop.is_asked and (rest := self.resumes_at - time.monotonic()) > 0:
            time.sleep(min(rest, _GLANCE))
        return not self.stop.is_asked
