"""What a service publishes, fetched and verified for a static web server: never an older list over a newer one."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp as library
from cryptography.x509.oid import ExtendedKeyUsageOID

from handfast.ca.answering import OCSP_LIFETIME, PROFILE, Standing, standing_of
from handfast.ca.policy import RequesterRole
from handfast.ca.records import CertificateRecord, State
from handfast.ca.statuses import Status
from handfast.client import documents
from handfast.client.api import Api, path_of
from handfast.client.desk import KnownIssuer
from handfast.client.documents import read
from handfast.client.static_files import (
    ANSWERS,
    CERTIFICATES,
    CRLS,
    ENTERED,
    Answers,
    StaticFile,
    may_stay,
    number_in,
    remove_ended,
    replace_answer,
    replaced,
)
from handfast.errors import Denied, Malformed
from handfast.keys.files import PUBLIC, alone_in, make_directory, write_atomically
from handfast.pki.crl import number_of, parse_crl
from handfast.pki.ocsp import issuer_keys
from handfast.protocols.crl import chain_of
from handfast.protocols.ocsp import PATH, file_name
from handfast.validate.revocation import load_response
from handfast.validate.revocation.responder import signed_response

_PAGE = 200
_REPORT_EVERY = 1000
_WHY = "look whether the address is right, and who is between here and the service"
Report = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Listed:
    """One list that the service has. is_late: it ends soon, and there is no newer one."""

    file: str
    issuer: str
    number: int
    is_late: bool


def listed(api: Api) -> tuple[Listed, ...]:
    """All of them."""

    def parse(document: documents.Document) -> tuple[Listed, ...]:
        return tuple(
            Listed(_file_name(one["file"]), one["issuer"], int(one["number"]), bool(one["is_late"]))
            for one in document["publications"]
        )

    return read(api.get("publications"), parse)


def fetch_files(api: Api, issuers: Sequence[KnownIssuer], lists: Sequence[Listed], directory: Path) -> list[StaticFile]:
    """Write the certificates of the CAs, and the lists that are newer than those that are there.

    Each list is verified by the key of its CA. Raises Malformed, ConfigError, Unavailable.
    """
    for name in (CRLS, CERTIFICATES):
        make_directory(directory / name, mode=ENTERED)
    with alone_in(directory):
        files = []
        for one in issuers:
            path = directory / CERTIFICATES / _file_name(one.name)
            files.append(replaced(path.with_name(f"{one.name}.cer"), one.certificate.public_bytes(Encoding.DER)))
            files.append(replaced(path.with_name(f"{one.name}.p7c"), chain_of((one.certificate, *one.chain))))
        known = {one.name: one.certificate for one in issuers}
        return files + [_newest(api, one, known, directory / CRLS / one.file) for one in lists if one.issuer in known]


def fetch_answers(
    api: Api, issuers: Sequence[KnownIssuer], directory: Path, *, now: datetime, report: Report
) -> list[Answers]:
    """Write an answer for each certificate that is alive, where the one there says another thing or is half over.

    Who asks must be allowed to list all certificates. Raises Denied, Malformed, ConfigError, Unavailable.
    """
    _require_all_seen(api)
    folder = make_directory(directory / ANSWERS, mode=ENTERED)
    counts = {one.name: [0, 0] for one in issuers}
    known = {one.name: one.certificate for one in issuers}
    named = {one.name: issuer_keys(one.certificate.subject, one.certificate.public_key())[0] for one in issuers}
    with alone_in(folder):
        revoked = {one.serial for one in _pages(api, profile=PROFILE, state=State.REVOKED.value)}
        for record in _alive(api, now):
            if record.issuer not in known:
                continue
            counted = counts[record.issuer]
            counted[0] += 1
            if counted[0] % _REPORT_EVERY == 0:
                report(f"OCSP answers of {record.issuer}", f"{counted[0]:,} looked at, {counted[1]:,} written")
            one = standing_of(named[record.issuer], record.serial, _status(record))
            name = file_name(one.request)
            if not may_stay(folder / name, one, now, stands=lambda serial: serial not in revoked):
                replace_answer(folder, name, _answer(api, one, known[record.issuer], now))
                counted[1] += 1
        remove_ended(folder, now, OCSP_LIFETIME)
    return [Answers(name, count, written) for name, (count, written) in counts.items()]


def _require_all_seen(api: Api) -> None:
    """Who sees only certificates of their own would leave out the others without a word. Raises Denied."""
    kind = read(api.get("caller"), lambda it: str(it["kind"]))
    if kind not in {role.value for role in RequesterRole} - {RequesterRole.REQUESTER.value}:
        hint = "ask by somebody with the role auditor; or leave the answers out: --no-ocsp"
        raise Denied(f"a {kind} does not see all certificates, for which OCSP answers are published", hint=hint)


def _newest(api: Api, one: Listed, known: dict[str, x509.Certificate], path: Path) -> StaticFile:
    there = number_in(path)
    if there >= one.number:
        return StaticFile(path, there, is_new=False)
    data = api.fetch(path_of(CRLS, one.file))
    crl, number = parse_crl(data, one.file), number_of(data)
    issuer = known[one.issuer]
    if crl.issuer != issuer.subject or not crl.is_signature_valid(issuer.public_key()):  # type: ignore[arg-type]  # any key that a CA has
        raise Malformed(f"the list {one.file} is not signed by {one.issuer}", hint=_WHY)
    if number <= there:
        return StaticFile(path, there, is_new=False)
    write_atomically(path, data, mode=PUBLIC)
    return StaticFile(path, number, is_new=True)


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


def _status(record: CertificateRecord) -> Status:
    revocation = record.revocation
    if revocation is None:
        return Status(is_issued=True)
    return Status(True, revocation.revoked_at, revocation.reason)


def _answer(api: Api, one: Standing, issuer: x509.Certificate, now: datetime) -> bytes:
    """The service's answer, if it is about this certificate and signed by who may. Raises Malformed."""
    data = api.fetch(PATH, one.request, "application/ocsp-request")
    answer = load_response(data, source="the answer of the service")
    if not _is_about(answer, one) or not _is_genuine(answer, data, issuer, now):
        raise Malformed("an OCSP answer is about another certificate, or not signed by who may", hint=_WHY)
    return data


def _is_about(answer: library.OCSPResponse, one: Standing) -> bool:
    if answer.response_status is not library.OCSPResponseStatus.SUCCESSFUL:
        return False
    asked = library.load_der_ocsp_request(one.request)
    same_issuer = answer.issuer_key_hash == asked.issuer_key_hash and answer.issuer_name_hash == asked.issuer_name_hash
    return same_issuer and answer.serial_number == one.identifier.serial


def _is_genuine(answer: library.OCSPResponse, data: bytes, issuer: x509.Certificate, now: datetime) -> bool:
    if answer.next_update_utc is None or answer.next_update_utc <= now - timedelta(minutes=5):
        return False
    for signer in answer.certificates:
        try:
            signer.verify_directly_issued_by(issuer)
            usages = signer.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
            continue
        if ExtendedKeyUsageOID.OCSP_SIGNING in usages:
            return signed_response(answer, data).is_by(signer.public_key())
    return signed_response(answer, data).is_by(issuer.public_key())


def _file_name(text: str) -> str:
    """A name that stays in its folder, whatever the service says. Raises ValueError."""
    if not text or text.startswith(".") or "/" in text or not text.isprintable():
        raise ValueError(f"{text!r} is no name of a file")
    return text
