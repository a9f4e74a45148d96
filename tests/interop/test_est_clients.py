"""EST by `handfast serve`, asked by curl and by strongSwan's pki: enroll, renew, wait for approval (RFC 7030)."""

import base64
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.client import HTTPSConnection
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from handfast.ca.policy import Grant, Requester
from handfast.ca.records import Reason
from handfast.keys.generate import generate_key, new_secret
from handfast.pki import der
from handfast.pki.csr import build_request
from handfast.pki.csr_attributes import CHALLENGE_PASSWORD
from handfast.pki.keys import PrivateKey
from handfast.pki.names import parse_names
from handfast.pki.pem import to_pem
from handfast.pki.subject import parse_subject
from tests.est_world import basic, csr_with
from tests.programs import required_program
from tests.serving import PATIENCE, Running, authority_in, curl, eventually, opened, running

SETTINGS = """
[serve]
tls_minimum = "1.2"
[est]
wrap = false
retry_after = "1s"
[est.labels.lines]
profile = "device"
wrap = true
[profiles.waiting]
like = "device"
approvals = 1
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    workplace = tmp_path_factory.mktemp("est")
    authority_in(workplace / "ca", SETTINGS)
    with running(workplace / "ca", workplace=workplace) as one:
        yield one


def url(service: Running, operation: str) -> str:
    return f"https://localhost:{service.https}/.well-known/est/{operation}"


def new_token(service: Running, *names: str, profile: str = "device") -> str:
    secret = new_secret("hft_")
    with opened(service.directory) as authority:
        authority.office.make_token(secret, profile, names)
    return secret


def made_request(folder: Path, name: str, *names: str) -> PrivateKey:
    """A key and its request, as files in that folder: key.pem, csr.pem, csr.der and csr.b64."""
    folder.mkdir(exist_ok=True)
    key = generate_key()
    request = build_request(key, subject=parse_subject(f"CN={name}"), names=parse_names(names))
    encoded = request.public_bytes(Encoding.DER)
    (folder / "key.pem").write_text(to_pem(key))
    (folder / "csr.pem").write_text(to_pem(request))
    (folder / "csr.der").write_bytes(encoded)
    (folder / "csr.b64").write_bytes(base64.encodebytes(encoded))
    return key


def posted(service: Running, operation: str, folder: Path, *options: str | Path) -> tuple[int, bytes]:
    """Status and body of curl's POST of the request in that folder."""
    body = ("-H", "Content-Type: application/pkcs10", "--data-binary", f"@{folder / 'csr.b64'}")
    done = curl(service, *body, *options, "-o", folder / "answer", "-w", "%{http_code}", url(service, operation))
    assert done.returncode == 0, done.stderr
    return int(done.stdout), (folder / "answer").read_bytes() if (folder / "answer").exists() else b""


def certificate_in(body: bytes) -> x509.Certificate:
    (certificate,) = pkcs7.load_der_pkcs7_certificates(base64.b64decode(body))
    return certificate


def test_curl_gets_the_ca_certificates_without_trusting_anybody_yet(service: Running, tmp_path: Path) -> None:
    required_program("curl")
    done = curl(service, "--insecure", url(service, "cacerts"))
    (tmp_path / "cacerts.der").write_bytes(base64.b64decode(done.stdout))

    read: list[str | Path] = ["openssl", "pkcs7", "-inform", "DER", "-in", tmp_path / "cacerts.der", "-print_certs"]
    shown = subprocess.run(read, capture_output=True, timeout=PATIENCE, check=True).stdout

    assert x509.load_pem_x509_certificate(service.root.read_bytes()) in x509.load_pem_x509_certificates(shown)


def test_curl_enrolls_renews_and_is_refused_once_revoked(service: Running, tmp_path: Path) -> None:
    required_program("curl")
    key = made_request(tmp_path, "cam-1", "cam-1.example.org")
    token = new_token(service, "cam-1", "cam-1.example.org")

    status, body = posted(service, "simpleenroll", tmp_path, "-u", f"cam-1:{token}")

    assert status == 200
    first = certificate_in(body)
    assert first.public_key() == key.public_key()
    (tmp_path / "first.pem").write_text(to_pem(first))
    by_certificate = ("--cert", tmp_path / "first.pem", "--key", tmp_path / "key.pem")
    status, body = posted(service, "simplereenroll", tmp_path, *by_certificate)
    assert status == 200
    assert certificate_in(body).serial_number != first.serial_number
    with opened(service.directory) as authority:
        authority.revoke(authority.find_certificate(first), Reason.KEY_COMPROMISE)
    status, body = posted(service, "simplereenroll", tmp_path, *by_certificate)
    assert status == 403
    assert b"revoked" in body


def test_curl_without_credentials_is_told_to_authenticate_without_a_body(service: Running, tmp_path: Path) -> None:
    required_program("curl")
    made_request(tmp_path, "cam-2")

    head = curl(
        service, "-D", "-", "-H", "Content-Type: application/pkcs10", "--data-binary",
        f"@{tmp_path / 'csr.b64'}", url(service, "simpleenroll"),
    ).stdout.lower()  # fmt: skip

    assert head.startswith("http/1.1 401")
    assert "content-length: 0\n" in head
    assert 'www-authenticate: basic realm="' in head


def test_curl_gets_a_key_and_the_attributes_and_an_honest_no(service: Running, tmp_path: Path) -> None:
    required_program("curl")
    made_request(tmp_path, "cam-3")

    status, body = posted(service, "serverkeygen", tmp_path, "-u", f":{new_token(service, 'cam-3')}")
    attributes = curl(service, "-D", "-", url(service, "device/csrattrs")).stdout
    refused, why = posted(service, "fullcmc", tmp_path)

    assert status == 200
    assert body.count(b"Content-Type: ") == 2
    assert b"Content-Type: application/pkcs8\r\n" in body
    assert "application/csrattrs" in attributes
    assert refused == 501
    assert why.startswith(b"full CMC is not offered")


def test_curl_waits_for_approval_by_repeating_its_request(service: Running, tmp_path: Path) -> None:
    required_program("curl")
    made_request(tmp_path, "gate-1")
    token = new_token(service, "gate-1", profile="waiting")

    status, body = posted(service, "waiting/simpleenroll", tmp_path, "-u", f":{token}", "-D", tmp_path / "head")

    assert (status, body) == (202, b"")
    head = (tmp_path / "head").read_text().lower()
    assert "retry-after: " in head
    assert "content-length: 0\n" in head
    approve(service, "gate-1")
    status, body = posted(service, "waiting/simpleenroll", tmp_path, "-u", f":{token}")
    assert status == 200
    assert certificate_in(body)


def approve(service: Running, name: str) -> None:
    with opened(service.directory) as authority:
        (waiting,) = [one for one in authority.pending() if f"CN={name}" in one.subject]
        authority.approve(waiting.transaction, Requester("ann", frozenset({Grant.APPROVE, Grant.READ})))


@pytest.mark.parametrize("wrong", [False, True])
def test_the_channel_binding_is_that_of_the_connection_with_tls_1_2(service: Running, wrong: bool) -> None:
    token = new_token(service, "cam-4")
    connection = service.connection(version=ssl.TLSVersion.TLSv1_2)

    status, _ = bound(connection, token, wrong=wrong)

    assert status == (403 if wrong else 200)


def test_with_tls_1_3_a_channel_binding_is_refused_in_words(service: Running) -> None:
    status, body = bound(service.connection(), new_token(service, "cam-4"), wrong=True)

    assert status == 403
    assert b"cannot be checked: TLS 1.3" in body


def bound(connection: HTTPSConnection, token: str, *, wrong: bool) -> tuple[int, bytes]:
    connection.connect()
    unique = connection.sock.get_channel_binding("tls-unique") or b"none"
    text = base64.b64encode(b"another" if wrong else unique)
    body = csr_with({CHALLENGE_PASSWORD: der.encode(0x0C, text)}, "CN=cam-4", key=generate_key())
    headers = {"content-type": "application/pkcs10", **basic(token)}
    connection.request("POST", "/.well-known/est/simpleenroll", base64.b64encode(body), headers)
    response = connection.getresponse()
    answer = response.status, response.read()
    connection.close()
    return answer


def pki(*arguments: str | Path) -> "subprocess.CompletedProcess[bytes]":
    """strongSwan's pki; what it says is on stderr."""
    required_program("pki")
    command = [str(one) for one in ("pki", *arguments)]
    return subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)


def strongswan(service: Running, folder: Path, *options: str | Path) -> x509.Certificate:
    """What `pki --est` brings. Before 5.9.11 it reads base64 in one line only, and speaks TLS 1.2."""
    where = ("--est", "--url", f"https://localhost:{service.https}", "--cacert", service.root)
    done = pki(*where, "--in", folder / "csr.der", "--outform", "pem", *options)
    assert done.returncode == 0, done.stderr.decode()
    return x509.load_pem_x509_certificate(done.stdout)


def test_strongswan_gets_the_ca_certificates(service: Running, tmp_path: Path) -> None:
    out = ("--caout", tmp_path / "ca.pem", "--outform", "pem", "--force")

    done = pki("--estca", "--url", f"https://localhost:{service.https}", "--cacert", service.root, *out)

    assert done.returncode == 0, done.stderr.decode()
    assert (tmp_path / "ca.pem").read_bytes().strip() == service.root.read_bytes().strip()


def test_strongswan_enrolls_with_a_token_and_renews_with_its_certificate(service: Running, tmp_path: Path) -> None:
    made_request(tmp_path, "gw-1", "gw-1.example.org")
    token = new_token(service, "gw-1", "gw-1.example.org")

    first = strongswan(service, tmp_path, "--userpass", f"gw-1:{token}")

    (tmp_path / "old.pem").write_text(to_pem(first))
    (tmp_path / "old.key").write_text((tmp_path / "key.pem").read_text())
    new_key = made_request(tmp_path, "gw-1", "gw-1.example.org")
    second = strongswan(service, tmp_path, "--cert", tmp_path / "old.pem", "--key", tmp_path / "old.key")
    assert second.public_key() == new_key.public_key()
    assert second.subject == first.subject
    with opened(service.directory) as authority:
        assert authority.find_certificate(second).replaces == first.serial_number


def test_strongswan_polls_until_somebody_approves(service: Running, tmp_path: Path) -> None:
    made_request(tmp_path, "gw-2")
    token = new_token(service, "gw-2", profile="waiting")
    found: list[x509.Certificate] = []

    def client() -> None:
        found.append(strongswan(service, tmp_path, "--userpass", f"gw-2:{token}", "--interval", "1"))

    thread = threading.Thread(target=client)
    thread.start()
    with opened(service.directory) as authority:
        eventually(lambda: any("CN=gw-2" in one.subject for one in authority.pending()), "a request that waits")
    approve(service, "gw-2")
    thread.join(PATIENCE)

    assert found
