"""Reading files of any kind, and what is said of those that are not what they should be."""

import base64
from collections.abc import Callable
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    pkcs7,
)

from handfast.errors import Malformed
from handfast.pki import der
from handfast.pki.crl import CrlHeader, build_crl
from handfast.pki.csr import build_request
from handfast.pki.keys import KeyKind
from handfast.pki.pem import (
    MAXIMUM_BLOCKS,
    certificates,
    one_certificate,
    one_crl,
    one_key,
    one_request,
    read,
    read_public,
    to_pem,
)
from handfast.pki.pkcs12 import build_pkcs12
from handfast.pki.rounds import MAXIMUM_ROUNDS, require_bearable
from handfast.pki.subject import parse_subject
from tests.pki_factory import DAY, NOW, authority_of, key_of

PASSWORD = b"correct horse"


@cache
def leaf() -> x509.Certificate:
    return authority_of().issue("client")


@cache
def files() -> dict[str, bytes]:
    """Every kind of file, by name."""
    key, authority = key_of(), authority_of()
    traditional = key_of(KeyKind.RSA2048)
    assert isinstance(traditional, rsa.RSAPrivateKey)
    header = CrlHeader(number=1, this_update=NOW, next_update=NOW + DAY)
    encryption = BestAvailableEncryption(PASSWORD)
    return {
        "certificate": to_pem(leaf()).encode(),
        "certificate.der": leaf().public_bytes(Encoding.DER),
        "key": to_pem(key).encode(),
        "key.der": key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        "traditional": traditional.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
        "traditional.der": traditional.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
        "ec.der": key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
        "encrypted": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption),
        "encrypted.der": key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, encryption),
        "old-encrypted": key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, encryption),
        "openssh": key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()),
        "request": to_pem(build_request(key, subject=parse_subject("CN=a"))).encode(),
        "request.der": build_request(key, subject=parse_subject("CN=a")).public_bytes(Encoding.DER),
        "crl.der": build_crl([], header, issuer=authority.issuer, key=authority.key),
        "p12": build_pkcs12(key, leaf(), [authority.issuing], password=PASSWORD, friendly_name="a"),
        "p7": pkcs7.serialize_certificates([leaf(), authority.issuing], Encoding.DER),
        "public": to_pem(key.public_key()).encode(),
        "public.der": key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    }


DESCRIPTIONS = {
    "certificate": "a certificate",
    "certificate.der": "a certificate",
    "key": "a private key",
    "key.der": "a private key",
    "traditional": "a private key",
    "traditional.der": "a private key",
    "ec.der": "a private key",
    "encrypted": "a private key",
    "encrypted.der": "a private key",
    "request": "a certificate request",
    "request.der": "a certificate request",
    "crl.der": "a CRL",
    "p12": "2 certificates and a private key",
    "p7": "2 certificates",
    "public": "a public key",
    "public.der": "a public key",
}


@pytest.mark.parametrize(("name", "expected"), DESCRIPTIONS.items())
def test_every_kind_of_file_is_recognized(name: str, expected: str) -> None:
    password = PASSWORD if name.startswith(("encrypted", "p12")) else None
    assert read(files()[name], password=password).describe() == expected


@pytest.mark.parametrize("kind", [kind for kind in KeyKind if kind not in {KeyKind.RSA3072, KeyKind.RSA4096}])
def test_a_key_of_every_kind_is_written_and_read_back(kind: KeyKind) -> None:
    assert one_key(to_pem(key_of(kind)).encode()).public_key() == key_of(kind).public_key()


def test_a_heap_in_any_order_is_sorted() -> None:
    heap = b"Bag Attributes: x\n" + files()["key"] + b"a comment\n" + files()["certificate"] + files()["request"]
    heap += to_pem(authority_of().issuing).encode() + to_pem(one_crl(files()["crl.der"])).encode()
    contents = read(heap)
    assert contents.certificates == (leaf(), authority_of().issuing)
    assert contents.describe() == "2 certificates and a certificate request and a private key and a CRL"


def test_ec_parameters_before_a_key_are_skipped() -> None:
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    assert read(parameters + files()["key"]).describe() == "a private key"


@pytest.mark.parametrize(
    "changed",
    [
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: data.decode().encode("utf-16"),
        lambda data: data.decode().encode("utf-16-be").join([b"\xfe\xff", b""]),
        lambda data: data.replace(b"\n", b" \n"),
        lambda data: b"\n\n" + data + b"\n\n",
        lambda data: data.replace(b"-----\n", b"-----\nsubject: x\n\n", 1),
    ],
    ids=["crlf", "bom", "utf-16", "utf-16-be", "blanks", "lines", "headers"],
)
def test_what_editors_do_to_pem_does_no_harm(changed: Callable[[bytes], bytes]) -> None:
    assert one_certificate(changed(files()["certificate"])) == leaf()


def test_a_key_beside_a_certificate_needs_no_password_when_only_the_certificate_is_wanted() -> None:
    assert one_certificate(files()["encrypted"] + files()["certificate"]) == leaf()
    assert read_public(files()["old-encrypted"] + files()["request"]).describe() == "a certificate request"


def block(label: str, content: bytes = b"AAAA") -> bytes:
    return f"-----BEGIN {label}-----\n".encode() + content + f"\n-----END {label}-----\n".encode()


def damaged(name: str) -> bytes:
    data = bytearray(files()[name])
    data[len(data) // 2] ^= 0x55
    return bytes(data)


def relabelled(name: str, old: str, new: str) -> bytes:
    return files()[name].replace(old.encode(), new.encode())


REFUSED = [
    (lambda: b"", "f is empty"),
    (lambda: b" \n\t", "f is empty"),
    (lambda: b"\xff\xfe", "f is empty"),
    (lambda: b"hello", "neither PEM nor DER"),
    (lambda: b"\x00\x01\x02", "neither PEM nor DER"),
    (lambda: b"<!DOCTYPE html><html>", "a web page"),
    (lambda: b"<html>404</html>", "a web page"),
    (lambda: b'{"certificate": "x"}', "JSON"),
    (lambda: b"ssh-ed25519 AAAA alice", "SSH public key"),
    (lambda: base64.encodebytes(files()["certificate.der"]), "without its BEGIN and END"),
    (lambda: files()["certificate"][:-20], "cut off"),
    (lambda: files()["certificate"][:200], "cut off"),
    (lambda: files()["certificate"].replace(b"END CERTIFICATE", b"END KEY"), "cut off"),
    (lambda: files()["certificate"][:200] + b"\n" + files()["certificate"], "cut off"),
    (lambda: files()["certificate.der"][:-20], "20 bytes are missing"),
    (lambda: files()["certificate.der"] + b"more", "4 bytes after"),
    (lambda: files()["certificate"].replace(b"\nMII", b"\n!MII"), "not base64"),
    (lambda: block("CERTIFICATE", b""), "is empty"),
    (lambda: block("CERTIFICATE"), "the certificate in f cannot be read: its structure is wrong"),
    (lambda: block("CERTIFICATE", b"MAA="), "the certificate in f cannot be read"),
    (lambda: block("CERTIFICATE", base64.b64encode(files()["certificate.der"][:-9])), "9 bytes are missing"),
    (lambda: relabelled("key", "PRIVATE KEY", "CERTIFICATE"), "holds a private key inside"),
    (lambda: relabelled("certificate", "CERTIFICATE", "PRIVATE KEY"), "holds a certificate inside"),
    (lambda: relabelled("request", "CERTIFICATE REQUEST", "CERTIFICATE"), "holds a certificate request inside"),
    (lambda: block("GIBBERISH"), "of the kind GIBBERISH"),
    (lambda: files()["openssh"], "of the kind OPENSSH PRIVATE KEY"),
    (lambda: block("DSA PRIVATE KEY"), "of the kind DSA PRIVATE KEY"),
    (lambda: block("TRUSTED CERTIFICATE"), "of the kind TRUSTED CERTIFICATE"),
    (lambda: files()["old-encrypted"], "encrypted in the old way"),
    (lambda: files()["encrypted"], "encrypted, and no password was given"),
    (lambda: files()["encrypted.der"], "encrypted, and no password was given"),
    (lambda: files()["p12"], "no password was given for the PKCS#12"),
    (lambda: damaged("p12"), "PKCS#12"),
    (lambda: b"\x30\x00", "DER, but no certificate"),
    (lambda: b"\x30\x84\xff\xff\xff\xff", "ends early"),
    (lambda: b"\x30\x85\xff\xff\xff\xff\xff", "impossible length"),
    (lambda: b"\x30", "ends in the middle"),
    (lambda: b"\x30\x03\x02\x05\x00", ""),
    (lambda: files()["certificate"] * (MAXIMUM_BLOCKS + 1), "over 10000 PEM blocks"),
]


@pytest.mark.parametrize(("data", "said"), REFUSED)
def test_what_is_not_readable_is_refused_with_its_own_words(data: Callable[[], bytes], said: str) -> None:
    with pytest.raises(Malformed) as refused:
        read(data(), source="f")
    assert said in refused.value.message
    assert "\n" not in refused.value.message
    assert refused.value.hint


@pytest.mark.parametrize("name", ["encrypted", "encrypted.der", "p12"])
def test_a_wrong_password_is_named(name: str) -> None:
    with pytest.raises(Malformed, match="the password does not open"):
        read(files()[name], password=b"wrong")


def test_a_file_that_asks_for_hours_of_work_is_refused() -> None:
    rounds = der.integer(MAXIMUM_ROUNDS + 1)
    kdf = der.sequence((bytes.fromhex("06092a864886f70d01050c"), der.sequence((der.encode(4, b"salt"), rounds))))
    parameters = der.sequence((kdf, der.sequence((bytes.fromhex("060960864801650304012a"), der.encode(4, b"0" * 16)))))
    algorithm = der.sequence((bytes.fromhex("06092a864886f70d01050d"), parameters))
    with pytest.raises(Malformed, match="asks for too much work"):
        read(der.sequence((algorithm, der.encode(4, b"x" * 32))), password=b"x")
    mac = der.sequence((der.sequence((b"\x05\x00",)), der.encode(4, b"salt"), rounds))
    with pytest.raises(Malformed, match="asks for too much work"):
        read(der.sequence((der.integer(3), der.sequence(()), mac)), password=b"x")


@pytest.mark.parametrize(("n", "refused"), [(1 << 20, False), (1 << 22, True)])
def test_scrypt_is_bounded_by_its_memory(n: int, refused: bool) -> None:
    scrypt = bytes.fromhex("06092b06010401da47040b")
    numbers = (der.encode(4, b"salt"), der.integer(n), der.integer(8), der.integer(1))
    algorithm = der.sequence((scrypt, der.sequence(numbers)))
    data = der.sequence((algorithm, der.encode(4, b"x")))
    if not refused:
        require_bearable(data, "f")
        return
    with pytest.raises(Malformed, match="asks for too much work"):
        require_bearable(data, "f")


def test_a_password_for_a_key_that_needs_none_does_no_harm() -> None:
    assert read(files()["key"], password=b"x").describe() == "a private key"


WANTED = [
    (one_certificate, "key", "f holds a private key, where a certificate is wanted"),
    (certificates, "request", "f holds a certificate request, where a certificate is wanted"),
    (one_request, "certificate", "f holds a certificate, where one certificate request is wanted"),
    (one_key, "certificate", "f holds a certificate, where one private key is wanted"),
    (one_crl, "certificate", "f holds a certificate, where one CRL is wanted"),
]


@pytest.mark.parametrize(("reader", "name", "said"), WANTED)
def test_the_wrong_kind_of_file_is_named(reader: Callable[..., object], name: str, said: str) -> None:
    with pytest.raises(Malformed) as refused:
        reader(files()[name], source="f")
    assert refused.value.message == said


def test_two_keys_where_one_is_wanted_are_refused() -> None:
    with pytest.raises(Malformed, match="2 private keys"):
        one_key(files()["key"] * 2)


def test_of_a_chain_the_first_certificate_is_taken() -> None:
    assert one_certificate(files()["certificate"] + to_pem(authority_of().issuing).encode()) == leaf()
