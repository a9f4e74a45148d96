"""`handfast serve` and clients whose HTTP is odd, by sockets: what is legal is answered, what is not costs little."""

import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from handfast.keys.generate import generate_key
from handfast.pki.csr import build_request
from tests.serving import PATIENCE, Running, authority_in, eventually, rest_of, running

_SETTINGS = '[serve]\nrequest_timeout = "4s"\nlog_requests = true\n'


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    workplace = tmp_path_factory.mktemp("http")
    authority_in(workplace / "ca", _SETTINGS)
    with running(workplace / "ca", workplace=workplace) as one:
        yield one


def _connected(service: Running) -> socket.socket:
    return socket.create_connection(("localhost", service.http), timeout=PATIENCE)


def test_who_ends_its_side_after_asking_still_gets_the_answer(service: Running) -> None:
    with _connected(service) as connection:
        connection.sendall(b"GET /trial/label/one/end HTTP/1.1\r\nHost: a\r\n\r\n" * 3)
        connection.shutdown(socket.SHUT_WR)

        assert rest_of(connection).count(b"\r\n\r\none") == 3

    with _connected(service) as connection:
        connection.sendall(b"POST /ocsp HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf")
        connection.shutdown(socket.SHUT_WR)

        assert rest_of(connection) == b""


def test_a_head_in_two_pieces_may_have_a_large_body_behind_it(service: Running) -> None:
    body = b"x" * 60_000
    with _connected(service) as connection:
        connection.sendall(b"POST /ocsp HTTP/1.1\r\n")
        # The pieces must not come as one.
        time.sleep(0.2)
        connection.sendall(b"Host: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

        assert rest_of(connection).startswith(b"HTTP/1.1 200 ")


_BODY_ENDED = b"POST /ocsp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"


@pytest.mark.parametrize(
    ("begun", "flood"),
    [(_BODY_ENDED, b"X: 1\r\n" * 9000), (_BODY_ENDED + b"X: ", b"x" * 60_000), (b"", b"\r\n" * 20_000)],
    ids=["lines after a body", "a long one", "empty lines"],
)
def test_what_belongs_to_no_request_is_bounded(service: Running, begun: bytes, flood: bytes) -> None:
    before = service.log().count('"status": 431')
    with _connected(service) as connection:
        connection.sendall(begun)
        try:
            for _ in range(100):
                connection.sendall(flood)
                time.sleep(0.01)
        except OSError:
            pass
        rest_of(connection)

    assert service.log().count('"status": 431') == before + 1


def test_lines_after_a_chunked_body_do_no_harm(service: Running) -> None:
    head = b"POST /trial/ready HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    with _connected(service) as connection:
        connection.sendall(head + b"2;a=b\r\nab\r\n1\r\nc\r\n0\r\nX-Check: 1\r\n\r\n")

        assert rest_of(connection).endswith(b"handled:abc")


def test_a_body_may_come_in_very_many_small_chunks(service: Running) -> None:
    with _connected(service) as connection:
        connection.sendall(_BODY_ENDED.removesuffix(b"0\r\n").replace(b"Host: a", b"Host: a\r\nConnection: close"))
        for _ in range(20):
            connection.sendall(b"1\r\nx\r\n" * 1000)
            time.sleep(0.01)
        connection.sendall(b"0\r\n\r\n")

        assert rest_of(connection).startswith(b"HTTP/1.1 200 ")


def test_what_comes_after_a_request_and_is_none_is_not_answered_before_it(service: Running) -> None:
    with _connected(service) as connection:
        connection.sendall(b"GET /trial/label/one/end HTTP/1.1\r\nHost: a\r\n\r\n" * 2 + b"\x00 no request\r\n\r\n")
        answer = rest_of(connection)

    assert answer.count(b"HTTP/1.1 200 ") == answer.count(b"HTTP/1.1 ") == 2


def test_who_was_refused_during_an_answer_gets_that_one_and_no_more(service: Running, tmp_path: Path) -> None:
    before = service.log().count('"status": 431')
    asked = b"GET /trial/wait HTTP/1.1\r\nHost: a\r\nX-Folder: %s\r\n\r\n" % str(tmp_path).encode()
    raw = socket.create_connection(("localhost", service.https), timeout=PATIENCE)
    with service.context().wrap_socket(raw, server_hostname="localhost") as connection:
        connection.sendall(asked)
        eventually((tmp_path / "begun").exists, "it is being answered")
        connection.sendall(b"\r\n" * 20_000)
        eventually(lambda: service.log().count('"status": 431') > before, "the empty lines are refused")
        connection.sendall(b"GET /trial/label/one/end HTTP/1.1\r\nHost: a\r\n\r\n")
        # It has to be there before the answer is.
        time.sleep(0.2)
        (tmp_path / "go").touch()
        answer = rest_of(connection)

    assert answer.endswith(b"\r\n\r\ndone")
    assert answer.count(b"HTTP/1.1 200 ") == answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("question", [b"r", b"o"], ids=["ready", "handled"])
def test_who_takes_none_of_many_small_answers_is_cut_off(service: Running, question: bytes) -> None:
    before = service.log().count("answer.not-taken")
    request = b"GET /trial/ready/" + question * 8000 + b" HTTP/1.1\r\nHost: a\r\n\r\n"
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", service.http))
        deaf.settimeout(1)
        try:
            for _ in range(4000):
                deaf.sendall(request)
        except OSError:
            pass  # the service takes no more, or has ended it

        eventually(lambda: service.log().count("answer.not-taken") > before, "the service gave up")


def test_who_takes_a_large_answer_slowly_gets_all_of_it(service: Running) -> None:
    sizes: list[int] = []

    def take(port: int, context: ssl.SSLContext | None) -> None:
        with socket.socket() as raw:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
            raw.settimeout(PATIENCE)
            raw.connect(("127.0.0.1", port))
            connection = context.wrap_socket(raw, server_hostname="localhost") if context else raw
            connection.sendall(b"GET /trial/large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            size = 0
            while piece := connection.recv(16384):
                size += len(piece)
                time.sleep(len(piece) / 250_000)
            sizes.append(size)
            connection.close()

    takers = [
        threading.Thread(target=take, args=arguments)
        for arguments in ((service.http, None), (service.https, service.context()))
    ]
    for one in takers:
        one.start()
    for one in takers:
        one.join()

    assert [size > 5_000_000 for size in sizes] == [True, True]


def test_many_requests_in_one_go_do_not_pile_up(service: Running) -> None:
    count, before = 60_000, _memory(service)
    with _connected(service) as connection:
        sender = threading.Thread(target=connection.sendall, args=(b"GET /no HTTP/1.1\r\nHost: a\r\n\r\n" * count,))
        sender.start()
        most, answered, rest = before, 0, b""
        while answered < count and (piece := connection.recv(1 << 20)):
            answered += (rest + piece).count(b"HTTP/1.1 404")
            rest, most = piece[-11:], max(most, _memory(service))
        sender.join()

    assert answered == count
    assert most - before < 40 << 20


def test_every_line_of_the_log_is_an_event(service: Running) -> None:
    upgrade = b"GET /ocsp/x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: %s\r\n\r\n"
    for sent in (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", upgrade % b"h2c", upgrade % b"websocket"):
        with _connected(service) as connection:
            connection.sendall(sent)
            assert rest_of(connection).startswith(b"HTTP/1.1 ")

    # cryptography warns of such a name when it is made, and when it is read.
    with pytest.warns(UserWarning, match="length"):
        long = x509.NameAttribute(NameOID.COMMON_NAME, "a" * 65, _validate=False)
    asked = build_request(generate_key(), subject=x509.Name([long])).public_bytes(Encoding.DER)
    secured = service.connection()
    secured.request("POST", "/.well-known/est/simpleenroll", asked, {"Content-Type": "application/pkcs10"})
    assert secured.getresponse().status == 401

    assert '"library": "py.warnings"' in service.log()
    assert all("event" in json.loads(line) for line in service.log().splitlines())


def _memory(service: Running) -> int:
    """Resident memory, in octets."""
    pages = Path(f"/proc/{service.process.pid}/statm").read_text().split()[1]
    return int(pages) * 4096
