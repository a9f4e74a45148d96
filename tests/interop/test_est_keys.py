"""Keys that are made over EST, opened by openssl: in the clear, and encrypted in three ways (RFC 7030 section 4.4)."""

import base64
import subprocess
from dataclasses import replace
from email import policy
from email.message import MIMEPart
from email.parser import BytesParser
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_der_private_key, pkcs7

from handfast.ca.authority import Authority
from handfast.ca.enrollment import Enrollment
from handfast.ca.order import Order
from handfast.pki import der
from handfast.pki.cms import SIGNED_DATA, message
from handfast.pki.csr_attributes import ASYMMETRIC_DECRYPT_KEY_ID, DECRYPT_KEY_ID, SMIME_CAPABILITIES
from handfast.pki.keys import KeyKind, PrivateKey
from handfast.pki.pem import to_pem
from handfast.pki.subject import parse_subject
from handfast.protocols.exchange import Response
from handfast.stores.sqlite import open_store
from tests.est_world import ask, basic, csr, csr_with, est_authority, peer, token_for, with_approvals
from tests.pki_factory import authority_of, key_of
from tests.programs import required_program

Part: TypeAlias = "MIMEPart[Any, Any]"
SHARED_ID, SHARED = b"factory-1", bytes(range(32))
AES_128_CBC, DES3 = "2.16.840.1.101.3.4.1.2", "1.2.840.113549.3.7"


@pytest.fixture
def authority() -> Authority:
    return est_authority(Enrollment(decrypt_keys={SHARED_ID: SHARED}))


def parts_of(response: Response) -> list[Part]:
    head = f"Content-Type: {response.media_type}\r\n\r\n".encode()
    parsed = BytesParser(policy=policy.HTTP).parsebytes(head + response.body)
    return list(parsed.iter_parts())


def octets_of(part: Part) -> bytes:
    return part.get_content()  # type: ignore[no-any-return]  # decoded from base64


def certificate_of(part: Part) -> x509.Certificate:
    (certificate,) = pkcs7.load_der_pkcs7_certificates(octets_of(part))
    return certificate


def octet_string(data: bytes) -> bytes:
    return der.encode(der.OCTET_STRING, data)


def package_of(signed: bytes, folder: Path) -> bytes:
    """The content, after openssl has verified its signature up to the root."""
    (folder / "signed.der").write_bytes(message(SIGNED_DATA, signed))
    (folder / "root.pem").write_text(to_pem(authority_of().root))
    (folder / "issuing.pem").write_text(to_pem(authority_of().issuing))
    options = ["-CAfile", "root.pem", "-certfile", "issuing.pem", "-purpose", "any", "-attime", "1798286460"]
    return openssl(folder, "cms", "-verify", "-binary", "-inform", "DER", "-in", "signed.der", *options)


def openssl(folder: Path, *arguments: str) -> bytes:
    required_program("openssl")
    done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def key_in(package: bytes) -> object:
    (one,) = der.children(package, der.element_at(package))
    return load_der_private_key(package[one.begin : one.end], None)


@pytest.mark.parametrize("kind", [KeyKind.P256, KeyKind.P384, KeyKind.ED25519, KeyKind.RSA2048, KeyKind.ML_DSA_44])
def test_a_key_of_the_kind_in_the_request_comes_with_its_certificate(authority: Authority, kind: KeyKind) -> None:
    body = csr(key=key_of(kind))

    response = ask(authority, "serverkeygen", body, basic(token_for(authority, "cam-7")))

    assert response.status == 200
    key_part, certificate_part = parts_of(response)
    assert key_part.get_content_type() == "application/pkcs8"
    key = load_der_private_key(octets_of(key_part), None)
    assert key.public_key() == certificate_of(certificate_part).public_key()
    assert key.public_key() != key_of(kind).public_key()
    assert response.headers["cache-control"] == "no-store"


def test_a_request_with_a_dummy_signature_is_good_enough_here(authority: Authority) -> None:
    body = csr()[:-2] + b"\0\0"
    token = token_for(authority, "cam-7")

    assert ask(authority, "simpleenroll", body, basic(token)).status == 400
    assert ask(authority, "serverkeygen", body, basic(token)).status == 200


def test_the_key_is_encrypted_for_a_key_that_both_have(authority: Authority, tmp_path: Path) -> None:
    body = csr_with({DECRYPT_KEY_ID: octet_string(SHARED_ID)})

    key_part, certificate_part = parts_of(ask(authority, "serverkeygen", body, basic(token_for(authority, "cam-7"))))

    assert key_part["content-type"].params["smime-type"] == "server-generated-key"
    (tmp_path / "enveloped.der").write_bytes(octets_of(key_part))
    keys = ["-secretkey", SHARED.hex(), "-secretkeyid", SHARED_ID.hex()]
    signed = openssl(tmp_path, "cms", "-decrypt", "-binary", "-inform", "DER", "-in", "enveloped.der", *keys)
    key = key_in(package_of(signed, tmp_path))
    assert key.public_key() == certificate_of(certificate_part).public_key()  # type: ignore[attr-defined]  # a key


@pytest.mark.parametrize("kind", [KeyKind.P256, KeyKind.P384, KeyKind.P521, KeyKind.RSA2048])
@pytest.mark.parametrize("cipher", [None, AES_128_CBC])
def test_the_key_is_encrypted_for_the_certificate_of_the_device(
    authority: Authority, tmp_path: Path, kind: KeyKind, cipher: str | None
) -> None:
    old, holder = certificate_for(authority, kind)
    attributes = {ASYMMETRIC_DECRYPT_KEY_ID: octet_string(identifier_of(old))}
    if cipher is not None:
        attributes[SMIME_CAPABILITIES] = der.sequence([der.sequence([der.object_identifier(cipher)])])
    body = csr_with(attributes)

    key_part, certificate_part = parts_of(ask(authority, "serverkeygen", body, by=peer(old)))

    (tmp_path / "enveloped.der").write_bytes(octets_of(key_part))
    (tmp_path / "old.pem").write_text(to_pem(old))
    (tmp_path / "old.key").write_text(to_pem(holder))
    names = ["-recip", "old.pem", "-inkey", "old.key"]
    signed = openssl(tmp_path, "cms", "-decrypt", "-binary", "-inform", "DER", "-in", "enveloped.der", *names)
    key = key_in(package_of(signed, tmp_path))
    assert key.public_key() == certificate_of(certificate_part).public_key()  # type: ignore[attr-defined]  # a key


def certificate_for(authority: Authority, kind: KeyKind) -> tuple[x509.Certificate, PrivateKey]:
    key = key_of(kind)
    order = Order(profile="device", public_key=key.public_key(), subject=parse_subject("CN=cam-7"))
    return authority.issue(order).certificate, key


def identifier_of(certificate: x509.Certificate) -> bytes:
    return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest


def test_what_cannot_be_encrypted_is_not_sent_in_the_clear(authority: Authority) -> None:
    old, _ = certificate_for(authority, KeyKind.ED25519)
    unknown = csr_with({DECRYPT_KEY_ID: octet_string(b"somebody-else")})
    other = csr_with({ASYMMETRIC_DECRYPT_KEY_ID: octet_string(b"another")})
    signs_only = csr_with({ASYMMETRIC_DECRYPT_KEY_ID: octet_string(identifier_of(old))})
    des = csr_with(
        {
            DECRYPT_KEY_ID: octet_string(SHARED_ID),
            SMIME_CAPABILITIES: der.sequence([der.sequence([der.object_identifier(DES3)])]),
        }
    )

    for body, status in ((unknown, 403), (other, 403), (signs_only, 403), (des, 400)):
        response = ask(authority, "serverkeygen", body, by=peer(old))
        assert response.status == status
        assert response.media_type.startswith("text/plain")


def test_a_kind_that_the_profile_forbids_is_refused_and_the_token_kept(authority: Authority) -> None:
    token = token_for(authority, "cam-7")
    narrow = narrowed(authority)

    refused = ask(narrow, "serverkeygen", csr(key=key_of(KeyKind.RSA2048)), basic(token))

    assert refused.status == 403
    assert b"p256" in refused.body
    assert ask(narrow, "serverkeygen", csr(), basic(token)).status == 200


def narrowed(authority: Authority) -> Authority:
    device = replace(authority.profiles["device"], key_kinds=frozenset({KeyKind.P256}))
    return replace(authority, profiles={**authority.profiles, "device": device})


def test_where_approvals_are_needed_no_key_is_made(authority: Authority) -> None:
    waiting = with_approvals(authority, "device")

    response = ask(waiting, "serverkeygen", csr(), basic(token_for(waiting, "cam-7")))

    assert response.status == 403
    assert b"simpleenroll" in response.body


def test_the_private_key_is_in_no_log_and_no_store(tmp_path: Path) -> None:
    authority = replace(est_authority(), store=open_store(str(tmp_path / "ca.sqlite")))
    key_part, _ = parts_of(ask(authority, "serverkeygen", csr(), basic(token_for(authority, "cam-7"))))
    private = load_der_private_key(octets_of(key_part), None)
    number = private.private_numbers().private_value.to_bytes(32, "big")  # type: ignore[union-attr]  # P-256
    events = authority.store.events()
    authority.store.close()

    assert events
    for secret in (number, number.hex().encode(), base64.b64encode(number)[:40], octets_of(key_part)):
        assert all(secret not in path.read_bytes() for path in tmp_path.iterdir())


def test_openssl_reads_the_ca_certificates(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "cacerts.der").write_bytes(base64.b64decode(ask(authority, "cacerts").body))

    shown = openssl(tmp_path, "pkcs7", "-inform", "DER", "-in", "cacerts.der", "-print_certs")

    found = x509.load_pem_x509_certificates(shown)
    assert {one.public_bytes(Encoding.DER) for one in found} == {
        one.public_bytes(Encoding.DER) for one in authority_of().chain
    }
