"""The authority's OCSP: who is answered for, what is kept ready, and that a revocation holds at once."""

import asyncio
import binascii
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509 import ocsp as library
from cryptography.x509.oid import ExtendedKeyUsageOID

from handfast import errors
from handfast.ca.authority import Authority
from handfast.ca.order import Order
from handfast.ca.records import CertificateRecord, Reason, RecordStatus
from handfast.errors import ConfigError, HandfastError, Malformed, Unavailable
from handfast.keys.generate import generate_key, new_serial
from handfast.keys.passphrase import no_passphrase
from handfast.pki.keys import KeyKind, PrivateKey
from handfast.pki.ocsp import build_request, cert_id, issuer_keys
from handfast.pki.ocsp_response import OcspRefusal, Responder, responder_of
from handfast.pki.subject import parse_subject
from handfast.protocols import ocsp
from handfast.protocols.exchange import Peer, Request, Response
from handfast.server.assembly import open_authority
from handfast.server.founding import Plan, create_authority
from handfast.server.ocsp_memory import Memory
from tests.pki_factory import new_authority

HOUR = timedelta(hours=1)
Status = library.OCSPCertStatus


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ocsp") / "ca"
    create_authority(folder, Plan(name="Trial"), passphrase=no_passphrase).store.close()
    return folder


@pytest.fixture
def authority(directory: Path) -> Iterator[Authority]:
    opened = open_authority(directory, passphrase=no_passphrase)
    yield opened
    opened.store.close()


def issued(authority: Authority, issuer: str = "issuing") -> CertificateRecord:
    key = generate_key(KeyKind.P256).public_key()
    return authority.issue(Order(profile="client", public_key=key, subject=parse_subject("CN=a"), issuer=issuer)).record


def question(authority: Authority, *serials: int, issuer: str = "issuing", nonce: bytes | None = None) -> bytes:
    identity = authority.issuers[issuer].identity
    named = issuer_keys(identity.subject, identity.public_key)[1]
    return build_request([cert_id(named, serial) for serial in serials], nonce)


def post(authority: Authority, data: bytes) -> Response:
    return ocsp.answer_post(Request(method="POST", path="/ocsp", peer=Peer(address=""), body=data), authority)


def statuses(response: Response) -> list[tuple[Status, x509.ReasonFlags | None]]:
    assert (response.status, response.media_type) == (200, "application/ocsp-response")
    read = library.load_der_ocsp_response(response.body)
    return [(one.certificate_status, one.revocation_reason) for one in read.responses]


def refusal(response: Response) -> library.OCSPResponseStatus:
    assert (response.status, response.media_type) == (200, "application/ocsp-response")
    return library.load_der_ocsp_response(response.body).response_status


def test_good_revoked_held_released_and_unknown_are_told_in_one_answer(authority: Authority) -> None:
    good, revoked, held, released, plainly = (issued(authority) for _ in range(5))
    authority.revoke(revoked, Reason.KEY_COMPROMISE)
    authority.revoke(plainly)
    authority.hold(held)
    authority.release(authority.hold(released))
    serials = [one.serial for one in (good, revoked, held, released, plainly)]
    assert statuses(post(authority, question(authority, *serials, new_serial(), nonce=b"n" * 32))) == [
        (Status.GOOD, None),
        (Status.REVOKED, x509.ReasonFlags.key_compromise),
        (Status.REVOKED, x509.ReasonFlags.certificate_hold),
        (Status.GOOD, None),
        (Status.REVOKED, None),
        (Status.UNKNOWN, None),
    ]


def test_what_was_begun_and_never_signed_is_unknown_until_it_is_revoked(authority: Authority) -> None:
    begun = replace(issued(authority), serial=new_serial(), status=RecordStatus.BEGUN, certificate=None, id=0)
    authority.store.begin([begun])
    data = question(authority, begun.serial)
    assert statuses(post(authority, data))[0][0] is Status.UNKNOWN
    authority.revoke(authority.store.by_serial(begun.serial)[0])
    assert statuses(post(authority, data))[0][0] is Status.REVOKED


def test_the_responder_is_delegated_by_each_issuer_and_may_only_answer(authority: Authority) -> None:
    for name, issuer in authority.issuers.items():
        certificate = authority.ocsp_responder(issuer).certificate
        certificate.verify_directly_issued_by(issuer.certificate)
        extensions = certificate.extensions
        assert list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
            ExtendedKeyUsageOID.OCSP_SIGNING
        ]
        assert extensions.get_extension_for_class(x509.OCSPNoCheck)
        assert authority.store.by_serial(certificate.serial_number)[0].issuer == name


def test_a_foreign_issuer_and_a_mixture_of_issuers_are_unauthorized(authority: Authority) -> None:
    theirs = new_authority().issuing
    foreign = cert_id(issuer_keys(theirs.subject, theirs.public_key())[0], 5)
    identities = [one.identity for one in authority.issuers.values()]
    mixture = [cert_id(issuer_keys(one.subject, one.public_key)[0], 5) for one in identities]
    assert len(mixture) == 2
    for data in (build_request([foreign]), build_request(mixture)):
        assert refusal(post(authority, data)) is library.OCSPResponseStatus.UNAUTHORIZED


def test_any_issuer_of_the_authority_is_answered_for_at_one_place(authority: Authority) -> None:
    issuing = authority.issuers["issuing"].certificate.serial_number
    answer = post(authority, question(authority, issuing, issuer="root"))
    assert refusal(answer) is library.OCSPResponseStatus.SUCCESSFUL
    assert post(authority, b"no request").body == b"\x30\x03\x0a\x01\x01"


def test_get_answers_with_escaped_and_bare_slashes(authority: Authority) -> None:
    data = question(authority, issued(authority).serial)
    text = binascii.b2a_base64(data, newline=False).decode()
    for written in (text, text.rstrip("="), "/" + text):
        request = Request(method="GET", path="", peer=Peer(address=""), parameters={"request": written})
        response = ocsp.answer_get(request, authority)
        assert statuses(response) == [(Status.GOOD, None)]
        assert "max-age=300" in response.headers["Cache-Control"]
        assert {"ETag", "Last-Modified", "Expires"} <= set(response.headers)
    for raw in (text.encode(), ocsp.get_path(data).encode()):
        prepared = ocsp.find_get(raw, authority)
        assert prepared is not None
        assert library.load_der_ocsp_response(prepared.body).certificate_status is Status.GOOD
    for wrong in ("*", "AAAA", "é", "A" * 10000):
        request = Request(method="GET", path="", peer=Peer(address=""), parameters={"request": wrong})
        assert refusal(ocsp.answer_get(request, authority)) is library.OCSPResponseStatus.MALFORMED_REQUEST


def test_get_takes_a_slash_at_the_end_for_a_part_of_the_request(authority: Authority) -> None:
    numbers = ((1 << 95) + number for number in range(1 << 20))
    texts = (binascii.b2a_base64(question(authority, number), newline=False).decode() for number in numbers)
    bare = next(text for text in texts if text.endswith("/") and len(text) % 4 == 0)
    for text in (bare, bare + "/", "/" + bare):
        request = Request(method="GET", path="", peer=Peer(address=""), parameters={"request": text})
        assert statuses(ocsp.answer_get(request, authority)) == [(Status.UNKNOWN, None)]


def test_an_answer_lies_ready_until_anybody_revokes_that_certificate(authority: Authority, directory: Path) -> None:
    one, another = issued(authority), issued(authority)
    asked, other = question(authority, one.serial), question(authority, another.serial)
    assert ocsp.find_post(asked, authority) is None
    first = post(authority, asked)
    post(authority, other)
    prepared = ocsp.find_post(asked, authority)
    assert prepared is not None
    assert prepared.body == first.body
    elsewhere = open_authority(directory, passphrase=no_passphrase)
    elsewhere.revoke(elsewhere.store.by_serial(one.serial)[0], Reason.SUPERSEDED)
    elsewhere.store.close()
    assert ocsp.find_post(asked, authority) is None
    assert ocsp.find_post(other, authority) is not None
    assert statuses(post(authority, asked)) == [(Status.REVOKED, x509.ReasonFlags.superseded)]


def test_who_comes_the_long_way_gets_what_is_kept_until_anybody_revokes_it(authority: Authority) -> None:
    one, another = issued(authority), issued(authority)
    asked, other = question(authority, one.serial), question(authority, another.serial)
    first, kept = post(authority, asked), post(authority, other)
    assert post(authority, asked).body == first.body
    authority.revoke(one, Reason.SUPERSEDED)
    assert statuses(post(authority, asked)) == [(Status.REVOKED, x509.ReasonFlags.superseded)]
    assert post(authority, other).body == kept.body
    later = replace(authority, clock=lambda: authority.clock() + authority.ocsp_lifetime / 2 + timedelta(minutes=1))
    assert post(later, other).body != kept.body


def test_one_look_at_the_store_serves_one_turn_of_the_event_loop(authority: Authority) -> None:
    record = issued(authority)
    asked = question(authority, record.serial)
    post(authority, asked)

    async def turns() -> list[bool]:
        found = [ocsp.find_post(asked, authority) is not None for _ in range(3)]
        authority.revoke(record, Reason.SUPERSEDED)
        await asyncio.sleep(0)
        return [*found, ocsp.find_post(asked, authority) is not None]

    assert asyncio.run(turns()) == [True, True, True, False]


def test_an_answer_from_before_a_revocation_is_not_kept(authority: Authority) -> None:
    record = issued(authority)
    data = question(authority, record.serial)
    answer = authority.ocsp(data)
    authority.revoke(record)
    assert authority.ocsp_memory is not None
    authority.ocsp_memory.keep(data, answer, authority.store)
    assert ocsp.find_post(data, authority) is None


def test_nothing_is_kept_of_nonces_unknown_certificates_and_several_in_one(authority: Authority) -> None:
    serial = issued(authority).serial
    asked = (
        question(authority, serial, nonce=b"n"),
        question(authority, new_serial()),
        question(authority, serial, serial),
    )
    for data in asked:
        post(authority, data)
        assert ocsp.find_post(data, authority) is None


def test_the_oldest_answers_go_when_there_are_too_many(authority: Authority) -> None:
    small = replace(authority, ocsp_memory=Memory(largest=6000))
    asked = [question(small, issued(small).serial) for _ in range(5)]
    for data in asked:
        post(small, data)
    kept = [ocsp.find_post(data, small) is not None for data in asked]
    assert kept[0] is False
    assert kept[-1] is True


def test_an_answer_is_made_anew_at_half_of_its_life(authority: Authority) -> None:
    data = question(authority, issued(authority).serial)
    post(authority, data)
    later = replace(authority, clock=lambda: authority.clock() + authority.ocsp_lifetime / 2 + timedelta(minutes=1))
    assert ocsp.find_post(data, authority) is not None
    assert ocsp.find_post(data, later) is None


def test_a_responder_is_made_once_and_anew_at_two_thirds_of_its_life() -> None:
    memory, ours, made = Memory(), new_authority(), []

    def make() -> object:
        key = memory.new_key(KeyKind.P256)
        made.append(responder_of(ours.issue("ocsp", subject="CN=responder", key=key), key))
        return made[-1]

    def ask(now: datetime) -> object:
        return memory.responder("issuing", make, now=now)  # type: ignore[arg-type]  # it makes responders

    threads = [threading.Thread(target=ask, args=(ours.now,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert ask(ours.now + timedelta(days=19)) is made[0]
    assert ask(ours.now + timedelta(days=21)) is made[1]


def test_a_responder_that_cannot_be_renewed_serves_on_until_it_ends() -> None:
    memory, ours = Memory(), new_authority()
    key = memory.new_key(KeyKind.P256)
    first = responder_of(ours.issue("ocsp", subject="CN=responder", key=key), key)
    assert memory.responder("issuing", lambda: first, now=ours.now) is first

    def fail() -> object:
        raise Unavailable("the store does not answer", hint="wait")

    assert memory.responder("issuing", fail, now=ours.now + timedelta(days=25)) is first  # type: ignore[arg-type]  # it fails
    with pytest.raises(Unavailable):
        memory.responder("issuing", fail, now=ours.now + timedelta(days=31))  # type: ignore[arg-type]  # it fails


def signer(response: Response) -> x509.Certificate:
    return library.load_der_ocsp_response(response.body).certificates[0]


@pytest.mark.parametrize("is_held", [False, True])
def test_a_responder_that_is_revoked_or_held_anywhere_signs_nothing_more(
    authority: Authority, directory: Path, is_held: bool
) -> None:
    asked = question(authority, issued(authority).serial)
    fresh = question(authority, issued(authority).serial, nonce=b"n" * 32)
    first = signer(post(authority, asked))
    assert signer(post(authority, fresh)) == first
    assert ocsp.find_post(asked, authority) is not None
    elsewhere = open_authority(directory, passphrase=no_passphrase)
    record = elsewhere.store.by_serial(first.serial_number)[0]
    elsewhere.hold(record) if is_held else elsewhere.revoke(record, Reason.KEY_COMPROMISE)
    elsewhere.store.close()
    assert ocsp.find_post(asked, authority) is None
    second = signer(post(authority, fresh))
    assert second != first
    assert signer(post(authority, asked)) == second
    assert ocsp.find_post(asked, authority) is not None
    assert statuses(post(authority, question(authority, first.serial_number)))[0][0] is Status.REVOKED


def test_what_another_responder_signed_stays_when_one_is_revoked(authority: Authority) -> None:
    of_root = question(authority, authority.issuers["issuing"].certificate.serial_number, issuer="root")
    post(authority, of_root)
    revoked = signer(post(authority, question(authority, issued(authority).serial)))
    authority.revoke(authority.store.by_serial(revoked.serial_number)[0])
    assert ocsp.find_post(of_root, authority) is not None


def test_when_no_other_can_be_made_a_revoked_responder_signs_nothing_all_the_same(authority: Authority) -> None:
    asked = question(authority, issued(authority).serial, nonce=b"n" * 32)
    revoked = signer(post(authority, asked))
    authority.revoke(authority.store.by_serial(revoked.serial_number)[0])

    def absent() -> PrivateKey:
        raise ConfigError("the key is not there", hint="bring it")

    issuers = {name: replace(one, unlock=absent) for name, one in authority.issuers.items()}
    assert refusal(post(replace(authority, issuers=issuers), asked)) is library.OCSPResponseStatus.UNAUTHORIZED


def test_of_many_who_find_a_responder_revoked_one_makes_another() -> None:
    memory, ours, made = Memory(), new_authority(), []

    def make() -> Responder:
        key = memory.new_key(KeyKind.P256)
        made.append(responder_of(ours.issue("ocsp", subject="CN=responder", key=key), key))
        return made[-1]

    first = memory.responder("issuing", make, now=ours.now)

    def ask() -> None:
        memory.forget("issuing", first)
        memory.responder("issuing", make, now=ours.now)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 2


def test_a_key_that_is_not_there_is_looked_for_once_a_minute() -> None:
    memory, ours, asked = Memory(), new_authority(), []

    def fail() -> object:
        asked.append(1)
        raise ConfigError("the key is not there", hint="bring it")

    for now in (ours.now, ours.now + timedelta(seconds=59), ours.now + timedelta(seconds=61)):
        with pytest.raises(ConfigError):
            memory.responder("root", fail, now=now)  # type: ignore[arg-type]  # it fails
    assert len(asked) == 2


def test_every_error_has_a_spelling() -> None:
    classes = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, HandfastError)]
    assert set(classes) == set(ocsp.REFUSALS)
    assert ocsp.refusal_of(Malformed("a", hint="b")) is OcspRefusal.MALFORMED_REQUEST
