"""Examine, fetch what was lacking, examine again: against a real server on loopback, and within its bounds."""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509 import ocsp

from handfast.client.addresses import EgressPolicy
from handfast.client.fetch import Fetcher
from handfast.client.inquiry import FETCHES, Case, inquire
from handfast.pki.crl import CrlHeader, RevokedEntry, build_crl
from handfast.pki.issuer_identity import PublicationUrls
from handfast.validate import Policy, trust
from handfast.validate.revocation import RevocationMode, RevocationPolicy, Status
from tests.loopback_http import Answer, Server, body, http_server
from tests.pki_factory import Authority, new_authority

HOUR = timedelta(hours=1)
LEAF = RevocationPolicy(mode=RevocationMode.REQUIRE, leaf_only=True)
FETCHER = Fetcher(EgressPolicy(allowed=(ipaddress.ip_network("127.0.0.0/8"),), timeout=20))


@dataclass(frozen=True)
class World:
    """An authority whose URLs lead to the server."""

    server: Server
    authority: Authority
    alice: x509.Certificate
    now: datetime

    def case(self, policy: RevocationPolicy = LEAF, *, with_issuer: bool = True) -> Case:
        sent = (self.authority.issuing,) if with_issuer else ()
        return Case(self.alice, trust([self.authority.root]), Policy(revocation=policy), self.now, sent)

    def crl(self, *serials: int) -> bytes:
        header = CrlHeader(number=1, this_update=self.now - HOUR, next_update=self.now + HOUR)
        entries = [RevokedEntry(serial, self.now - HOUR, None) for serial in serials]
        return build_crl(entries, header, issuer=self.authority.issuer, key=self.authority.key)


@pytest.fixture(scope="module")
def running() -> Iterator[World]:
    now = datetime.now(UTC)
    with http_server() as server:
        urls = PublicationUrls((f"{server.url}/crl",), (f"{server.url}/ocsp",), (f"{server.url}/cer",))
        authority = new_authority(now=now - 2 * HOUR, urls=urls)
        yield World(server, authority, authority.issue(names=["alice@example.com"]), now)


@pytest.fixture
def world(running: World) -> World:
    running.server.answers.clear()
    running.server.asked.clear()
    return running


def responder(world: World, status: ocsp.OCSPCertStatus) -> Answer:
    """Answers each request as the issuing CA would."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        request = ocsp.load_der_ocsp_request(handler.rfile.read(int(handler.headers["Content-Length"])))
        assert request.serial_number == world.alice.serial_number
        moment = datetime.now(UTC)
        builder = ocsp.OCSPResponseBuilder().add_response(
            cert=world.alice, issuer=world.authority.issuing, algorithm=hashes.SHA256(), cert_status=status,
            this_update=moment, next_update=moment + HOUR,
            revocation_time=moment - HOUR if status is ocsp.OCSPCertStatus.REVOKED else None, revocation_reason=None,
        )  # fmt: skip
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, world.authority.issuing)
        made = builder.sign(world.authority.key, hashes.SHA256())
        body(made.public_bytes(Encoding.DER))(handler)

    return answer


@pytest.mark.parametrize(
    ("status", "found"),
    [(ocsp.OCSPCertStatus.GOOD, Status.GOOD), (ocsp.OCSPCertStatus.REVOKED, Status.REVOKED)],
)
def test_the_responder_is_asked_first(world: World, status: ocsp.OCSPCertStatus, found: Status) -> None:
    world.server.answers["/ocsp"] = responder(world, status)
    report = inquire(world.case(), FETCHER).report
    assert report.revocation[0].status is found
    assert report.is_acceptable == (found is Status.GOOD)
    assert world.server.asked == ["/ocsp"]


@pytest.mark.parametrize("is_revoked", [False, True])
def test_a_list_is_fetched_where_no_responder_answers(world: World, is_revoked: bool) -> None:
    world.server.answers["/crl"] = body(world.crl(*([world.alice.serial_number] if is_revoked else [])))
    inquiry = inquire(world.case(), FETCHER)
    assert inquiry.report.is_acceptable != is_revoked
    assert world.server.asked == ["/ocsp", "/crl"]
    assert [attempt.error is None for attempt in inquiry.attempts] == [False, True]


@pytest.mark.parametrize("form", ["DER", "PEM", "PKCS#7"])
def test_a_missing_issuer_is_fetched_whatever_form_it_is_served_in(world: World, form: str) -> None:
    issuing = world.authority.issuing
    served = {
        "DER": issuing.public_bytes(Encoding.DER),
        "PEM": issuing.public_bytes(Encoding.PEM),
        "PKCS#7": pkcs7.serialize_certificates([issuing], Encoding.DER),
    }[form]
    world.server.answers["/cer"] = body(served)
    none = RevocationPolicy(mode=RevocationMode.NONE)
    assert inquire(world.case(none, with_issuer=False), FETCHER).report.is_acceptable
    assert world.server.asked == ["/cer"]


def test_what_is_served_in_its_place_is_said_and_does_no_harm(world: World) -> None:
    world.server.answers |= {path: body(b"<html>gone</html>") for path in ("/cer", "/crl", "/ocsp")}
    inquiry = inquire(world.case(with_issuer=False), FETCHER)
    assert not inquiry.report.is_acceptable
    assert all(attempt.error for attempt in inquiry.attempts)
    assert len(world.server.asked) == len(set(world.server.asked))


def test_a_forged_list_is_as_good_as_none(world: World) -> None:
    other = new_authority(now=world.now - 2 * HOUR)
    header = CrlHeader(number=9, this_update=world.now - HOUR, next_update=world.now + HOUR)
    world.server.answers["/crl"] = body(build_crl([], header, issuer=other.issuer, key=other.key))
    assert not inquire(world.case(), FETCHER).report.is_acceptable


def test_nothing_on_loopback_is_fetched_unless_it_is_allowed(world: World) -> None:
    inquiry = inquire(world.case(), Fetcher())
    assert world.server.asked == []
    assert all("not public" in str(attempt.error) for attempt in inquiry.attempts)


def test_offline_nothing_is_fetched(world: World) -> None:
    inquiry = inquire(world.case(), replace(FETCHER, offline=True))
    assert world.server.asked == []
    assert all("offline" in str(attempt.error) for attempt in inquiry.attempts)


def test_a_certificate_with_a_thousand_urls_causes_a_bounded_number_of_fetches(world: World) -> None:
    many = tuple(f"{world.server.url}/list/{number}" for number in range(1000))
    hostile = new_authority(now=world.now - 2 * HOUR, urls=PublicationUrls(crl=many))
    case = Case(
        hostile.issue(names=["eve@example.com"]), trust([hostile.root]), Policy(revocation=LEAF), world.now,
        (hostile.issuing,),
    )  # fmt: skip
    assert not inquire(case, FETCHER).report.is_acceptable
    assert 0 < len(world.server.asked) <= FETCHES
