"""A new root beside the old one, as openssl, our validator and an EST client see it (RFC 9810 section 4.4)."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.programs import required_program
from tests.serving import Running, curl, running

HANDFAST = str(Path(sys.executable).parent / "handfast")
OLD, NEW = "root", "root-2"
Verify = Callable[..., str]


def run(folder: Path, *words: str, status: int = 0, stdin: bytes | None = None) -> str:
    done = subprocess.run(words, cwd=folder, input=stdin, capture_output=True, timeout=60, check=False)
    said = done.stdout.decode() + done.stderr.decode()
    assert done.returncode == status, (words, said)
    return said


def handfast(folder: Path, *words: str, status: int = 0) -> str:
    return run(folder, HANDFAST, *words, status=status)


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """alice is below the old root, bob below the new one."""
    folder = tmp_path_factory.mktemp("founded")
    handfast(folder, "init", "--no-passphrase", "--name", "Example")
    handfast(folder, "issue", "--profile", "client", "alice")
    handfast(folder, "issuer", "new-root", NEW, "--name", "Example", "--no-passphrase", "--key", "rsa3072")
    handfast(folder, "issuer", "new", "issuing-2", "--name", "Example", "--no-passphrase")
    handfast(folder, "issue", "--profile", "client", "bob")
    return folder


@pytest.fixture
def made(founded: Path, tmp_path: Path) -> Path:
    """The same, for one test to change."""
    shutil.copytree(founded, tmp_path, dirs_exist_ok=True)
    return tmp_path


def openssl_verify(folder: Path, who: str, root: str, *untrusted: str, status: int = 0) -> str:
    """With the CRLs of all CAs of the chain, as strict as openssl can be."""
    strict = ("-x509_strict", "-purpose", "sslclient", "-crl_check_all", "-CRLfile", "handfast-ca/crl/crls.pem")
    given = [word for file in untrusted for word in ("-untrusted", file)]
    trusted = ("-no-CApath", "-CAfile", f"handfast-ca/certificates/{root}.pem")
    command = (required_program("openssl"), "verify", *strict, *trusted, *given, f"issued/{who}/cert.pem")
    return run(folder, *command, status=status)


def our_verify(folder: Path, who: str, root: str, *others: str, status: int = 0) -> str:
    """Ours, with every CRL required."""
    asked = ("--purpose", "client", "--crl", "handfast-ca/crl/crls.pem", "--revocation", "require")
    trusted = ("--anchors", f"handfast-ca/certificates/{root}.pem")
    return handfast(folder, "verify", f"issued/{who}/cert.pem", *others, *asked, *trusted, status=status)


@pytest.mark.parametrize("verify", [openssl_verify, our_verify])
def test_whoever_trusts_either_root_accepts_what_is_below_either(made: Path, verify: Verify) -> None:
    handfast(made, "export", "alice", "--format", "chain", "--out", "alice-chain.pem")
    for who, chain in (("alice", "alice-chain.pem"), ("bob", "issued/bob/chain.pem")):
        for root in (OLD, NEW):
            verify(made, who, root, chain)


@pytest.mark.parametrize("verify", [openssl_verify, our_verify])
def test_without_the_cross_certificate_the_other_root_is_not_reached(made: Path, verify: Verify) -> None:
    certificates = "handfast-ca/certificates"
    for who, root, issuing in (("alice", NEW, "issuing"), ("bob", OLD, "issuing-2")):
        status = 2 if verify is openssl_verify else 1
        said = verify(made, who, root, f"{certificates}/{issuing}.pem", status=status)
        assert "unable to get local issuer" in said or "not acceptable" in said
        verify(made, who, root, f"{certificates}/{issuing}.pem", f"{certificates}/crosses.pem")


def serial_of_cross(folder: Path, subject: str) -> str:
    """Of the cross certificate with this subject, as openssl tells it."""
    pems = (folder / "handfast-ca/certificates/crosses.pem").read_text().split("-----END CERTIFICATE-----\n")[:-1]
    for text in pems:
        pem = f"{text}-----END CERTIFICATE-----\n".encode()
        told = run(folder, required_program("openssl"), "x509", "-noout", "-serial", "-subject", stdin=pem)
        if told.splitlines()[1].endswith(subject):
            return told.splitlines()[0].removeprefix("serial=")
    raise AssertionError(subject)


def test_a_cross_certificate_that_was_revoked_leads_nowhere(made: Path) -> None:
    handfast(made, "revoke", serial_of_cross(made, f"Root CA {NEW}"), "--yes", "--reason", "superseded")
    said = openssl_verify(made, "bob", OLD, "issued/bob/chain.pem", status=2)
    assert "certificate revoked" in said
    assert "revoked" in our_verify(made, "bob", OLD, "issued/bob/chain.pem", status=1)
    openssl_verify(made, "bob", NEW, "issued/bob/chain.pem")
    our_verify(made, "bob", NEW, "issued/bob/chain.pem")
    handfast(made, "issue", "--profile", "client", "carol")
    assert (made / "issued/carol/chain.pem").read_text().count("BEGIN CERTIFICATE") == 1


def test_what_openssl_issued_below_a_root_that_was_brought_along_is_accepted_by_the_new_root_too(
    tmp_path: Path,
) -> None:
    openssl = required_program("openssl")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
    subject = "/C=DE/O=Old/CN=Old CA/emailAddress=ca@example.org"
    run(tmp_path, openssl, "req", "-x509", *curve, "-keyout", "old.key", "-out", "old.pem", "-subj", subject, *usage,
        "-days", "3000")  # fmt: skip
    run(tmp_path, openssl, "req", *curve, "-keyout", "dora.key", "-out", "dora.csr", "-subj", "/CN=dora")
    (tmp_path / "leaf.cnf").write_text("authorityKeyIdentifier=keyid\nkeyUsage=critical,digitalSignature\n")
    run(tmp_path, openssl, "x509", "-req", "-in", "dora.csr", "-CA", "old.pem", "-CAkey", "old.key", "-CAcreateserial",
        "-extfile", "leaf.cnf", "-days", "30", "-out", "dora.pem")  # fmt: skip
    handfast(tmp_path, "init", "--no-passphrase", "--certificate", "old.pem", "--private-key", "old.key")
    handfast(tmp_path, "issuer", "new-root", NEW, "--no-passphrase")
    anchor, crosses = f"handfast-ca/certificates/{NEW}.pem", "handfast-ca/certificates/crosses.pem"
    lists = ("-crl_check_all", "-CRLfile", "handfast-ca/crl/crls.pem")
    run(tmp_path, openssl, "verify", *lists, "-no-CApath", "-CAfile", anchor, "-untrusted", crosses, "dora.pem")
    run(tmp_path, openssl, "verify", "-no-CApath", "-CAfile", anchor, "dora.pem", status=2)


@pytest.fixture
def service(made: Path) -> Iterator[Running]:
    with running(made / "handfast-ca", workplace=made) as one:
        yield one


def test_an_est_client_is_given_both_roots_and_the_cross_certificates(made: Path, service: Running) -> None:
    def given() -> list[str]:
        answer = curl(service, f"https://localhost:{service.https}/.well-known/est/cacerts")
        assert answer.returncode == 0, answer.stderr
        der = run_bytes(required_program("openssl"), "base64", "-d", stdin=answer.stdout.encode())
        told = run_bytes(required_program("openssl"), "pkcs7", "-inform", "DER", "-print_certs", "-noout", stdin=der)
        lines = [line.partition("=")[2].strip() for line in told.decode().splitlines() if "=" in line]
        return sorted(f"{one} by {other}" for one, other in zip(lines[::2], lines[1::2], strict=True))

    old, new = "CN = Example Root CA", f"CN = Example Root CA {NEW}"
    below, below_new = "CN = Example Issuing CA", "CN = Example Issuing CA issuing-2"
    pairs = [(old, old), (new, new), (new, old), (old, new), (below, old), (below_new, new)]
    assert given() == sorted(f"{one} by {other}" for one, other in pairs)
    handfast(made, "revoke", serial_of_cross(made, "Root CA"), "--yes")
    assert given() == sorted(f"{one} by {other}" for one, other in pairs if (one, other) != (old, new))


def test_over_the_network_the_same_chain_is_exported(made: Path, service: Running) -> None:
    secret = json.loads(handfast(made, "requester", "add", "reader", "--role", "auditor", "--token", "--json"))[
        "secret"
    ]
    (made / "secret").write_text(secret)
    (made / "secret").chmod(0o600)
    there = (
        "--server",
        f"https://localhost:{service.https}",
        "--server-ca",
        str(service.root),
        "--secret-file",
        "secret",
    )
    for who in ("alice", "bob"):
        local = handfast(made, "export", who, "--format", "chain")
        assert local.count("BEGIN CERTIFICATE") == 2
        assert handfast(made, "export", who, "--format", "chain", *there) == local


def run_bytes(*words: str, stdin: bytes) -> bytes:
    return subprocess.run(words, input=stdin, capture_output=True, timeout=60, check=True).stdout
