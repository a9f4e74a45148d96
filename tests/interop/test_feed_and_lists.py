"""A running service publishes by itself: the feed tells of a revocation, and the lists over plain HTTP have it."""

import http.client
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from handfast.ca.records import Reason
from tests.programs import required_program
from tests.serving import PATIENCE, Running, authority_in, client_files, curl, eventually, get, opened, running

SETTINGS = 'crl_shards = 2\ncrl_deltas = true\n[service]\nurl = "http://pki.example.org"\n'


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("feed")
    authority_in(folder / "ca", SETTINGS)
    with running(folder / "ca", workplace=folder) as running_service:
        yield running_service


def plain(service: Running, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("localhost", service.http, timeout=PATIENCE)
    try:
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    finally:
        connection.close()


def listed(service: Running, name: str) -> set[int]:
    status, _, body = plain(service, f"/crl/{name}.crl")
    return {one.serial_number for one in x509.load_der_x509_crl(body)} if status == 200 else set()


def revoke(service: Running, serial: int, reason: Reason = Reason.KEY_COMPROMISE) -> None:
    with opened(service.directory) as authority:
        authority.revoke(authority.store.by_serial(serial)[0], reason)


def test_what_is_revoked_comes_into_every_list_by_itself(service: Running, tmp_path: Path) -> None:
    issued = client_files(service.directory, "alice", tmp_path / "alice")
    serial = issued.certificate.serial_number
    points = issued.certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    shard = points[0].full_name[0].value.rpartition("/")[2].removesuffix(".crl")
    assert shard in {"issuing-1", "issuing-2"}
    revoke(service, serial)
    for name in ("issuing", "issuing-delta", shard):
        eventually(lambda name=name: serial in listed(service, name), f"{name} has the revocation")  # type: ignore[misc]  # bound where it is made
    other = "issuing-1" if shard == "issuing-2" else "issuing-2"
    assert serial not in listed(service, other)


def test_a_list_is_answered_briefly_to_who_has_it(service: Running) -> None:
    eventually(lambda: plain(service, "/crl/root.crl")[0] == 200, "the root's CRL is published")
    status, headers, body = plain(service, "/crl/root.crl")
    assert (status, headers["content-type"]) == (200, "application/pkix-crl")
    assert "max-age=" in headers["cache-control"]
    assert plain(service, "/crl/root.crl", "HEAD")[2] == b""
    for condition in ({"If_None_Match": headers["etag"]}, {"If_Modified_Since": headers["last-modified"]}):
        status, _, rest = plain(service, "/crl/root.crl", **condition)
        assert (status, rest) == (304, b"")
    status, _, again = plain(service, "/crl/root.crl", If_None_Match='"other"')
    assert (status, again) == (200, body)


def test_curl_that_goes_by_the_time_of_its_file_misses_no_list(service: Running, tmp_path: Path) -> None:
    required_program("curl")
    issued = client_files(service.directory, "erik", tmp_path / "erik")
    address, file = f"http://localhost:{service.http}/crl/issuing.crl", tmp_path / "issuing.crl"
    assert curl(service, "-o", file, address).returncode == 0
    revoke(service, issued.certificate.serial_number)
    eventually(lambda: issued.certificate.serial_number in listed(service, "issuing"), "a list with it is published")

    def has_it() -> bool:
        assert curl(service, "-z", file, "-o", file, address).returncode == 0
        found = x509.load_der_x509_crl(file.read_bytes())
        return found.get_revoked_certificate_by_serial_number(issued.certificate.serial_number) is not None

    # In the second of its publication a list cannot be told from one of the same second.
    eventually(has_it, "curl takes the list with it")


def test_ca_certificates_are_where_certificates_say(service: Running) -> None:
    status, headers, body = plain(service, "/ca/issuing.cer")
    assert (status, headers["content-type"]) == (200, "application/pkix-cert")
    assert "Issuing" in x509.load_der_x509_certificate(body).subject.rfc4514_string()
    assert plain(service, "/ca/issuing.p7c")[0] == 200


@pytest.mark.parametrize("path", ["/crl/nobody.crl", "/crl/issuing-0.crl", "/crl/issuing-99.crl", "/ca/nobody.cer"])
def test_what_is_not_there_is_not_found(service: Running, path: str) -> None:
    assert plain(service, path)[0] == 404


def test_a_follower_that_waits_is_told(service: Running, tmp_path: Path) -> None:
    issued = client_files(service.directory, "bob", tmp_path / "bob")
    connection = service.connection()
    _, text = get(connection, "/feed?after=0")
    cursor = json.loads(text.splitlines()[-1])["id"] if text else 0
    told: list[str] = []
    waiting = threading.Thread(target=lambda: told.append(get(connection, f"/feed?after={cursor}&wait=60")[1]))
    waiting.start()
    revoke(service, issued.certificate.serial_number, Reason.SUPERSEDED)
    waiting.join(PATIENCE)
    (document,) = [json.loads(line) for line in told[0].splitlines()]
    assert document["serial"] == f"{issued.certificate.serial_number:x}"
    assert (document["issuer"], document["reason"]) == ("issuing", "superseded")
    assert document["id"] > cursor


def test_a_stream_of_events_goes_on_from_a_cursor(service: Running, tmp_path: Path) -> None:
    issued = client_files(service.directory, "carol", tmp_path / "carol")
    connection = service.connection()
    connection.request("GET", "/feed?after=now", headers={"accept": "text/event-stream"})
    response = connection.getresponse()
    assert response.headers["content-type"] == "text/event-stream"
    revoke(service, issued.certificate.serial_number)
    while not (line := response.readline()).startswith(b"data: "):
        assert line
    document = json.loads(line[6:])
    assert document["serial"] == f"{issued.certificate.serial_number:x}"
    connection.close()
    again = service.connection()
    again.request("GET", "/feed", headers={"accept": "text/event-stream", "last-event-id": str(document["id"] - 1)})
    response = again.getresponse()
    while not (line := response.readline()).startswith(b"data: "):
        assert line
    assert json.loads(line[6:]) == document
    again.close()


@pytest.mark.parametrize(
    ("query", "status"), [("after=x", 400), ("after=-1", 400), ("wait=soon", 400), ("after=999999999", 409)]
)
def test_a_cursor_that_cannot_be_is_refused(service: Running, query: str, status: int) -> None:
    connection = service.connection()
    assert get(connection, f"/feed?{query}")[0] == status
    connection.close()


def test_who_is_revoked_is_refused_by_the_feed_too(service: Running, tmp_path: Path) -> None:
    issued = client_files(service.directory, "dora", tmp_path / "dora")
    connection = service.connection(tmp_path / "dora")
    assert get(connection, "/feed?after=now")[0] == 200

    revoke(service, issued.certificate.serial_number)

    status, body = get(connection, "/feed?after=now")
    assert (status, "revoked" in body) == (403, True)
    connection.close()
