"""A CA that openssl made, brought along; and a CA of ours below one of openssl's."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs import required_program

HANDFAST = str(Path(sys.executable).parent / "handfast")
CONFIGURATION = """
[ca]
default_ca = here
[here]
database = {folder}/index.txt
new_certs_dir = {folder}
crlnumber = {folder}/crlnumber
certificate = {folder}/below.pem
private_key = {folder}/below.key
rand_serial = yes
default_md = sha256
default_days = 30
default_crl_days = 30
policy = any
x509_extensions = leaf
crl_extensions = crl
[any]
commonName = supplied
[leaf]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
authorityKeyIdentifier = keyid
[crl]
authorityKeyIdentifier = keyid
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[below]
basicConstraints = critical,CA:TRUE,pathlen:0
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[req]
distinguished_name = name
[name]
"""


def openssl(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [required_program("openssl"), *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def handfast(folder: Path, *arguments: str, status: int = 0) -> str:
    done = subprocess.run([HANDFAST, *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == status, (arguments, done.stdout, done.stderr)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """root.pem, below.pem and below.key of a CA in use: gone.pem was revoked, last.crl says so under number 0x10."""
    folder = tmp_path_factory.mktemp("openssl")
    (folder / "ca.cnf").write_text(CONFIGURATION.format(folder=folder))
    (folder / "index.txt").touch()
    (folder / "crlnumber").write_text("10\n")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-config", "ca.cnf")
    openssl(folder, "req", "-x509", *curve, "-keyout", "root.key", "-out", "root.pem", "-subj", "/CN=Old Root",
            "-extensions", "root", "-days", "3000")  # fmt: skip
    openssl(folder, "req", *curve, "-keyout", "below.key", "-out", "below.csr", "-subj", "/CN=Old Issuing")
    sign(folder, "below.csr", "below.pem")
    openssl(folder, "req", *curve, "-keyout", "gone.key", "-out", "gone.csr", "-subj", "/CN=gone")
    openssl(folder, "ca", "-batch", "-notext", "-config", "ca.cnf", "-in", "gone.csr", "-out", "gone.pem")
    openssl(folder, "ca", "-config", "ca.cnf", "-revoke", "gone.pem", "-crl_reason", "keyCompromise")
    openssl(folder, "ca", "-config", "ca.cnf", "-gencrl", "-out", "last.crl")
    (folder / "chain.pem").write_text((folder / "root.pem").read_text() + (folder / "below.pem").read_text())
    return folder


def sign(folder: Path, request: str, certificate: str) -> None:
    openssl(folder, "x509", "-req", "-in", request, "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial",
            "-extfile", "ca.cnf", "-extensions", "below", "-days", "2000", "-out", certificate)  # fmt: skip


def test_an_existing_ca_is_brought_along_and_goes_on_where_it_was(made: Path, tmp_path: Path) -> None:
    said = handfast(tmp_path, "init", "--no-passphrase", "--certificate", str(made / "chain.pem"),
                    "--private-key", str(made / "below.key"))  # fmt: skip
    assert "around CN=Old Issuing" in said
    handfast(tmp_path, "issue", "--profile", "client", "alice")
    openssl(tmp_path, "verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", str(made / "root.pem"),
            "-untrusted", str(made / "below.pem"), "issued/alice/cert.pem")  # fmt: skip


def test_its_last_crl_is_carried_on(made: Path, tmp_path: Path) -> None:
    handfast(tmp_path, "init", "--no-passphrase")
    said = handfast(tmp_path, "issuer", "import", "old", "--certificate", str(made / "chain.pem"), "--private-key",
                    str(made / "below.key"), "--crl", str(made / "last.crl"), "--no-passphrase")  # fmt: skip
    assert "took over 1 revocations" in said
    crl = openssl(
        tmp_path, "crl", "-in", "handfast-ca/crl/old.pem", "-noout", "-text", "-CAfile", str(made / "below.pem")
    )
    serial = re.findall(r"serial=(\w+)", openssl(made, "x509", "-in", "gone.pem", "-noout", "-serial"))[0]
    assert int(serial, 16) in {int(one, 16) for one in re.findall(r"Serial Number: (\w+)", crl)}
    assert "Key Compromise" in crl
    assert int(re.findall(r"CRL Number: *\n? *(?:0x)?(\w+)", crl)[0], 0) > 0x10 - 1
    handfast(tmp_path, "issue", "--profile", "client", "bob")
    issuer = openssl(tmp_path, "x509", "-in", "issued/bob/cert.pem", "-noout", "-issuer")
    assert "Old Issuing" in issuer


def test_a_ca_below_somebody_elses_is_requested_and_installed(made: Path, tmp_path: Path) -> None:
    said = handfast(tmp_path, "init", "--no-passphrase", "--subordinate", "--name", "Ours", "--subject", "O=Example")
    assert "handfast issuer install issuing" in said
    assert "no CA certificate yet" in handfast(tmp_path, "issue", "www.example.org", status=2)
    sign(made, str(tmp_path / "handfast-ca/certificates/issuing.csr"), str(tmp_path / "signed.pem"))
    said = handfast(tmp_path, "issuer", "install", "issuing", "signed.pem", str(made / "root.pem"))
    assert "Ours Issuing CA" in said
    handfast(tmp_path, "issue", "www.example.org")
    openssl(tmp_path, "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", str(made / "root.pem"),
            "-untrusted", "signed.pem", "issued/www.example.org/cert.pem")  # fmt: skip
    assert not (tmp_path / "handfast-ca/certificates/issuing.csr").exists()


def test_what_cannot_be_a_ca_is_refused_and_leaves_nothing_behind(made: Path, tmp_path: Path) -> None:
    leaf = ("--certificate", str(made / "gone.pem"), "--certificate", str(made / "chain.pem"))
    said = handfast(tmp_path, "init", "--no-passphrase", *leaf, "--private-key", str(made / "gone.key"), status=1)
    assert "CN=gone is not a CA" in said
    assert "may not sign" in said
    said = handfast(tmp_path, "init", "--no-passphrase", "--certificate", str(made / "below.pem"), "--private-key",
                    str(made / "below.key"), status=2)  # fmt: skip
    assert "CN=Old Root, which is above the CA, is missing" in said
    said = handfast(tmp_path, "init", "--no-passphrase", "--certificate", str(made / "chain.pem"), "--private-key",
                    str(made / "gone.key"), status=2)  # fmt: skip
    assert "no certificate belongs to the CA's key" in said
    assert "give both" in handfast(tmp_path, "init", "--certificate", str(made / "chain.pem"), status=2)
    assert list(tmp_path.iterdir()) == []


def test_only_what_was_requested_is_installed(made: Path, tmp_path: Path) -> None:
    handfast(tmp_path, "init", "--no-passphrase", "--subordinate")
    said = handfast(tmp_path, "issuer", "install", "issuing", str(made / "chain.pem"), status=2)
    assert "no certificate belongs to the CA's key" in said
    assert "no request" in handfast(tmp_path, "issuer", "install", "other", str(made / "chain.pem"), status=2)
