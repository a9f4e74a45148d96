"""The URLs that `service.url` puts into a certificate lead to the service: curl and openssl follow them."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID

from handfast.ca.due import publish_due
from handfast.ca.records import Reason
from tests.programs import required_program
from tests.serving import PATIENCE, Running, authority_in, client_files, opened, running

HOST = "pki.example.org"
World = tuple[Running, Path, x509.Certificate]


@pytest.fixture(scope="module", params=["", "crl_shards = 3\n"], ids=["one list", "shards"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A service, and a client's certificate that was revoked before it began."""
    folder = tmp_path_factory.mktemp("urls")
    authority_in(folder / "ca", f'{request.param}[service]\nurl = "http://{HOST}"\n')
    issued = client_files(folder / "ca", "alice", folder / "alice")
    with opened(folder / "ca") as authority:
        authority.revoke(issued.record, Reason.SUPERSEDED)
        publish_due(authority, authority.clock())
    with running(folder / "ca", workplace=folder) as service:
        yield service, folder, issued.certificate


def urls_of(certificate: x509.Certificate) -> dict[str, str]:
    points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    found = {"crl": next(one.value for point in points for one in point.full_name or ())}
    names = {AuthorityInformationAccessOID.OCSP: "ocsp", AuthorityInformationAccessOID.CA_ISSUERS: "issuer"}
    return found | {names[one.access_method]: one.access_location.value for one in access}


def fetched(service: Running, url: str, path: Path) -> Path:
    """By curl, which is told where that host is."""
    command = ["curl", "--silent", "--show-error", "--fail", "--output", str(path), url]
    command += ["--connect-to", f"{HOST}:80:127.0.0.1:{service.http}"]
    required_program("curl")
    subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE)
    return path


def test_the_urls_of_the_list_and_of_the_issuer_are_answered(world: World, tmp_path: Path) -> None:
    service, _, certificate = world
    urls = urls_of(certificate)
    assert all(url.startswith(f"http://{HOST}/") for url in urls.values())
    issuer = x509.load_der_x509_certificate(fetched(service, urls["issuer"], tmp_path / "issuer").read_bytes())
    certificate.verify_directly_issued_by(issuer)
    crl = x509.load_der_x509_crl(fetched(service, urls["crl"], tmp_path / "crl").read_bytes())
    assert crl.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]  # a CA has a key that signs
    assert crl.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None
    # The CA's own certificate leads to the root, and to the root's list.
    above = urls_of(issuer)
    root = x509.load_der_x509_certificate(fetched(service, above["issuer"], tmp_path / "root").read_bytes())
    issuer.verify_directly_issued_by(root)
    assert (
        x509.load_der_x509_crl(fetched(service, above["crl"], tmp_path / "root-crl").read_bytes()).issuer
        == root.subject
    )


def test_openssl_asks_at_the_url_of_the_responder(world: World, tmp_path: Path) -> None:
    service, _, certificate = world
    leaf = tmp_path / "leaf.pem"
    leaf.write_bytes(certificate.public_bytes(Encoding.PEM))
    path = urls_of(certificate)["ocsp"].removeprefix(f"http://{HOST}")
    done = subprocess.run(
        [required_program("openssl"), "ocsp", "-issuer", service.directory / "certificates" / "issuing.pem",
         "-CAfile", service.root, "-cert", leaf, "-url", f"http://127.0.0.1:{service.http}{path}"],
        capture_output=True, text=True, check=True, timeout=PATIENCE,
    )  # fmt: skip
    assert "Response verify OK" in done.stderr
    assert ": revoked" in done.stdout


def test_openssl_verify_fetches_the_list_where_the_certificate_says(world: World, tmp_path: Path) -> None:
    service, folder, certificate = world
    lists = tmp_path / "lists.pem"
    issuer = x509.load_pem_x509_certificate((service.directory / "certificates" / "issuing.pem").read_bytes())
    found = [fetched(service, urls_of(one)["crl"], tmp_path / "crl").read_bytes() for one in (certificate, issuer)]
    lists.write_bytes(b"".join(x509.load_der_x509_crl(one).public_bytes(Encoding.PEM) for one in found))
    done = subprocess.run(
        [required_program("openssl"), "verify", "-crl_check_all", "-extended_crl", "-CAfile", service.root,
         "-untrusted", service.directory / "certificates" / "issuing.pem", "-CRLfile", lists,
         folder / "alice" / "chain.pem"],
        capture_output=True, text=True, check=False, timeout=PATIENCE,
    )  # fmt: skip
    assert "certificate revoked" in done.stderr
