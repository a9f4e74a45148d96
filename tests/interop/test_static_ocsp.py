"""OCSP answers as files: nginx serves them, curl asks by GET, `openssl ocsp` verifies what came."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509 import ocsp as library

from handfast.ca.authority import Authority
from handfast.ca.order import Order
from handfast.ca.records import CertificateRecord, Reason
from handfast.client.static_files import Answers
from handfast.errors import ConfigError
from handfast.keys.generate import generate_key
from handfast.keys.passphrase import no_passphrase
from handfast.pki.keys import KeyKind, PrivateKey
from handfast.pki.ocsp import build_request, cert_id, issuer_keys
from handfast.pki.pem import to_pem
from handfast.pki.subject import parse_subject
from handfast.protocols.ocsp import file_name, get_path
from handfast.server.assembly import open_authority
from handfast.server.static_ocsp import write_answers
from tests.programs import required_program
from tests.serving import authority_in
from tests.static_web import static_web

OCSP_TYPE = "location /ocsp/ { types {} default_type application/ocsp-response; }"
COUNT = 200


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[Authority]:
    authority_in(tmp_path / "ca")
    found = open_authority(tmp_path / "ca", passphrase=no_passphrase)
    yield found
    found.store.close()


def issued(authority: Authority, count: int) -> list[CertificateRecord]:
    key = generate_key(KeyKind.P256).public_key()
    orders = [Order(profile="client", public_key=key, subject=parse_subject(f"CN=c{n}")) for n in range(count)]
    return [one.record for one in authority.carry_out([authority.decide(order) for order in orders])]


def written(authority: Authority, folder: Path) -> dict[str, Answers]:
    done = write_answers(authority, folder, keys=folder.parent / "responders", report=lambda _who, _what: None)
    return {one.issuer: one for one in done}


def question(authority: Authority, serial: int, issuer: str = "issuing") -> bytes:
    identity = authority.issuers[issuer].identity
    return build_request([cert_id(issuer_keys(identity.subject, identity.public_key)[0], serial)])


def file_of(authority: Authority, folder: Path, serial: int) -> Path:
    return folder / "ocsp" / file_name(question(authority, serial))


def status(path: Path) -> library.OCSPCertStatus:
    return library.load_der_ocsp_response(path.read_bytes()).certificate_status


def responder_of(path: Path) -> x509.Certificate:
    return library.load_der_ocsp_response(path.read_bytes()).certificates[0]


def ahead(authority: Authority, by: timedelta) -> Authority:
    """The same with a clock that goes before."""
    return replace(authority, clock=lambda: authority.clock() + by)


def test_nginx_answers_curl_and_openssl_agrees(authority: Authority, short_path: Path, tmp_path: Path) -> None:
    records = issued(authority, COUNT)
    for record in records[::3]:
        authority.revoke(record, Reason.KEY_COMPROMISE)
    written(authority, short_path / "pki")
    # Slashes of all kinds must be among them: in the middle, doubled or at the end.
    names = [file_name(question(authority, one.serial)) for one in records]
    assert any("/" in one for one in names)
    with static_web(short_path / "pki", OCSP_TYPE, place=short_path) as socket:
        fetch_all(authority, records, socket, tmp_path / "got")
    for number, record in enumerate(records):
        expected = library.OCSPCertStatus.REVOKED if number % 3 == 0 else library.OCSPCertStatus.GOOD
        assert status(tmp_path / "got" / str(number)) is expected, record
    for number, word in ((0, "revoked"), (1, "good")):
        assert verified(authority, tmp_path, records[number].serial, str(number)) == word


def fetch_all(authority: Authority, records: list[CertificateRecord], socket: Path, folder: Path) -> None:
    """By one curl, percent signs as RFC 5019 has them."""
    folder.mkdir()
    lines = [f'unix-socket = "{socket}"', "fail", "silent", "show-error"]
    for number, record in enumerate(records):
        path = get_path(question(authority, record.serial))
        lines += [f'url = "http://pki.example.org/ocsp/{path}"', f'output = "{folder / str(number)}"']
    lines.append('write-out = "%{content_type}\\n"')
    done = subprocess.run(
        [required_program("curl"), "--config", "-"], input="\n".join(lines), check=True, capture_output=True, text=True,
        timeout=60,
    )  # fmt: skip
    assert set(done.stdout.split()) == {"application/ocsp-response"}


def verified(authority: Authority, folder: Path, serial: int, name: str) -> str:
    (folder / "issuing.pem").write_text(to_pem(authority.issuers["issuing"].certificate))
    (folder / "root.pem").write_text(to_pem(authority.issuers["root"].certificate))
    done = subprocess.run(
        [required_program("openssl"), "ocsp", "-issuer", folder / "issuing.pem", "-CAfile", folder / "root.pem",
         "-serial", f"0x{serial:x}", "-respin", folder / "got" / name],
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert "Response verify OK" in done.stderr
    return done.stdout.split(": ")[1].split()[0]


def test_only_what_changed_is_written_again(authority: Authority, tmp_path: Path) -> None:
    folder = tmp_path / "pki"
    records = issued(authority, 5)
    # Beside the five there is the responder of this run.
    assert written(authority, folder)["issuing"] == Answers("issuing", 6, 6)
    assert written(authority, folder)["issuing"] == Answers("issuing", 6, 0)
    authority.revoke(records[0])
    authority.hold(records[1])
    file_of(authority, folder, records[2].serial).write_bytes(b"torn")
    file_of(authority, folder, records[3].serial).unlink()
    assert written(authority, folder)["issuing"].written == 4
    authority.release(records[1])
    assert written(authority, folder)["issuing"].written == 1
    expected = [library.OCSPCertStatus.REVOKED, *[library.OCSPCertStatus.GOOD] * 4]
    assert [status(file_of(authority, folder, one.serial)) for one in records] == expected


def test_answers_are_made_anew_at_half_of_their_life(authority: Authority, tmp_path: Path) -> None:
    folder = tmp_path / "pki"
    issued(authority, 3)
    written(authority, folder)
    for after, count in ((timedelta(hours=5), 0), (timedelta(hours=7), 4)):
        assert written(ahead(authority, after), folder)["issuing"] == Answers("issuing", 4, count)


def test_an_answer_from_a_faster_clock_is_not_replaced_by_an_older_one(authority: Authority, tmp_path: Path) -> None:
    folder = tmp_path / "pki"
    record = issued(authority, 1)[0]
    written(ahead(authority, timedelta(minutes=10)), folder)
    path = file_of(authority, folder, record.serial)
    before = path.read_bytes()
    authority.revoke(record)
    written(authority, folder)
    assert path.read_bytes() == before
    written(ahead(authority, timedelta(minutes=11)), folder)
    assert status(path) is library.OCSPCertStatus.REVOKED


def test_the_files_of_expired_certificates_go(authority: Authority, tmp_path: Path) -> None:
    folder = tmp_path / "pki"
    record = issued(authority, 1)[0]
    written(authority, folder)
    path = file_of(authority, folder, record.serial)
    long_ago = path.stat().st_mtime - 86400
    os.utime(path, (long_ago, long_ago))
    written(authority, folder)
    assert path.exists()
    left = record.not_after - authority.clock() + timedelta(days=1)
    written(ahead(authority, left), folder)
    assert not path.exists()
    assert not [found for found in (folder / "ocsp").rglob("*") if found.is_dir() and not any(found.iterdir())]


def test_the_next_run_signs_by_the_kept_responder_unless_it_is_revoked(authority: Authority, tmp_path: Path) -> None:
    folder = tmp_path / "pki"
    record = issued(authority, 1)[0]
    written(authority, folder)
    path = file_of(authority, folder, record.serial)
    first = responder_of(path)
    for is_revoked in (False, True):
        if is_revoked:
            authority.revoke(authority.store.by_serial(first.serial_number)[0], Reason.KEY_COMPROMISE)
        path.unlink()
        later = open_authority(tmp_path / "ca", passphrase=no_passphrase)
        written(later, folder)
        later.store.close()
        assert (responder_of(path) != first) is is_revoked
    assert (tmp_path / "responders" / "issuing.pem").stat().st_mode & 0o777 == 0o600


def test_what_a_responder_signed_that_was_revoked_since_is_signed_anew(authority: Authority, tmp_path: Path) -> None:
    folder = tmp_path / "pki"
    record = issued(authority, 1)[0]
    written(authority, folder)
    path = file_of(authority, folder, record.serial)
    first = responder_of(path)
    authority.revoke(authority.store.by_serial(first.serial_number)[0], Reason.KEY_COMPROMISE)
    later = open_authority(tmp_path / "ca", passphrase=no_passphrase)
    # That of the certificate, that of the first responder, which tells its revocation, and that of the second one.
    assert written(later, folder)["issuing"] == Answers("issuing", 3, 3)
    assert written(later, folder)["issuing"] == Answers("issuing", 3, 0)
    later.store.close()
    assert (status(path), responder_of(path) != first) == (library.OCSPCertStatus.GOOD, True)


def test_without_the_key_what_lies_there_stays_and_it_is_told(authority: Authority, tmp_path: Path) -> None:
    folder = tmp_path / "pki"
    record = issued(authority, 1)[0]
    written(authority, folder)
    path = file_of(authority, folder, record.serial)
    before = path.read_bytes()

    def absent() -> PrivateKey:
        raise ConfigError("the key is not there", hint="bring it")

    for one in (tmp_path / "responders").iterdir():
        one.unlink()
    issuers = {name: replace(one, unlock=absent) for name, one in authority.issuers.items()}
    later = open_authority(tmp_path / "ca", passphrase=no_passphrase)
    lacking = ahead(replace(later, issuers=issuers), timedelta(hours=7))
    assert written(lacking, folder)["issuing"] == Answers("issuing", lacking=True)
    later.store.close()
    assert path.read_bytes() == before
