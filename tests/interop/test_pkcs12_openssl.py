"""PKCS#12 files of both flavours, opened by openssl."""

import subprocess
from pathlib import Path

import pytest

from handfast.pki.keys import KeyKind
from handfast.pki.pkcs12 import Flavour, build_pkcs12
from tests.pki_factory import authority_of, key_of
from tests.programs import required_program


def opened(path: Path, password: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [required_program("openssl"), "pkcs12", "-in", str(path), "-noenc", "-info"]
    command += ["-passin", f"pass:{password}", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("kind", [KeyKind.P256, KeyKind.RSA2048, KeyKind.ED25519])
@pytest.mark.parametrize(
    ("flavour", "options", "said"),
    [
        (Flavour.MODERN, [], ["MAC: sha256", "AES-256-CBC", "hmacWithSHA256"]),
        (Flavour.LEGACY, ["-legacy"], ["MAC: sha1", "pbeWithSHA1And3-KeyTripleDES-CBC"]),
    ],
)
def test_openssl_opens_it(tmp_path: Path, kind: KeyKind, flavour: Flavour, options: list[str], said: list[str]) -> None:
    key, authority = key_of(kind), authority_of()
    certificate = authority.issue("client", key=key)
    data = build_pkcs12(
        key, certificate, authority.chain, password=b"long random", friendly_name="alice", flavour=flavour
    )
    path = tmp_path / "alice.p12"
    path.write_bytes(data)
    done = opened(path, "long random", *options)
    assert done.returncode == 0, done.stderr
    for words in said:
        assert words in done.stderr
    assert done.stdout.count("BEGIN CERTIFICATE") == 3
    assert "friendlyName: alice" in done.stdout
    assert "BEGIN PRIVATE KEY" in done.stdout
    refused = opened(path, "wrong", *options)
    assert refused.returncode != 0
    assert "invalid password" in refused.stderr
