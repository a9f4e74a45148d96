"""A hundred malformed requests for each family of endpoints: clear errors, nothing told, and nothing that grows."""

import base64
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from http.client import HTTPSConnection
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from handfast.ca.office import Proof
from handfast.ca.policy import RequesterRole
from handfast.ca.requesters import SECRET_PREFIX, RequesterRecord
from handfast.keys.generate import generate_key, new_secret
from handfast.pki.csr import build_request
from handfast.pki.keys import KeyKind
from handfast.pki.subject import parse_subject
from tests.serving import Running, authority_in, client_files, opened, running

HUNDRED = 100
# What only the inside of a service knows.
LEAKS = re.compile(
    rb"Traceback|File \"|\.py\b|site-packages|sqlite|SELECT |INSERT |psycopg|pydantic|starlette|object at 0x",
    re.IGNORECASE,
)
# Memory that an allocator keeps; a hundred requests that stay would be more after so many rounds.
ROUNDS, MOST_GROWTH = 8, 32 << 20
LONGEST_ANSWER = 8192
INJECTION = "'; DROP TABLE issued;--"


@dataclass(frozen=True, slots=True)
class Malformed:
    """A request that is wrong in some way."""

    method: str
    path: str
    body: bytes = b""
    media_type: str = ""
    authorization: str = ""


@dataclass(frozen=True, slots=True)
class World:
    """A service, the secret of an administrator, and good requests that are spoiled."""

    service: Running
    secret: str
    csr: bytes
    question: bytes
    serial: str


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    workplace = tmp_path_factory.mktemp("malformed")
    authority_in(workplace / "ca")
    secret = new_secret(SECRET_PREFIX)
    issued = client_files(workplace / "ca", "there", workplace / "client")
    with opened(workplace / "ca") as authority:
        record = RequesterRecord(
            name="somebody", role=RequesterRole.ADMINISTRATOR, profiles=None, patterns=None,
            created_at=authority.clock(),
        )  # fmt: skip
        authority.office.add_requester(record, Proof(secret=secret))
        issuer = authority.issuer().certificate
    csr = build_request(generate_key(KeyKind.P256), subject=parse_subject("CN=there")).public_bytes(Encoding.DER)
    with running(workplace / "ca", workplace=workplace) as service:
        yield World(service, secret, csr, _question(issued.certificate, issuer), f"{issued.record.serial:x}")


def _question(certificate: x509.Certificate, issuer: x509.Certificate) -> bytes:
    return ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, SHA256()).build().public_bytes(Encoding.DER)


def _cuts(data: bytes, count: int) -> list[bytes]:
    """The beginnings of it, without the whole."""
    return [data[: len(data) * number // count] for number in range(count)]


def _spoiled(data: bytes, count: int) -> list[bytes]:
    """With one of its first octets, which are tags and lengths, set to what cannot be there."""
    return [data[:at] + b"\xff" + data[at + 1 :] for at in range(count)]


def est_requests(world: World) -> list[Malformed]:
    """EST: bodies, types, paths and credentials."""
    enroll, good, basic = "/.well-known/est/simpleenroll", "application/pkcs10", f"Bearer {world.secret}"
    bodies = [base64.b64encode(one) for one in (*_cuts(world.csr, 25), *_spoiled(world.csr, 2))]
    bodies += [b"\x00" * 50, b"=" * 100, b"M", b"MII!", b"\xff\xfe", b"{}", b"<xml/>", world.csr[1:], b"A" * 60000]
    bodies += [b"-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----", b"MIIB\x00" * 9]
    found = [
        Malformed("POST", path, body, good, basic)
        for path in (enroll, "/.well-known/est/serverkeygen")
        for body in bodies
    ]
    whole = base64.b64encode(world.csr)
    types = ["", "text/plain", "application/json", "application/pkcs7-mime", "multipart/form-data", "a" * 900, ";;;"]
    found += [Malformed("POST", enroll, whole, one, basic) for one in types]
    secrets = ["Bearer", "Bearer x", "Basic", "Basic !!!", "Basic eDp5", "Digest x", f"Bearer {'a' * 3000}", "\x7f"]
    found += [Malformed("POST", enroll, whole, good, one) for one in secrets]
    paths = ["..%2f..%2fetc", "%00", "no-such", "a" * 500, "%ff%fe", "'%20OR%201=1--", "root", "issuing"]
    found += [Malformed("POST", f"/.well-known/est/{one}/simpleenroll", whole, good, basic) for one in paths]
    return [*found, Malformed("POST", "/.well-known/est/simplereenroll", whole, good, basic)]


def ocsp_requests(world: World) -> list[Malformed]:
    """OCSP: bodies by POST and texts by GET."""
    bodies = [*_cuts(world.question, 35), *_spoiled(world.question, 10), b"\x30\x80", b"\x30\x84\xff\xff\xff\xff"]
    bodies += [b"\x30\x00" * 200, b"{}", b"\x00" * 300, world.question + b"\x00", b"\x05\x00"]
    kind = "application/ocsp-request"
    found = [Malformed("POST", "/ocsp", body, kind) for body in bodies]
    texts = [base64.b64encode(one).decode().replace("/", "%2F").replace("+", "%2B") for one in bodies[1:45]]
    texts += ["!", "%00", "%ff", "..%2f..%2fetc%2fpasswd", "A" * 300, "=", "%", "%zz", "'", "M%0AII"]
    return [*found, *(Malformed("GET", f"/ocsp/{text}") for text in texts)]


def api_requests(world: World) -> list[Malformed]:
    """The API: JSON that is none, fields that are wrong, paths that lead nowhere."""
    secret, kind = f"Bearer {world.secret}", "application/json"
    good = json.dumps({"profile": "client", "subject": "CN=a", "names": ["a.example"]}).encode()
    bodies = [*_cuts(good, 20), b"[" * 9000, b"[]", b"null", b'"x"', b"1e999", b"NaN", b"\xff", b"\x00", b"<xml/>"]
    wrong: list[object] = [None, 5, -1, 1e308, True, [], {}, [[]], "", "\x00", "a" * 20000, INJECTION]
    bodies.append(b'{"profile": null, "subject": "CN=a"}')
    for field in ("profile", "names", "subject", "csr"):
        spoiled = [
            {"profile": "client", "subject": "CN=a", field: value} for value in wrong if not _may_be(field, value)
        ]
        bodies += [json.dumps(one).encode() for one in spoiled]
    found = [Malformed("POST", "/api/certificates", body, kind, secret) for body in bodies]
    paths = ["zz", "%00", "..%2f..", "f" * 200, ":", "0x", "%ff", "1;2", "1%27"]
    found += [Malformed("GET", f"/api/certificates/{one}", authorization=secret) for one in paths]
    queries = [
        "limit=-1",
        "limit=x",
        "cursor=9e9",
        "state=no",
        "what=ever",
        "limit=99999999999999999999",
        "expires_within=x",
    ]
    found += [Malformed("GET", f"/api/certificates?{one}", authorization=secret) for one in queries]
    secrets = ["Bearer", "Basic !!!", "Basic eDp5", "x", f"Bearer {'a' * 3000}", "Bearer \xff"]
    found += [Malformed("GET", "/api/caller", authorization=one) for one in secrets]
    here = f"/api/certificates/{world.serial}"
    others = [
        ("POST", f"{here}/revoke", b'{"reason": "boredom"}'),
        ("POST", f"{here}/pkcs12", b'{"key": "no key"}'),
        ("POST", "/api/requesters", b'{"name": "x", "role": "king"}'),
        ("POST", "/api/tokens", b'{"profile": "client", "names": [], "lifetime": "100y"}'),
        ("POST", "/api/approvals/x/approve", b""),
        ("PATCH", "/api/tokens", b"{}"),
        ("DELETE", "/api/tokens/%00", b""),
        ("GET", "/api/%2e%2e/x", b""),
        ("GET", "/api/audit?after=-1", b""),
        ("GET", "/api/nothing", b""),
    ]
    return [*found, *(Malformed(method, path, body, kind, secret) for method, path, body in others)]


def _may_be(field: str, value: object) -> bool:
    """Whether it is no malformed one: left out, or a subject that can be read, whether or not it is then granted."""
    return value is None or (field, value) == ("names", []) or (field == "subject" and value in ("", INJECTION))


FAMILIES: dict[str, Callable[[World], list[Malformed]]] = {
    "est": est_requests,
    "ocsp": ocsp_requests,
    "api": api_requests,
}


def _ask(connection: HTTPSConnection, one: Malformed) -> tuple[int, str, bytes]:
    headers = {"Content-Type": one.media_type} if one.media_type else {}
    if one.authorization:
        headers["Authorization"] = one.authorization
    connection.request(one.method, one.path, one.body or None, headers)
    response = connection.getresponse()
    return response.status, response.getheader("content-type", ""), response.read()


def _is_clear(status: int, media_type: str, body: bytes) -> bool:
    """An error that says what is wrong; or the refusal of an OCSP responder, which is a successful HTTP response."""
    if media_type == "application/ocsp-response":
        refused = ocsp.load_der_ocsp_response(body).response_status
        return status == 200 and refused is ocsp.OCSPResponseStatus.MALFORMED_REQUEST
    return 400 <= status < 500 and (len(body) > 10 or status == 401)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_hundred_of_them_are_refused_clearly_and_tell_nothing(world: World, family: str) -> None:
    requests = FAMILIES[family](world)
    assert len(requests) >= HUNDRED
    connection = world.service.connection()
    before = _rows(world)
    for one in requests:
        status, media_type, body = _ask(connection, one)
        assert _is_clear(status, media_type, body), (one, status, body)
        assert LEAKS.search(body) is None, (one, body)
        assert str(world.service.directory).encode() not in body, (one, body)
        assert len(body) < LONGEST_ANSWER, (one, body)
    connection.close()
    assert _rows(world) == before
    log = world.service.log()
    assert "request.failed" not in log
    assert world.secret not in log


def test_nothing_grows(world: World) -> None:
    requests = [one for make in FAMILIES.values() for one in make(world)]
    connection = world.service.connection()
    _round(connection, requests)
    _round(connection, requests)
    rows, memory = _rows(world), _memory(world.service)
    for _ in range(ROUNDS):
        _round(connection, requests)
    assert _rows(world) == rows
    assert _memory(world.service) - memory < MOST_GROWTH
    connection.close()


def _round(connection: HTTPSConnection, requests: Sequence[Malformed]) -> None:
    for one in requests:
        _ask(connection, one)


def _rows(world: World) -> dict[str, int]:
    """How much is in the store that a request could have put there; the service's own jobs go on meanwhile."""
    with opened(world.service.directory) as authority:
        store, now = authority.store, authority.clock()
        events = store.events(after=0, limit=100_000)
        return {
            "certificates": sum(one.action.startswith("certificate.") and one.actor != "ocsp" for one in events),
            "requesters": len(store.requesters.all()),
            "tokens": len(store.tokens.all(now=now)),
            "approvals": len(store.approvals.all(now=now, waiting=False)),
        }


def _memory(service: Running) -> int:
    """Resident memory of the service, in octets."""
    text = Path(f"/proc/{service.process.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", text)
    assert found is not None
    return int(found[1]) * 1024
