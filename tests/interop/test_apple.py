"""The profile for Apple's devices: filled and signed by the rendered script, checked by openssl and plistlib."""

import os
import plistlib
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from handfast.pki import pem
from handfast.pki.pkcs12 import Flavour, build_pkcs12
from handfast.prove.deploy import Place, setting_for, write_files
from handfast.prove.throw_away import throw_away_pki
from handfast.targets.apple import BUILD, target
from handfast.targets.contract import Case
from tests.programs import required_program


@pytest.mark.parametrize("ssid", ["", "Office & Lab"])
def test_the_signed_profile_verifies_and_holds_the_root_and_the_certificate(tmp_path: Path, ssid: str) -> None:
    required_program("openssl")
    pki = throw_away_pki(lambda: datetime.now(UTC))
    user = pki.visitors[Case.USER]
    chain = pem.certificates(user.chain.encode(), "chain")
    key = pem.one_key(user.key.encode(), None, "key")
    p12 = build_pkcs12(
        key, chain[0], chain[1:], password=b"correct-horse", friendly_name="alice", flavour=Flavour.LEGACY
    )
    setting = setting_for(target, Place(directory=tmp_path, names=("www.example.org",), port=443))
    write_files(target.render(replace(setting, options={"ssid": ssid})))
    for name, content in (
        ("client-ca.pem", pki.root),
        ("signer.pem", user.chain),
        ("signer.key", user.key),
        ("chain.pem", pki.issuing),
    ):
        (tmp_path / name).write_text(content, encoding="ascii")
    (tmp_path / "alice.p12").write_bytes(p12)

    run(tmp_path, "sh", BUILD, "alice.p12", "alice.mobileconfig")
    run(
        tmp_path, "openssl", "cms", "-verify", "-inform", "DER", "-in", "alice.mobileconfig",
        "-CAfile", "client-ca.pem", "-purpose", "any", "-out", "verified.plist",
    )  # fmt: skip

    profile: dict[str, Any] = plistlib.loads((tmp_path / "verified.plist").read_bytes())
    root, identity, *rest = profile["PayloadContent"]
    assert root["PayloadContent"] == pem.certificates(pki.root.encode(), "root")[0].public_bytes(Encoding.DER)
    assert identity["PayloadContent"] == p12
    assert [one["SSID_STR"] for one in rest] == ([ssid] if ssid else [])
    assert not rest or rest[0]["PayloadCertificateUUID"] == identity["PayloadUUID"]


def test_a_signed_profile_that_was_changed_does_not_verify(tmp_path: Path) -> None:
    required_program("openssl")
    pki = throw_away_pki(lambda: datetime.now(UTC))
    user = pki.visitors[Case.USER]
    write_files(target.render(setting_for(target, Place(directory=tmp_path, names=("www.example.org",), port=443))))
    for name, content in (
        ("client-ca.pem", pki.root),
        ("signer.pem", user.chain),
        ("signer.key", user.key),
        ("chain.pem", pki.issuing),
    ):
        (tmp_path / name).write_text(content, encoding="ascii")
    (tmp_path / "alice.p12").write_bytes(b"anything")
    run(tmp_path, "sh", BUILD, "alice.p12", "alice.mobileconfig")
    path = tmp_path / "alice.mobileconfig"
    path.write_bytes(path.read_bytes().replace(b"Your certificate", b"Their certificat"))

    with pytest.raises(AssertionError, match="failure"):
        run(
            tmp_path, "openssl", "cms", "-verify", "-inform", "DER", "-in", "alice.mobileconfig",
            "-CAfile", "client-ca.pem", "-purpose", "any", "-out", "verified.plist",
        )  # fmt: skip


def run(directory: Path, *command: str) -> None:
    environment = {**os.environ, "SIGNER": "signer.pem", "SIGNER_KEY": "signer.key", "SIGNER_CHAIN": "chain.pem"}
    done = subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
