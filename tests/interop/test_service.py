"""`handfast serve` as a process, with curl and Python's TLS as its clients: who is let in, and what is bounded."""

import http.client
import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from handfast.ca.records import Reason
from tests.programs import required_program
from tests.serving import PATIENCE, Running, authority_in, client_files, curl, eventually, get, opened, running

_SECRET = "c2VjcmV0LW9mLWFsaWNl"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    workplace = tmp_path_factory.mktemp("service")
    authority_in(workplace / "ca", "[serve]\nlog_requests = true\n")
    with running(workplace / "ca", workplace=workplace) as one:
        yield one


@pytest.fixture
def alice(service: Running, tmp_path: Path) -> Path:
    client_files(service.directory, "alice", tmp_path / "alice")
    return tmp_path / "alice"


def test_curl_with_a_certificate_is_seen_with_its_chain(service: Running, alice: Path) -> None:
    required_program("curl")
    credentials = ("--cert", alice / "chain.pem", "--key", alice / "key.pem")

    done = curl(service, *credentials, f"https://localhost:{service.https}/trial/whoami")

    said = json.loads(done.stdout)
    assert said["subject"] == "CN=alice"
    assert said["chain"] == 3
    assert said["version"] == "TLSv1.3"
    assert said["binding"] is False


def test_a_client_that_sends_its_certificate_alone_is_seen_with_its_chain(service: Running, alice: Path) -> None:
    chain = alice / "chain.pem"
    end = "-----END CERTIFICATE-----\n"
    chain.write_text(chain.read_text().partition(end)[0] + end)

    status, body = get(service.connection(alice), "/trial/whoami")

    assert status == 200
    assert json.loads(body)["chain"] == 3


def test_curl_without_a_certificate_is_let_in_as_nobody(service: Running) -> None:
    required_program("curl")

    done = curl(service, f"https://localhost:{service.https}/trial/whoami")

    assert json.loads(done.stdout)["subject"] is None
    eventually(lambda: '"route": "/trial/whoami", "status": 200' in service.log(), "the request is in the log")


def test_a_certificate_of_another_authority_is_refused_in_the_handshake(service: Running, tmp_path: Path) -> None:
    required_program("curl")
    authority_in(tmp_path / "other")
    client_files(tmp_path / "other", "mallory", tmp_path / "mallory")
    credentials = ("--cert", tmp_path / "mallory" / "chain.pem", "--key", tmp_path / "mallory" / "key.pem")

    done = curl(service, *credentials, f"https://localhost:{service.https}/trial/whoami")

    assert done.returncode != 0
    assert done.stdout == ""
    eventually(lambda: "handshake.failed" in service.log(), "the refusal is in the log")


def test_tls_below_1_3_is_refused_unless_the_settings_allow_it(service: Running) -> None:
    context = service.context(version=ssl.TLSVersion.TLSv1_2)

    with socket.create_connection(("localhost", service.https), timeout=PATIENCE) as raw, pytest.raises(ssl.SSLError):
        context.wrap_socket(raw, server_hostname="localhost")


def test_openssl_verifies_the_certificate_that_the_service_gave_itself(service: Running) -> None:
    import subprocess

    program = required_program("openssl")
    command = [program, "s_client", "-connect", f"localhost:{service.https}", "-CAfile", str(service.root)]
    options = ["-verify_return_error", "-verify_hostname", "localhost", "-x509_strict", "-brief"]

    done = subprocess.run([*command, *options], input="", capture_output=True, text=True, timeout=PATIENCE, check=False)

    assert done.returncode == 0, done.stderr
    assert "Verification: OK" in done.stderr


def test_a_certificate_that_is_revoked_is_refused_on_the_connection_that_stands(
    service: Running, alice: Path, tmp_path: Path
) -> None:
    issued = client_files(service.directory, "bob", tmp_path / "bob")
    bobs, alices = service.connection(tmp_path / "bob"), service.connection(alice)
    assert get(bobs, "/trial/whoami")[0] == 200

    with opened(service.directory) as authority:
        authority.revoke(issued.record, Reason.KEY_COMPROMISE)

    assert get(bobs, "/trial/whoami") == (403, get(service.connection(tmp_path / "bob"), "/trial/whoami")[1])
    assert "revoked" in get(bobs, "/trial/whoami")[1]
    eventually(lambda: '"list": "issuing.crl", "number": 2' in service.log(), "a CRL with it is published")
    assert get(alices, "/trial/whoami")[0] == 200


def test_a_hold_shuts_out_until_it_is_released(service: Running, tmp_path: Path) -> None:
    issued = client_files(service.directory, "carol", tmp_path / "carol")
    connection = service.connection(tmp_path / "carol")

    with opened(service.directory) as authority:
        held = authority.hold(issued.record)
        refused, _ = get(connection, "/trial/whoami")
        authority.release(held)

    assert refused == 403
    assert get(connection, "/trial/whoami")[0] == 200


def test_a_body_at_its_bound_is_taken_and_one_octet_more_is_not(service: Running) -> None:
    connection = service.connection()
    connection.request("POST", "/trial/echo", b"x" * 1000)
    assert len(connection.getresponse().read()) == 1000

    connection.request("POST", "/trial/echo", b"x" * 1001)
    response = connection.getresponse()

    assert response.status == 413
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["connection"] == "close"


def test_a_body_without_a_length_is_bounded_too(service: Running) -> None:
    connection = service.connection()
    connection.request("POST", "/trial/echo", iter([b"x" * 600, b"y" * 600]), encode_chunked=True)

    assert connection.getresponse().status == 413


@pytest.mark.parametrize("headers", [{"x-long": "x" * 20_000}, {f"x-{number}": "1" for number in range(70)}])
def test_a_head_that_is_too_large_is_refused(service: Running, headers: dict[str, str]) -> None:
    connection = service.connection()
    connection.request("GET", "/trial/whoami", headers=headers)

    assert connection.getresponse().status == 431


def test_what_is_no_http_is_answered_with_400_and_words_of_ours(service: Running) -> None:
    with socket.create_connection(("localhost", service.https), timeout=PATIENCE) as raw:
        secured = service.context().wrap_socket(raw, server_hostname="localhost")
        secured.sendall(b"\x00\x01 secret-words\r\n\r\n")
        answer = _everything(secured)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"secret-words" not in answer
    told = [json.loads(line) for line in service.log().splitlines()]
    assert "request.refused" in {line["event"] for line in told}


def test_an_error_that_escapes_a_protocol_becomes_problem_details(service: Running) -> None:
    connection = service.connection()
    connection.request("GET", "/trial/refuse")
    response = connection.getresponse()
    problem = json.loads(response.read())

    assert response.status == 403
    assert response.headers["content-type"] == "application/problem+json"
    assert problem["detail"] == "you may not"
    assert problem["hint"] == "ask somebody"


def test_a_bug_is_answered_without_detail_and_logged_without_the_body(service: Running) -> None:
    connection = service.connection()
    connection.request("POST", "/trial/fail", _SECRET, {"authorization": f"Bearer {_SECRET}"})
    response = connection.getresponse()
    body = response.read().decode()

    assert response.status == 500
    assert _SECRET not in body
    assert "ValueError" not in body
    eventually(lambda: "handfast_trial.py" in service.log(), "the place of the bug is in the log")
    assert _SECRET not in service.log()


def test_each_request_is_in_the_log_when_that_is_asked_for(service: Running) -> None:
    connection = service.connection()
    assert get(connection, "/api/caller?secret=word")[0] == 401
    assert get(connection, "/trial/whoami")[0] == 200

    def logged(route: str) -> list[int]:
        lines = map(json.loads, service.log().splitlines())
        return [one["status"] for one in lines if one["event"] == "request" and one["route"] == route]

    eventually(lambda: 401 in logged("/api") and 200 in logged("/trial/whoami"), "both are in the log")
    assert "word" not in service.log()


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nothing", 404), ("DELETE", "/trial/echo", 405), ("POST", "/feed", 405)]
)
def test_what_is_not_there_is_said_so(service: Running, method: str, path: str, status: int) -> None:
    connection = service.connection()
    connection.request(method, path)

    assert connection.getresponse().status == status


def test_plain_http_serves_only_what_needs_no_tls(service: Running) -> None:
    plain = http.client.HTTPConnection("localhost", service.http, timeout=PATIENCE)

    assert get(plain, "/trial/label/some%20name/end") == (200, "some name")
    assert get(plain, "/trial/whoami")[0] == 404
    assert get(plain, "/health/ready")[0] == 200
    assert get(service.connection(), "/trial/label/x/end") == (200, "x")


@pytest.mark.parametrize(
    ("told", "path", "is_plain"),
    [
        ("/api", "/api/openapi.json", False),
        ("/feed", "/feed?after=0", False),
        ("/trial/label/{label}/end", "/trial/label/x/end", True),
        ("/trial/whoami", "/trial/whoami", False),
    ],
)
def test_what_it_says_it_serves_is_served(service: Running, told: str, path: str, is_plain: bool) -> None:
    plain = http.client.HTTPConnection("localhost", service.http, timeout=PATIENCE)

    assert service.plain[told] is is_plain
    assert get(service.connection(), path)[0] == 200
    assert get(plain, path)[0] == (200 if is_plain else 404)


def test_a_large_answer_comes_whole(service: Running) -> None:
    plain = http.client.HTTPConnection("localhost", service.http, timeout=PATIENCE)

    assert len(get(plain, "/trial/large")[1]) == 5_000_000


def test_head_is_answered_without_a_body(service: Running) -> None:
    connection = service.connection()
    connection.request("HEAD", "/trial/whoami")
    response = connection.getresponse()

    assert response.status == 200
    assert int(response.headers["content-length"]) > 0
    assert response.read() == b""


def _everything(secured: ssl.SSLSocket) -> bytes:
    data = b""
    while piece := secured.recv(65536):
        data += piece
    return data


@pytest.mark.parametrize(
    ("method", "path", "body", "answer"),
    [
        ("GET", "/trial/ready/r%2Fx", b"", b"ready:r%2Fx"),
        ("GET", "/trial/ready/other/x", b"", b"handled:other/x"),
        ("POST", "/trial/ready", b"r" * 100, b"ready:" + b"r" * 100),
        ("POST", "/trial/ready", b"other", b"handled:other"),
    ],
)
def test_an_answer_that_lies_ready_is_given_and_another_is_made(
    service: Running, method: str, path: str, body: bytes, answer: bytes
) -> None:
    for connection in (service.connection(), http.client.HTTPConnection("localhost", service.http, timeout=PATIENCE)):
        for _ in range(2):
            connection.request(method, path, body)
            response = connection.getresponse()
            assert (response.status, response.read()) == (200, answer)
            assert response.headers["date"]


def test_bounds_hold_where_answers_lie_ready(service: Running) -> None:
    connection = service.connection()
    connection.request("POST", "/trial/ready", b"r" * 101)
    assert connection.getresponse().status == 413

    connection = service.connection()
    connection.request("POST", "/trial/ready", iter([b"r" * 60, b"r" * 60]), encode_chunked=True)
    assert connection.getresponse().status == 413


def test_requests_in_one_go_are_answered_in_their_order(service: Running) -> None:
    asked = [b"/trial/ready/r1", b"/trial/label/2/end", b"/trial/ready/r3", b"/trial/ready/4", b"/trial/ready/r5"]
    last = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    sent = b"".join(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path for path in asked) + last

    with socket.create_connection(("localhost", service.https), timeout=PATIENCE) as raw:
        secured = service.context().wrap_socket(raw, server_hostname="localhost")
        secured.sendall(sent)
        answer = _everything(secured)

    # While one of them is being handled, what comes after it is not answered before it, and so not from what is ready.
    in_order = (b"ready:r1", b"\r\n\r\n2", b"handled:r3", b"handled:4", b"handled:r5", b"live")
    found = [answer.index(one) for one in in_order]
    assert found == sorted(found)
    assert answer.count(b"HTTP/1.1 200") == 6


def test_requests_that_are_known_are_answered_as_those_that_were_parsed(service: Running) -> None:
    get = b"GET /trial/ready/r%d HTTP/1.1\r\nHost: a\r\n\r\n"
    post = b"POST /trial/ready HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nr%d"
    pieces = [[get % 1], [get % 2], [post % 3], [post % 4], [get % 5 + get % 6], [get % 5 + get % 6]]
    pieces += [[(get % 7)[:30], (get % 7)[30:]], [get % 8]]
    with socket.create_connection(("localhost", service.http), timeout=PATIENCE) as raw:
        stream = raw.makefile("rb")
        found = []
        for parts in pieces:
            for part in parts:
                raw.sendall(part)
            found += [_answer(stream) for _ in range(b"".join(parts).count(b"HTTP/1.1"))]
    assert found == [b"ready:r%d" % number for number in (1, 2, 3, 4, 5, 6, 5, 6, 7, 8)]

    last = (get % 9).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    for _ in range(2):
        with socket.create_connection(("localhost", service.http), timeout=PATIENCE) as raw:
            raw.sendall(last)
            assert raw.makefile("rb").read().endswith(b"ready:r9")


def _answer(stream: BinaryIO) -> bytes:
    lines = list(iter(stream.readline, b"\r\n"))
    assert lines[0].startswith(b"HTTP/1.1 200")
    return stream.read(next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length")))


def test_who_has_a_certificate_is_looked_up_also_where_answers_lie_ready(service: Running, tmp_path: Path) -> None:
    issued = client_files(service.directory, "dave", tmp_path / "dave")
    connection = service.connection(tmp_path / "dave")
    assert get(connection, "/trial/ready/r")[0] == 200

    with opened(service.directory) as authority:
        authority.revoke(issued.record)

    assert get(connection, "/trial/ready/r")[0] == 403
