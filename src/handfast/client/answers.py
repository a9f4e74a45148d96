"""OCSP answers of a service, verified, as files for a static web server: never an older word over a newer one."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography.x509 import ocsp as library

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
from handfast.pki.ocsp_response import CertStatus, OcspRefusal, build_refusal
from handfast.protocols.ocsp import PATH, file_name

_PAGE = 200
_REPORT_EVERY = 1000
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
    with alone_in(folder):
        revoked = frozenset(one.serial for one in _pages(api, profile=PROFILE, state=State.REVOKED.value))
        works = {one.name: _Work(api, one, folder, clock, revoked) for one in issuers}
        for record in _alive(api, now):
            if record.issuer in works:
                works[record.issuer].see_to(record, report)
        remove_ended(folder, now, OCSP_LIFETIME)
    return [one.answers() for one in works.values()]


def _require_all_seen(api: Api) -> None:
    """Who sees only certificates of their own would leave out the others without a word. Raises Denied."""
    kind = read(api.get("caller"), lambda it: str(it["kind"]))
    if kind not in {role.value for role in RequesterRole} - {RequesterRole.REQUESTER.value}:
        hint = "ask by somebody with the role auditor; or leave the answers out: --no-ocsp"
        raise Denied(f"a {kind} does not see all certificates, for which OCSP answers are published", hint=hint)


@dataclass(slots=True)
class _Work:
    """The answers of one issuer. looked_at, written: how many so far. is_lacking: the service cannot sign them."""

    api: Api
    issuer: KnownIssuer
    folder: Path
    clock: Clock
    revoked: frozenset[int]
    looked_at: int = 0
    written: int = 0
    is_lacking: bool = False
    named: IssuerKey = field(init=False)
    judge: Judge = field(init=False)

    def __post_init__(self) -> None:
        certificate = self.issuer.certificate
        self.named = issuer_keys(certificate.subject, certificate.public_key())[0]
        self.judge = judge_of(self.issuer.name, certificate, self.clock, self.revoked)

    def see_to(self, record: CertificateRecord, report: Report) -> None:
        """Let there be an answer that says how it stands. Raises Malformed, ConfigError, Unavailable."""
        self.looked_at += 1
        if self.looked_at % _REPORT_EVERY == 0:
            report(f"OCSP answers of {self.issuer.name}", f"{self.looked_at:,} looked at, {self.written:,} written")
        one = standing_of(self.named, record.serial, _status(record))
        name = file_name(one.request)
        if self.is_lacking or may_stay(self.folder / name, one, self.clock(), stands=self._stands):
            return
        data = self.api.fetch(PATH, one.request, "application/ocsp-request")
        if data == build_refusal(OcspRefusal.UNAUTHORIZED):
            self.is_lacking = True
            return
        answer = self._consistent(data, one)
        if not is_later(self.folder / name, one, answer.this_update_utc, stands=self._stands):
            replace_answer(self.folder, name, data)
            self.written += 1

    def answers(self) -> Answers:
        """What was done."""
        return Answers(self.issuer.name, self.looked_at, self.written, lacking=self.is_lacking)

    def _consistent(self, data: bytes, one: Standing) -> library.OCSPResponse:
        """The answer, if it says of the certificate what the service's records say: an old one says what was.

        Raises Malformed.
        """
        answer = self.judge.answer(data, one.identifier.serial)
        if said(answer) != one.status and said(answer) != self._status_now(one.identifier.serial):
            raise Malformed("an OCSP answer does not say what the service's own records say", hint=HINT)
        return answer

    def _status_now(self, serial: int) -> CertStatus:
        """It may have been revoked, held or released since it was listed."""
        record = read(self.api.get("certificates", f"{serial:x}"), documents.record)
        return standing_of(self.named, serial, _status(record)).status

    def _stands(self, serial: int) -> bool:
        return serial not in self.revoked


def _status(record: CertificateRecord) -> Status:
    revocation = record.revocation
    if revocation is None:
        return Status(is_issued=True)
    return Status(True, revocation.revoked_at, revocation.reason)


def _alive(api: Api, now: datetime) -> Iterator[CertificateRecord]:
    for record in _pages(api):
        if record.not_after >= now and record.state(now) is not State.UNFINISHED:
            yield record


def _pages(api: Api, **query: object) -> Iterator[CertificateRecord]:
    cursor = None
    while True:
        page = api.get("certificates", cursor=cursor, limit=_PAGE, **query)
        yield from read(page, lambda it: [*map(documents.record, it["certificates"])])
        cursor = page.get("cursor")
        if cursor is None:
            return
