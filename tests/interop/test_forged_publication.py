"""`publish --server` with somebody between: lists and answers, really signed, that are not to be passed on."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp as library
from cryptography.x509.oid import ExtendedKeyUsageOID

from handfast.ca.answering import PROFILE, RESPONDER
from handfast.ca.authority import Authority
from handfast.ca.office import Proof
from handfast.ca.order import Order
from handfast.ca.policy import RequesterRole
from handfast.ca.published import ListKind, Which
from handfast.ca.records import CertificateRecord
from handfast.ca.requesters import RequesterRecord
from handfast.cli import run
from handfast.keys.generate import generate_key
from handfast.pki.crl import CrlHeader, build_crl
from handfast.pki.keys import KeyKind
from handfast.pki.ocsp import CertId, build_request, cert_id, issuer_keys, parse_request
from handfast.pki.ocsp_response import (
    CertStatus,
    OcspRefusal,
    Responder,
    Times,
    build_refusal,
    build_response,
    responder_of,
)
from handfast.pki.pem import to_pem
from handfast.pki.subject import parse_subject
from handfast.protocols.ocsp import file_name
from tests.interposed import Exchange, Interposed, interposed
from tests.serving import Running, authority_in, client_files, opened, running

HOUR = timedelta(hours=1)
ANSWERS = "/api/issuers/issuing/ocsp"
GOOD = CertStatus(is_known=True)
SETTINGS = """
crl_shards = 2
[service]
url = "http://pki.example.org"
"""


def requester_in(directory: Path, name: str, folder: Path) -> None:
    issued = client_files(directory, name, folder)
    with opened(directory) as authority:
        record = RequesterRecord(
            name=name, role=RequesterRole.AUDITOR, profiles=None, patterns=None, created_at=authority.clock()
        )
        authority.office.add_requester(record, Proof(issued.certificate))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    workplace = tmp_path_factory.mktemp("forged")
    authority_in(workplace / "ca", SETTINGS)
    requester_in(workplace / "ca", "web", workplace / "web")
    with running(workplace / "ca", workplace=workplace) as one:
        yield one


@pytest.fixture(scope="module")
def between(service: Running) -> Iterator[Interposed]:
    workplace = service.directory.parent
    with interposed(service, workplace / "web", workplace) as one:
        yield one


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    """Another authority, whose CAs have the same names."""
    directory = tmp_path_factory.mktemp("other") / "ca"
    authority_in(directory)
    with opened(directory) as authority:
        yield authority


@pytest.fixture
def authority(service: Running) -> Iterator[Authority]:
    with opened(service.directory) as found:
        yield found


@pytest.fixture
def publish(between: Interposed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Iterator[Any]:
    """What the command says, and with status 1 its error."""
    monkeypatch.chdir(tmp_path)
    folder, root = between.client, between.service.root

    def call(*arguments: str, status: int = 0) -> Any:
        capsys.readouterr()
        asked = ["--server", between.url, "--server-ca", str(root), "--client-certificate", str(folder / "chain.pem")]
        done = run([*asked, "publish", "www", "--json", *arguments])
        told = capsys.readouterr().out
        assert done == status, told
        found = json.loads(told)
        return found["error"]["message"] if status else found

    yield call
    between.exchanges.clear()


def issue(authority: Authority, profile: str = "client", **options: Any) -> tuple[CertificateRecord, Responder]:
    """A certificate, and who signs by its key."""
    key = generate_key(KeyKind.P256)
    order = Order(profile=profile, public_key=key.public_key(), subject=parse_subject("CN=some"), **options)
    issued = authority.issue(order)
    return issued.record, responder_of(issued.certificate, key)


def responder_in(authority: Authority, **options: Any) -> Responder:
    return issue(authority, PROFILE, requester=RESPONDER, **options)[1]


def files() -> dict[str, bytes]:
    return {str(one): one.read_bytes() for one in Path("www").rglob("*") if one.is_file()}


def path_of(authority: Authority, serial: int) -> Path:
    return Path("www/ocsp") / file_name(build_request([named(authority, serial)]))


def named(authority: Authority, serial: int, issuer: str = "issuing") -> Any:
    identity = authority.issuers[issuer].identity
    return cert_id(issuer_keys(identity.subject, identity.public_key)[0], serial)


def each(authority: Authority, make: Exchange) -> Exchange:
    """Exchanges each answer of many. make: from the OCSP request that it answers, and the answer."""

    def exchange(asked: bytes, answered: bytes) -> bytes:
        requests = [build_request([named(authority, int(one, 16))]) for one in json.loads(asked)["serials"]]
        given = map(base64.b64decode, json.loads(answered)["answers"])
        made = [make(request, answer) for request, answer in zip(requests, given, strict=True)]
        return json.dumps({"answers": [base64.b64encode(one).decode() for one in made]}).encode()

    return exchange


@dataclass(frozen=True)
class Forger:
    """Makes answers about certificates of `issuing`. at: when they are made. forged: about which, so far."""

    responder: Responder
    status: CertStatus = GOOD
    at: datetime | None = None
    lifetime: timedelta = 12 * HOUR
    forged: list[CertId] = field(default_factory=list)

    def __call__(self, asked: bytes, _answered: bytes) -> bytes:
        (identifier,) = parse_request(asked).identifiers
        self.forged.append(identifier)
        return self.answer(identifier)

    def answer(self, *identifiers: Any) -> bytes:
        at = self.at or datetime.now(UTC)
        return build_response(
            [(one, self.status) for one in identifiers], Times(at, at, at + self.lifetime), responder=self.responder
        )


@dataclass(frozen=True)
class Endless(Forger):
    """Without nextUpdate: newer status is always available, says RFC 6960 section 4.2.2.1, and a file has none."""

    def __call__(self, asked: bytes, _answered: bytes) -> bytes:
        (identifier,) = parse_request(asked).identifiers
        self.forged.append(identifier)
        one = library.load_der_ocsp_request(asked)
        builder = library.OCSPResponseBuilder().add_response_by_hash(
            one.issuer_name_hash, one.issuer_key_hash, one.serial_number, hashes.SHA1(),
            library.OCSPCertStatus.GOOD, datetime.now(UTC), None, None, None,
        )  # fmt: skip
        certificate, key = self.responder.certificate, self.responder.key
        builder = builder.responder_id(library.OCSPResponderEncoding.HASH, certificate).certificates([certificate])
        return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def by_another_authority(_authority: Authority, other: Authority) -> Forger:
    return Forger(responder_in(other))


def by_a_key_of_nobodys(authority: Authority, _other: Authority) -> Forger:
    """The certificate is right; the signature is by another key."""
    right, wrong = responder_in(authority), generate_key(KeyKind.P256)
    return Forger(Responder(right.certificate, wrong, right.identifier, right.algorithm, right.certificates))


def by_a_client(authority: Authority, _other: Authority) -> Forger:
    return Forger(issue(authority)[1])


def by_who_is_below_the_root(authority: Authority, _other: Authority) -> Forger:
    """A responder of the CA above: RFC 6960 section 4.2.2.2 wants the CA itself to have issued it."""
    return Forger(responder_in(authority, issuer="root"))


def by_who_has_ended(authority: Authority, _other: Authority) -> Forger:
    key, now = generate_key(KeyKind.P256), datetime.now(UTC)
    ca = authority.issuers["issuing"]
    builder = x509.CertificateBuilder(
        ca.identity.subject, parse_subject("CN=was a responder"), key.public_key(), 5 << 100, now - 9 * HOUR, now - HOUR
    ).add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), critical=False)
    return Forger(responder_of(builder.sign(ca.unlock(), hashes.SHA256()), key))


def by_who_is_revoked(authority: Authority, _other: Authority) -> Forger:
    record, responder = issue(authority, PROFILE, requester=RESPONDER)
    authority.revoke(record)
    return Forger(responder)


def of_yesterday(authority: Authority, _other: Authority) -> Forger:
    return Forger(responder_in(authority), at=datetime.now(UTC) - 13 * HOUR)


def that_just_ended(authority: Authority, _other: Authority) -> Forger:
    return Forger(responder_in(authority), at=datetime.now(UTC) - HOUR, lifetime=HOUR - timedelta(seconds=2))


def of_tomorrow(authority: Authority, _other: Authority) -> Forger:
    return Forger(responder_in(authority), at=datetime.now(UTC) + HOUR)


def that_never_end(authority: Authority, _other: Authority) -> Forger:
    return Endless(responder_in(authority))


def that_knows_nothing(authority: Authority, _other: Authority) -> Forger:
    return Forger(responder_in(authority), CertStatus(is_known=False))


def that_revokes(authority: Authority, _other: Authority) -> Forger:
    return Forger(responder_in(authority), CertStatus(is_known=True, revoked_at=datetime.now(UTC)))


FORGERS = {
    by_another_authority: "not issued by the CA that issued the certificate",
    by_a_key_of_nobodys: "does not verify with the responder's key",
    by_a_client: "not for OCSP signing",
    by_who_is_below_the_root: "not issued by the CA that issued the certificate",
    by_who_has_ended: "not valid at this time",
    by_who_is_revoked: "signed by a responder that is revoked",
    of_yesterday: "it ended at",
    that_just_ended: "it ended at",
    of_tomorrow: "only at",
    that_never_end: "does not say how long it holds",
    that_knows_nothing: "does not say what the service's own records say",
    that_revokes: "does not say what the service's own records say",
}


@pytest.mark.parametrize("forger", FORGERS, ids=lambda forger: forger.__name__)
def test_a_forged_answer_is_not_written(
    forger: Callable[[Authority, Authority], Forger],
    authority: Authority,
    other: Authority,
    between: Interposed,
    publish: Any,
) -> None:
    made = forger(authority, other)
    between.exchanges[ANSWERS] = each(authority, made)
    assert FORGERS[forger] in publish(status=1)
    paths = [Path("www/ocsp") / file_name(build_request([one])) for one in made.forged]
    assert paths
    assert not any(path.exists() for path in paths)
    between.exchanges.clear()
    publish()
    assert all(path.exists() for path in paths)  # the genuine ones


@pytest.mark.parametrize("forger", [by_another_authority, by_who_is_revoked, of_yesterday])
def test_a_genuine_answer_stays_when_a_forged_one_comes(
    forger: Callable[[Authority, Authority], Forger],
    authority: Authority,
    other: Authority,
    between: Interposed,
    publish: Any,
) -> None:
    record, responder, made = issue(authority)[0], responder_in(authority), forger(authority, other)
    publish()
    path = path_of(authority, record.serial)
    # In the second half of its life, it is asked for anew.
    old = Forger(responder, at=datetime.now(UTC) - 7 * HOUR).answer(named(authority, record.serial))
    path.write_bytes(old)
    between.exchanges[ANSWERS] = each(authority, made)
    assert FORGERS[forger] in publish(status=1)
    assert path.read_bytes() == old


def about_another(authority: Authority, asked: bytes) -> bytes:
    return Forger(responder_in(authority)).answer(named(authority, parse_request(asked).identifiers[0].serial + 1))


def about_the_same_serial_of_another_ca(authority: Authority, asked: bytes) -> bytes:
    return Forger(responder_in(authority)).answer(named(authority, parse_request(asked).identifiers[0].serial, "root"))


def about_two(authority: Authority, asked: bytes) -> bytes:
    (one,) = parse_request(asked).identifiers
    return Forger(responder_in(authority)).answer(one, named(authority, one.serial + 1))


def by_another_hash(authority: Authority, asked: bytes) -> bytes:
    identity = authority.issuers["issuing"].identity
    sha256 = issuer_keys(identity.subject, identity.public_key)[1]
    return Forger(responder_in(authority)).answer(cert_id(sha256, parse_request(asked).identifiers[0].serial))


def with_a_bit_that_fell_over(authority: Authority, asked: bytes) -> bytes:
    whole = Forger(responder_in(authority)).answer(*parse_request(asked).identifiers)
    at = whole.index(parse_request(asked).identifiers[0].der)
    return whole[: at - 30] + bytes((whole[at - 30] ^ 1,)) + whole[at - 29 :]


def nothing(_authority: Authority, _asked: bytes) -> bytes:
    return b""


def no_answer(_authority: Authority, _asked: bytes) -> bytes:
    return b"<html>come back later</html>"


def not_now(_authority: Authority, _asked: bytes) -> bytes:
    return build_refusal(OcspRefusal.TRY_LATER)


@pytest.mark.parametrize(
    "made",
    [
        about_another,
        about_the_same_serial_of_another_ca,
        about_two,
        by_another_hash,
        with_a_bit_that_fell_over,
        nothing,
        no_answer,
        not_now,
    ],
)
def test_an_answer_to_another_question_is_not_written(
    made: Callable[[Authority, bytes], bytes], authority: Authority, between: Interposed, publish: Any
) -> None:
    record, _ = issue(authority)
    between.exchanges[ANSWERS] = each(
        authority,
        lambda asked, answered: (
            made(authority, asked)
            if parse_request(asked).identifiers == (named(authority, record.serial),)
            else answered
        ),
    )
    assert publish(status=1).startswith("an OCSP answer")
    assert not path_of(authority, record.serial).exists()


def test_an_old_answer_does_not_come_back_when_the_certificate_was_revoked(
    authority: Authority, between: Interposed, publish: Any
) -> None:
    record, _ = issue(authority)
    publish()
    path = path_of(authority, record.serial)
    good = path.read_bytes()
    authority.revoke(record)
    publish()
    assert library.load_der_ocsp_response(path.read_bytes()).certificate_status is library.OCSPCertStatus.REVOKED
    revoked_at = library.load_der_ocsp_response(path.read_bytes()).revocation_time_utc
    # Half over, so that it is asked for anew.
    told = CertStatus(is_known=True, revoked_at=revoked_at)
    half_over = Forger(responder_in(authority), told, at=datetime.now(UTC) - 7 * HOUR)
    path.write_bytes(half_over.answer(named(authority, record.serial)))
    between.exchanges[ANSWERS] = each(
        authority,
        lambda asked, answered: (
            good if parse_request(asked).identifiers == (named(authority, record.serial),) else answered
        ),
    )
    assert "does not say what the service's own records say" in publish(status=1)
    assert path.read_bytes() == half_over.answer(named(authority, record.serial)) or (
        library.load_der_ocsp_response(path.read_bytes()).certificate_status is library.OCSPCertStatus.REVOKED
    )


def test_what_was_revoked_while_others_were_listed_is_written(
    authority: Authority, between: Interposed, publish: Any
) -> None:
    record, _ = issue(authority)

    def revoking(asked: bytes, _answered: bytes) -> bytes:
        if parse_request(asked).identifiers == (named(authority, record.serial),):
            authority.revoke(authority.find(f"{record.serial:x}"))
        connection = between.service.connection()
        connection.request("POST", "/ocsp", body=asked, headers={"Content-Type": "application/ocsp-request"})
        return connection.getresponse().read()  # what it says now

    between.exchanges[ANSWERS] = each(authority, revoking)
    publish()
    written = library.load_der_ocsp_response(path_of(authority, record.serial).read_bytes())
    assert written.certificate_status is library.OCSPCertStatus.REVOKED


def test_an_older_answer_that_says_the_same_does_not_replace_a_newer_one(
    authority: Authority, between: Interposed, publish: Any
) -> None:
    record, responder = issue(authority)[0], responder_in(authority)
    publish()
    path, asked = path_of(authority, record.serial), named(authority, record.serial)
    newer = Forger(responder, at=datetime.now(UTC) - 7 * HOUR).answer(asked)
    path.write_bytes(newer)
    between.exchanges[ANSWERS] = each(authority, Forger(responder, at=datetime.now(UTC) - 9 * HOUR))
    publish()
    assert path.read_bytes() == newer


def test_a_ca_whose_key_the_service_does_not_have_is_told_of(between: Interposed, publish: Any) -> None:
    between.exchanges[ANSWERS] = lambda _asked, _answered: b'{"answers": null}'
    told = publish()
    assert {one["issuer"]: one["is_lacking_key"] for one in told["ocsp"]} == {"issuing": True, "root": False}


def test_fewer_answers_than_were_asked_for_are_no_answer(between: Interposed, publish: Any) -> None:
    between.exchanges[ANSWERS] = lambda _asked, _answered: b'{"answers": []}'
    assert "it has not one answer for each serial" in publish(status=1)


def list_of(authority: Authority, which: Which) -> bytes:
    return authority.publish(which).der


def signed(authority: Authority, **changes: Any) -> bytes:
    """A list by the CA's own key."""
    now, issuer = datetime.now(UTC).replace(microsecond=0), authority.issuers["issuing"]
    header = CrlHeader(**{"number": 9000, "this_update": now, "next_update": now + 24 * HOUR, **changes})
    return build_crl([], header, issuer=issuer.identity, key=issuer.unlock())


def flipped(data: bytes) -> bytes:
    return data[:-1] + bytes((data[-1] ^ 1,))


LISTS: dict[str, tuple[Callable[[Authority, Authority], bytes], str]] = {
    "of-another-authority": (lambda _own, other: list_of(other, Which("issuing")), "is not signed by issuing"),
    "of-another-ca": (lambda own, _other: list_of(own, Which("root")), "is of another CA"),
    "a-shard": (lambda own, _other: list_of(own, Which("issuing", shard=1)), "another kind of list"),
    "a-delta": (lambda own, _other: signed(own, base_number=1), "another kind of list"),
    "of-tomorrow": (
        lambda own, _other: signed(
            own, this_update=datetime.now(UTC) + 24 * HOUR, next_update=datetime.now(UTC) + 48 * HOUR
        ),
        "begins only at",
    ),
    "forged": (lambda own, _other: flipped(signed(own)), "is not signed by issuing"),
    "in-pem": (lambda own, _other: to_pem(x509.load_der_x509_crl(signed(own))).encode(), "is not in DER"),
    "older-than-is-said": (lambda own, _other: signed(own, number=1), "has the number 1, where the service says"),
    "nothing": (lambda _own, _other: b"", "is not in DER"),
    "half": (lambda own, _other: signed(own)[:-20], "cannot be read"),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_that_is_not_that_list_is_not_written(
    name: str, authority: Authority, other: Authority, between: Interposed, publish: Any
) -> None:
    make, why = LISTS[name]
    forged = make(authority, other)
    list_of(authority, Which("issuing"))
    publish("--no-ocsp")
    before = Path("www/crl/issuing.crl").read_bytes()
    list_of(authority, Which("issuing"))
    between.exchanges["/crl/issuing.crl"] = lambda _asked, _answered: forged
    assert why in publish("--no-ocsp", status=1)
    assert Path("www/crl/issuing.crl").read_bytes() == before
    Path("www/crl/issuing.crl").unlink()
    publish("--no-ocsp", status=1)
    assert not Path("www/crl/issuing.crl").exists()


@pytest.mark.parametrize("file", ["issuing-1.crl", "issuing-delta.crl"])
def test_the_list_of_all_does_not_stand_in_for_a_part(
    file: str, authority: Authority, between: Interposed, publish: Any
) -> None:
    for which in (Which("issuing"), Which("issuing", shard=1), Which("issuing", kind=ListKind.DELTA)):
        list_of(authority, which)
    between.exchanges[f"/crl/{file}"] = lambda _asked, _answered: signed(authority)
    assert "another kind of list" in publish("--no-ocsp", status=1)
    assert not Path("www/crl", file).exists()


def test_a_shard_does_not_stand_in_for_another(authority: Authority, between: Interposed, publish: Any) -> None:
    list_of(authority, Which("issuing", shard=1))
    second = list_of(authority, Which("issuing", shard=2))
    between.exchanges["/crl/issuing-1.crl"] = lambda _asked, _answered: second
    assert "another kind of list" in publish("--no-ocsp", status=1)
    assert not Path("www/crl/issuing-1.crl").exists()


def test_a_list_that_has_ended_is_not_written_and_what_is_there_stays(
    authority: Authority, between: Interposed, publish: Any
) -> None:
    now = datetime.now(UTC)
    ended = signed(authority, this_update=now - 24 * HOUR, next_update=now - HOUR)
    between.exchanges["/crl/issuing.crl"] = lambda _asked, _answered: ended
    publish("--no-ocsp")
    assert not Path("www/crl/issuing.crl").exists()
    between.exchanges.clear()
    publish("--no-ocsp")
    before = Path("www/crl/issuing.crl").read_bytes()
    list_of(authority, Which("issuing"))
    between.exchanges["/crl/issuing.crl"] = lambda _asked, _answered: ended
    publish("--no-ocsp")
    assert Path("www/crl/issuing.crl").read_bytes() == before


def test_a_ca_of_another_key_does_not_take_the_place_of_the_one_that_is_there(
    other: Authority, between: Interposed, publish: Any
) -> None:
    publish()
    before = files()

    def exchanged(_asked: bytes, answered: bytes) -> bytes:
        document = json.loads(answered)
        for one in document["issuers"]:
            one["pem"] = to_pem(other.issuers[one["name"]].certificate)
        return json.dumps(document).encode()

    between.exchanges["/api/issuers"] = exchanged
    assert "has another key than the one whose certificate is here" in publish(status=1)
    assert files() == before
