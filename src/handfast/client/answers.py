"""OCSP answers of a service, verified, as files for a static web server: never an older word over a newer one."""

import base64
import queue
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from handfast.ca.answering import OCSP_LIFETIME, PROFILE, Standing, standing_of
from handfast.ca.policy import RequesterRole
from handfast.ca.records import CertificateRecord, State
from handfast.ca.statuses import Status
from handfast.client import documents
from handfast.client.api import Api
from handfast.client.desk import KnownIssuer
from handfast.client.documents import read
from handfast.client.genuine import HINT, Judge, judge_of
from handfast.client.static_files import (
    ANSWERS,
    ENTERED,
    Answers,
    is_later,
    may_stay,
    remove_ended,
    replace_answer,
    said,
)
from handfast.errors import Denied, Malformed
from handfast.keys.files import alone_in, make_directory
from handfast.pki.ocsp import IssuerKey, issuer_keys
from handfast.pki.ocsp_response import CertStatus
from handfast.protocols.ocsp import file_name

_PAGE = 200
# What the service signs in one request: some hundredths of a second of its work.
_BATCH = 100
# One is signed there while another is verified and written here.
_AT_ONCE = 3
_REPORT_EVERY = 1000
Item = TypeVar("Item")
Result = TypeVar("Result")
Clock = Callable[[], datetime]
Report = Callable[[str, str], None]


def fetch_answers(
    api: Api, issuers: Sequence[KnownIssuer], directory: Path, *, clock: Clock, report: Report
) -> list[Answers]:
    """Write an answer for each certificate that is alive, where the one there says another thing or is half over.

    Who asks must be allowed to list all certificates. Raises Denied, Malformed, ConfigError, Unavailable.
    """
    _require_all_seen(api)
    folder = make_directory(directory / ANSWERS, mode=ENTERED)
    now = clock()
    with alone_in(folder), _apis(api) as apis, ThreadPoolExecutor(_AT_ONCE + 1) as pool:
        revoked = frozenset(one.serial for one in _pages(api, pool, profile=PROFILE, state=State.REVOKED.value))
        works = {one.name: _Work(apis, one, folder, clock, revoked) for one in issuers}
        batches = _batches(_alive(_pages(api, pool), now), works, report)
        for work, written in _mapped(pool, _seen_to, batches):
            work.written += written
        remove_ended(folder, now, OCSP_LIFETIME)
    return [one.answers() for one in works.values()]


@contextmanager
def _apis(api: Api) -> Iterator["queue.SimpleQueue[Api]"]:
    """Connections for answers, beside the one for the list."""
    apis: queue.SimpleQueue[Api] = queue.SimpleQueue()
    made = [api.another() for _ in range(_AT_ONCE)]
    for one in made:
        apis.put(one)
    try:
        yield apis
    finally:
        for one in made:
            one.close()


def _mapped(pool: ThreadPoolExecutor, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """What the function makes of each, in their order; an item is taken when the pool has little to do."""
    running: deque[Future[Result]] = deque()
    for item in items:
        if len(running) == 2 * _AT_ONCE:
            yield running.popleft().result()
        running.append(pool.submit(function, item))
    while running:
        yield running.popleft().result()


def _require_all_seen(api: Api) -> None:
    """Who sees only certificates of their own would leave out the others without a word. Raises Denied."""
    kind = read(api.get("caller"), lambda it: str(it["kind"]))
    if kind not in {role.value for role in RequesterRole} - {RequesterRole.REQUESTER.value}:
        hint = "ask by somebody with the role auditor; or leave the answers out: --no-ocsp"
        raise Denied(f"a {kind} does not see all certificates, for which OCSP answers are published", hint=hint)


@dataclass(slots=True)
class _Work:
    """The answers of one issuer. looked_at, written: how many so far. is_lacking: the service cannot sign them."""

    apis: "queue.SimpleQueue[Api]"
    issuer: KnownIssuer
    folder: Path
    clock: Clock
    revoked: frozenset[int]
    looked_at: int = 0
    written: int = 0
    is_lacking: bool = False
    due: list[Standing] = field(default_factory=list)
    named: IssuerKey = field(init=False)
    judge: Judge = field(init=False)

    def __post_init__(self) -> None:
        certificate = self.issuer.certificate
        self.named = issuer_keys(certificate.subject, certificate.public_key())[0]
        self.judge = judge_of(self.issuer.name, certificate, self.clock, self.revoked)

    def look_at(self, record: CertificateRecord) -> None:
        """It is due when the answer that is there may not stay."""
        self.looked_at += 1
        one = standing_of(self.named, record.serial, _status(record))
        path = self.folder / file_name(one.request)
        if not self.is_lacking and not may_stay(path, one, self.clock(), stands=self._stands):
            self.due.append(one)

    def taken(self) -> list[Standing]:
        """Those that are due, which are somebody else's care now."""
        due, self.due = self.due, []
        return due

    def fetch(self, due: Sequence[Standing]) -> int:
        """Write answers that say how they stand; how many. Raises Malformed, ConfigError, Unavailable."""
        api = self.apis.get()
        try:
            found = self._asked(api, [one.identifier.serial for one in due])
            if found is None:
                self.is_lacking = True
                return 0
            return sum(self._is_written(api, one, data) for one, data in zip(due, found, strict=True))
        finally:
            self.apis.put(api)

    def answers(self) -> Answers:
        """What was done."""
        return Answers(self.issuer.name, self.looked_at, self.written, lacking=self.is_lacking)

    def _asked(self, api: Api, serials: Sequence[int]) -> list[bytes] | None:
        body = {"serials": [f"{serial:x}" for serial in serials]}
        document = api.post("issuers", self.issuer.name, "ocsp", body=body, again=True)

        def parse(it: documents.Document) -> list[bytes] | None:
            if it["answers"] is None:
                return None
            answers = [base64.b64decode(one, validate=True) for one in it["answers"]]
            if len(answers) != len(serials):
                raise ValueError("it has not one answer for each serial")
            return answers

        return read(document, parse)

    def _is_written(self, api: Api, one: Standing, data: bytes) -> bool:
        answer, name = self.judge.answer(data, one.identifier.serial), file_name(one.request)
        # An old answer says what was; but it may have been revoked, held or released since it was listed.
        if said(answer) != one.status and said(answer) != self._status_now(api, one.identifier.serial):
            raise Malformed("an OCSP answer does not say what the service's own records say", hint=HINT)
        if is_later(self.folder / name, one, answer.this_update_utc, stands=self._stands):
            return False
        replace_answer(self.folder, name, data)
        return True

    def _status_now(self, api: Api, serial: int) -> CertStatus:
        record = read(api.get("certificates", f"{serial:x}"), documents.record)
        return standing_of(self.named, serial, _status(record)).status

    def _stands(self, serial: int) -> bool:
        return serial not in self.revoked


def _batches(
    records: Iterable[CertificateRecord], works: Mapping[str, _Work], report: Report
) -> Iterator[tuple[_Work, list[Standing]]]:
    """Those that are due, so many at once as are asked about in one request."""
    for record in records:
        work = works.get(record.issuer)
        if work is None:
            continue
        work.look_at(record)
        if work.looked_at % _REPORT_EVERY == 0:
            report(f"OCSP answers of {record.issuer}", f"{work.looked_at:,} looked at, {work.written:,} written")
        if len(work.due) == _BATCH:
            yield work, work.taken()
    for work in works.values():
        if work.due:
            yield work, work.taken()


def _seen_to(batch: tuple[_Work, list[Standing]]) -> tuple[_Work, int]:
    work, due = batch
    return work, work.fetch(due)


def _status(record: CertificateRecord) -> Status:
    revocation = record.revocation
    if revocation is None:
        return Status(is_issued=True)
    return Status(True, revocation.revoked_at, revocation.reason)


def _alive(records: Iterable[CertificateRecord], now: datetime) -> Iterator[CertificateRecord]:
    for record in records:
        if record.not_after >= now and record.state(now) is not State.UNFINISHED:
            yield record


def _pages(api: Api, pool: ThreadPoolExecutor, **query: object) -> Iterator[CertificateRecord]:
    """All certificates; while those of one page are looked at, the next one is on its way."""
    coming = pool.submit(partial(api.get, "certificates", limit=_PAGE, **query))
    while True:
        page = coming.result()
        cursor = page.get("cursor")
        if cursor is not None:
            coming = pool.submit(partial(api.get, "certificates", cursor=cursor, limit=_PAGE, **query))
        yield from read(page, lambda it: [*map(documents.record, it["certificates"])])
        if cursor is None:
            return
