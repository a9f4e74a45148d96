"""The egress client against a real server on loopback: what it refuses, how it is bounded, what it remembers."""

import ipaddress
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from handfast.client.addresses import EgressPolicy, is_permitted
from handfast.client.egress import Message, fetch
from handfast.client.fetch import Fetcher
from handfast.errors import ConfigError, Malformed, Refused, Unavailable
from tests.loopback_http import Server, body, http_server

NOW = datetime(2026, 6, 1, tzinfo=UTC)
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
OPEN = EgressPolicy(allowed=LOOPBACK, timeout=20)


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with http_server() as server:
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    running.answers.clear()
    running.asked.clear()
    return running


def crl(ends: datetime) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "CA")])
    builder = x509.CertificateRevocationListBuilder().issuer_name(name).last_update(NOW - timedelta(days=9))
    key = ec.generate_private_key(ec.SECP256R1())
    return builder.next_update(ends).sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def test_a_body_is_fetched(server: Server) -> None:
    server.answers["/a?b=1"] = body(b"hello")
    assert fetch(f"{server.url}/a?b=1", policy=OPEN) == b"hello"


def test_a_message_is_posted_with_its_type(server: Server) -> None:
    def echo(handler: BaseHTTPRequestHandler) -> None:
        sent = handler.rfile.read(int(handler.headers["Content-Length"]))
        body(sent + handler.headers["Content-Type"].encode())(handler)

    server.answers["/ocsp"] = echo
    message = Message(b"request", "application/ocsp-request")
    assert fetch(f"{server.url}/ocsp", policy=OPEN, message=message) == b"requestapplication/ocsp-request"


def test_loopback_is_refused_unless_it_is_configured(server: Server) -> None:
    with pytest.raises(ConfigError, match="not public"):
        fetch(f"{server.url}/", policy=EgressPolicy())
    assert server.asked == []


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "169.254.169.254", "100.100.100.200", "168.63.129.16", "0.0.0.0", "224.0.0.1", "::1",
     "fe80::1", "fd00:ec2::254", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"],
)  # fmt: skip
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    assert not is_permitted(ipaddress.ip_address(address), EgressPolicy())


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"])
def test_public_addresses_are_permitted(address: str) -> None:
    assert is_permitted(ipaddress.ip_address(address), EgressPolicy())


def test_a_redirect_to_an_address_that_is_not_permitted_is_refused(server: Server) -> None:
    server.answers["/away"] = body(b"", 302, Location="http://169.254.169.254/latest/meta-data")
    with pytest.raises(ConfigError, match=r"169\.254\.169\.254"):
        fetch(f"{server.url}/away", policy=OPEN)


def test_a_redirect_is_followed(server: Server) -> None:
    server.answers["/old"] = body(b"", 301, Location="/new")
    server.answers["/new"] = body(b"here")
    assert fetch(f"{server.url}/old", policy=OPEN) == b"here"


def test_where_none_is_followed_a_redirect_is_told_without_its_target(server: Server) -> None:
    server.answers["/old"] = body(b"", 302, Location="http://169.254.169.254/latest")
    with pytest.raises(Unavailable, match=r"/old redirects to another place, which is not followed"):
        fetch(f"{server.url}/old", policy=replace(OPEN, redirects=0))


def test_redirects_in_a_circle_end(server: Server) -> None:
    server.answers["/loop"] = body(b"", 302, Location="/loop")
    with pytest.raises(Unavailable, match="redirects more than 3 times"):
        fetch(f"{server.url}/loop", policy=OPEN)
    assert len(server.asked) == 4


def test_the_largest_size_passes_and_one_more_byte_does_not(server: Server) -> None:
    policy = EgressPolicy(allowed=LOOPBACK, timeout=20, largest=100)
    server.answers["/limit"], server.answers["/over"] = body(b"x" * 100), body(b"x" * 101)
    assert len(fetch(f"{server.url}/limit", policy=policy)) == 100
    with pytest.raises(Malformed, match="more than 100 bytes"):
        fetch(f"{server.url}/over", policy=policy)


def test_a_server_that_trickles_is_cut_off(server: Server) -> None:
    released = threading.Event()

    def trickle(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            while not released.wait(0.05):
                handler.wfile.write(b"x")
        except OSError:
            return

    server.answers["/slow"] = trickle
    try:
        fetch(f"{server.url}/slow", policy=EgressPolicy(allowed=LOOPBACK, timeout=0.5))
    except Unavailable:
        return
    finally:
        released.set()


def test_a_body_that_ends_early_is_refused(server: Server) -> None:
    def short(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "10")
        handler.end_headers()
        handler.wfile.write(b"abc")

    server.answers["/short"] = short
    with pytest.raises(Unavailable, match=r"early|Incomplete"):
        fetch(f"{server.url}/short", policy=OPEN)


def test_an_answer_other_than_200_is_refused_in_the_servers_words(server: Server) -> None:
    server.answers["/gone"] = body(b"", 404)
    with pytest.raises(Refused, match="404 Not Found"):
        fetch(f"{server.url}/gone", policy=OPEN)


@pytest.mark.parametrize(
    "url", ["ftp://example.com/", "file:///etc/passwd", "ldap://x/", "http://", "http://u@h/", "http://h:0/",
            "http://h:x/", "http://[/", "http://h/a b", "http://h/\r\nX: y", ""],
)  # fmt: skip
def test_what_is_no_http_url_is_refused(url: str) -> None:
    with pytest.raises(Malformed):
        fetch(url, policy=OPEN)


def test_a_fresh_crl_comes_from_the_cache(server: Server, tmp_path: Path) -> None:
    data = crl(NOW + timedelta(hours=1))
    server.answers["/crl"] = body(data)
    fetcher = Fetcher(OPEN, tmp_path / "cache", clock=lambda: NOW)
    assert [fetcher.crl(f"{server.url}/crl") for _ in range(3)] == [data] * 3
    assert server.asked == ["/crl"]
    (file,) = (tmp_path / "cache").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


def test_what_ended_is_fetched_again(server: Server, tmp_path: Path) -> None:
    server.answers["/crl"] = body(crl(NOW + timedelta(hours=1)))
    Fetcher(OPEN, tmp_path, clock=lambda: NOW).crl(f"{server.url}/crl")
    Fetcher(OPEN, tmp_path, clock=lambda: NOW + timedelta(hours=2)).crl(f"{server.url}/crl")
    assert server.asked == ["/crl", "/crl"]


def test_nothing_stays_in_the_cache_for_longer_than_a_day(server: Server, tmp_path: Path) -> None:
    server.answers["/crl"] = body(crl(NOW + timedelta(days=3000)))
    Fetcher(OPEN, tmp_path, clock=lambda: NOW).crl(f"{server.url}/crl")
    Fetcher(OPEN, tmp_path, clock=lambda: NOW + timedelta(hours=25)).crl(f"{server.url}/crl")
    assert len(server.asked) == 2


def test_offline_answers_from_the_cache_only(server: Server, tmp_path: Path) -> None:
    data = crl(NOW + timedelta(hours=1))
    server.answers["/crl"] = body(data)
    offline = Fetcher(OPEN, tmp_path, offline=True, clock=lambda: NOW)
    with pytest.raises(Unavailable, match="offline"):
        offline.crl(f"{server.url}/crl")
    Fetcher(OPEN, tmp_path, clock=lambda: NOW).crl(f"{server.url}/crl")
    assert offline.crl(f"{server.url}/crl") == data


def test_a_damaged_cache_file_counts_as_absent(server: Server, tmp_path: Path) -> None:
    data = crl(NOW + timedelta(hours=1))
    server.answers["/crl"] = body(data)
    fetcher = Fetcher(OPEN, tmp_path, clock=lambda: NOW)
    fetcher.crl(f"{server.url}/crl")
    for file in tmp_path.iterdir():
        file.write_bytes(b"\xff damaged")
    assert fetcher.crl(f"{server.url}/crl") == data


def test_what_is_no_crl_is_not_remembered(server: Server, tmp_path: Path) -> None:
    server.answers["/crl"] = body(b"<html>not found</html>")
    with pytest.raises(Malformed, match="not a CRL"):
        Fetcher(OPEN, tmp_path, clock=lambda: NOW).crl(f"{server.url}/crl")
    assert list(tmp_path.iterdir()) == []
