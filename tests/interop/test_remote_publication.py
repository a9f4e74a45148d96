"""`handfast publish --server`: what a running service publishes, as files for a web server, which openssl believes."""

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from handfast.ca.office import Proof
from handfast.ca.order import Order
from handfast.ca.policy import RequesterRole
from handfast.ca.published import ListKind, Which
from handfast.ca.requesters import RequesterRecord
from handfast.cli import run
from handfast.client import publishing
from handfast.client.api import Api
from handfast.keys.generate import generate_key
from handfast.pki.keys import KeyKind
from handfast.pki.subject import parse_subject
from tests.serving import Running, authority_in, client_files, opened, running

SETTINGS = """
[service]
url = "http://pki.example.org"
"""


def requester_in(workplace: Path, name: str, role: RequesterRole) -> None:
    """Known by a certificate, which is in a folder of that name."""
    issued = client_files(workplace / "ca", name, workplace / name)
    with opened(workplace / "ca") as authority:
        record = RequesterRecord(name=name, role=role, profiles=None, patterns=None, created_at=authority.clock())
        authority.office.add_requester(record, Proof(issued.certificate))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    workplace = tmp_path_factory.mktemp("publication")
    authority_in(workplace / "ca", SETTINGS)
    for name, role in (("web", RequesterRole.AUDITOR), ("device", RequesterRole.REQUESTER)):
        requester_in(workplace, name, role)
    with running(workplace / "ca", workplace=workplace) as one:
        yield one


@pytest.fixture
def publish(
    service: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Any:
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str, who: str = "web", status: int = 0) -> dict[str, Any]:
        folder = service.directory.parent / who
        asked = ["--server", f"https://localhost:{service.https}", "--server-ca", str(service.root)]
        asked += ["--client-certificate", str(folder / "chain.pem")]
        assert run([*asked, "publish", "www", "--json", *arguments]) == status, capsys.readouterr()
        report: dict[str, Any] = json.loads(capsys.readouterr().out)
        return report

    return call


def new_files(report: dict[str, Any]) -> set[str]:
    return {one["file"] for one in report["files"] if one["new"]}


def issue(service: Running, name: str) -> x509.Certificate:
    with opened(service.directory) as authority:
        key = generate_key(KeyKind.P256)
        order = Order(profile="client", public_key=key.public_key(), subject=parse_subject(f"CN={name}"))
        return authority.issue(order).certificate


def revoke(service: Running, certificate: x509.Certificate) -> None:
    with opened(service.directory) as authority:
        authority.revoke(authority.find_certificate(certificate))
        authority.publish(Which("issuing"))


def openssl(*arguments: str | Path) -> str:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_lists_and_certificates_are_those_of_the_service(service: Running, publish: Any) -> None:
    expected = {
        "www/ca/issuing.cer",
        "www/ca/issuing.p7c",
        "www/ca/root.cer",
        "www/crl/issuing.crl",
        "www/crl/root.crl",
    }
    assert expected <= new_files(publish("--no-ocsp"))
    openssl("crl", "-in", "www/crl/issuing.crl", "-CAfile", service.directory / "certificates" / "chain.pem", "-noout")
    assert new_files(publish("--no-ocsp")) == set()
    revoked = issue(service, "revoked")
    revoke(service, revoked)
    assert "www/crl/issuing.crl" in new_files(publish("--no-ocsp"))
    crl = x509.load_der_x509_crl(Path("www/crl/issuing.crl").read_bytes())
    assert crl.get_revoked_certificate_by_serial_number(revoked.serial_number) is not None
    assert Path("www/crl/issuing.crl").stat().st_mode & 0o777 == 0o644


def test_deltas_and_shards_come_along(service: Running, publish: Any) -> None:
    with opened(service.directory) as authority:
        authority.publish(Which("issuing"))
        authority.publish(Which("issuing", shard=1))
        authority.publish(Which("issuing", kind=ListKind.DELTA))
    assert {"www/crl/issuing-1.crl", "www/crl/issuing-delta.crl"} <= new_files(publish("--no-ocsp"))


def test_an_older_list_never_replaces_a_newer_one(service: Running, publish: Any) -> None:
    publish("--no-ocsp")
    old = Path("www/crl/issuing.crl").read_bytes()
    with opened(service.directory) as authority:
        newest = authority.publish(Which("issuing")).der
        for _ in range(3):
            newest = authority.publish(Which("issuing")).der
    # As after a restore from a backup, or from a replica that lags: the file is ahead of what the service has.
    publish("--no-ocsp")
    assert Path("www/crl/issuing.crl").read_bytes() == newest != old
    ahead = Path("www/crl/root.crl")
    ahead.write_bytes(newest)  # its number is higher than that of the root's list
    publish("--no-ocsp")
    assert ahead.read_bytes() == newest


def test_a_list_that_somebody_else_signed_is_not_written(
    publish: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority_in(tmp_path / "other")
    with opened(tmp_path / "other") as authority:
        forged = authority.publish(Which("issuing")).der
    fetch = Api.fetch
    monkeypatch.setattr(
        Api, "fetch", lambda api, path, *rest: forged if path.startswith("/crl/issuing") else fetch(api, path, *rest)
    )
    error = publish("--no-ocsp", status=1)["error"]
    assert "not signed by issuing" in error["message"]
    assert not Path("www/crl/issuing.crl").exists()


def test_ocsp_answers_are_files_that_openssl_believes(service: Running, publish: Any, tmp_path: Path) -> None:
    good, bad = issue(service, "good"), issue(service, "bad")
    first = publish()
    counts = {one["issuer"]: one for one in first["ocsp"]}
    assert counts["issuing"]["new"] == counts["issuing"]["answers"] >= 4
    publish()  # the certificate by which the service answers was made when it was first asked
    again = {one["issuer"]: one for one in publish()["ocsp"]}
    assert again["issuing"]["new"] == 0
    revoke(service, bad)
    assert {one["issuer"]: one for one in publish()["ocsp"]}["issuing"]["new"] == 1

    issuer = tmp_path / "issuer.pem"
    openssl("x509", "-inform", "DER", "-in", "www/ca/issuing.cer", "-out", issuer)
    for certificate, word in ((good, "good"), (bad, "revoked")):
        builder = ocsp.OCSPRequestBuilder().add_certificate(
            certificate,
            x509.load_pem_x509_certificate(issuer.read_bytes()),
            hashes.SHA1(),  # what RFC 5019 asks by
        )
        request = builder.build().public_bytes(Encoding.DER)
        path = Path("www/ocsp") / base64.b64encode(request).decode().replace("//", "/")
        told = openssl(
            "ocsp", "-respin", path, "-issuer", issuer, "-serial", hex(certificate.serial_number),
            "-CAfile", service.root, "-verify_other", issuer,
        )  # fmt: skip
        assert "Response verify OK" in told
        assert f": {word}" in told


def test_a_root_whose_key_is_kept_elsewhere_has_no_answers_and_the_others_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    authority_in(tmp_path / "ca")
    requester_in(tmp_path, "web", RequesterRole.AUDITOR)
    (tmp_path / "ca" / "keys" / "root.key").rename(tmp_path / "root.key")
    with running(tmp_path / "ca", workplace=tmp_path) as one:
        asked = ["--server", f"https://localhost:{one.https}", "--server-ca", str(one.root)]
        asked += ["--client-certificate", str(tmp_path / "web" / "chain.pem")]
        assert run([*asked, "publish", "www", "--json"]) == 0
    told = capsys.readouterr()
    lacking = {one["issuer"]: one["is_lacking_key"] for one in json.loads(told.out)["ocsp"]}
    assert lacking == {"root": True, "issuing": False}
    assert "OCSP answers of root are due, and its key is not at the service" in told.err


def test_who_may_not_list_certificates_gets_the_lists_only(publish: Any) -> None:
    report = publish("--no-ocsp", who="device")
    assert "www/crl/issuing.crl" in new_files(report)
    assert "does not see all certificates" in publish(who="device", status=1)["error"]["message"]


@pytest.mark.parametrize("name", ["../x.crl", "a/b.crl", ".x", ""])
def test_a_service_cannot_write_outside_of_the_folder(name: str) -> None:
    with pytest.raises(ValueError, match="no name of a file"):
        publishing._file_name(name)
