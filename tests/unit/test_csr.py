"""Certificate requests: proven, wished, refused."""

import base64
import warnings

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from handfast.errors import Malformed, Unacceptable
from handfast.pki import der
from handfast.pki.csr import MAXIMUM_SIZE, build_request, parse_request
from handfast.pki.keys import KeyKind, PrivateKey, hash_for
from handfast.pki.names import parse_names
from handfast.pki.pem import to_pem
from handfast.pki.subject import parse_subject
from tests.pki_factory import key_of

SUBJECT = parse_subject("CN=alice,O=Example")


@pytest.mark.parametrize("kind", [kind for kind in KeyKind if kind not in {KeyKind.RSA3072, KeyKind.RSA4096}])
def test_a_request_of_every_kind_of_key_is_made_and_proven(kind: KeyKind) -> None:
    names = parse_names(["a.example", "192.0.2.1", "alice@example.com", "spiffe://example.org/a"])
    made = build_request(key_of(kind), subject=SUBJECT, names=names)
    for data in (to_pem(made).encode(), made.public_bytes(Encoding.DER)):
        request = parse_request(data)
        assert request.public_key == key_of(kind).public_key()
        assert (request.subject, request.names) == (SUBJECT, names)
        assert request.der == made.public_bytes(Encoding.DER)


def test_a_request_without_names_wishes_nothing() -> None:
    request = parse_request(to_pem(build_request(key_of(), subject=SUBJECT)).encode())
    assert (request.names, request.wishes) == ((), ())


def test_with_an_empty_subject_the_names_are_critical() -> None:
    (wish,) = build_request(key_of(), subject=x509.Name([]), names=parse_names(["a.example"])).extensions
    assert wish.critical


def test_every_extension_is_a_wish() -> None:
    builder = x509.CertificateSigningRequestBuilder(SUBJECT)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    request = parse_request(sign(builder))
    assert [type(wish.value) for wish in request.wishes] == [x509.BasicConstraints]
    assert request.names == ()


def sign(builder: x509.CertificateSigningRequestBuilder) -> bytes:
    key = key_of()
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def test_attributes_beside_extensions_do_no_harm() -> None:
    builder = x509.CertificateSigningRequestBuilder(SUBJECT)
    builder = builder.add_attribute(x509.oid.AttributeOID.CHALLENGE_PASSWORD, b"secret")
    builder = builder.add_attribute(x509.oid.AttributeOID.UNSTRUCTURED_NAME, b"printer")
    assert parse_request(sign(builder)).subject == SUBJECT


def test_a_subject_in_an_old_encoding_is_read_in_todays() -> None:
    old = x509.NameAttribute(NameOID.COMMON_NAME, "alice", x509.name._ASN1Type.BMPString)
    request = parse_request(sign(x509.CertificateSigningRequestBuilder(x509.Name([old]))))
    assert request.subject.public_bytes() == parse_subject("CN=alice").public_bytes()


def test_a_subject_that_no_certificate_can_have_is_refused() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # cryptography's, of what is too long on purpose
        long = x509.NameAttribute(NameOID.COMMON_NAME, "x" * 65, _validate=False)
        data = sign(x509.CertificateSigningRequestBuilder(x509.Name([long])))
        with pytest.raises(Malformed, match="the subject of the request in input cannot be certified"):
            parse_request(data)


def disordered(kind: KeyKind, *, attributes: bool = True) -> tuple[bytes, PrivateKey]:
    """A request whose attributes stand in the wrong order, or are missing, signed as it stands."""
    key = key_of(kind)
    builder = x509.CertificateSigningRequestBuilder(SUBJECT)
    builder = builder.add_attribute(x509.oid.AttributeOID.CHALLENGE_PASSWORD, b"secret")
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("a.example")]), critical=False)
    data = builder.sign(key, hash_for(key)).public_bytes(Encoding.DER)  # type: ignore[arg-type]  # fits the key
    information, algorithm, _ = der.children(data, der.element_at(data))
    *kept, wrapped = der.children(data, information)
    found = [data[one.begin : one.end] for one in der.children(data, wrapped)][::-1]
    tail = [der.encode(0xA0, b"".join(found))] if attributes else []
    signed = der.sequence([*(data[one.begin : one.end] for one in kept), *tail])
    signature = b"\0" + sign_bytes(key, signed)
    parts = [signed, data[algorithm.begin : algorithm.end], der.encode(der.BIT_STRING, signature)]
    return der.sequence(parts), key


def sign_bytes(key: PrivateKey, data: bytes) -> bytes:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(data, ec.ECDSA(hashes.SHA256()))
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    assert isinstance(key, ed25519.Ed25519PrivateKey)
    return key.sign(data)


@pytest.mark.parametrize("kind", [KeyKind.P256, KeyKind.RSA2048, KeyKind.ED25519])
def test_attributes_in_the_wrong_order_are_tolerated(kind: KeyKind) -> None:
    data, key = disordered(kind)
    for given in (data, pem_of(data)):
        request = parse_request(given)
        assert request.public_key == key.public_key()
        assert request.names == parse_names(["a.example"])
        assert request.der == data


def test_missing_attributes_are_tolerated() -> None:
    request = parse_request(disordered(KeyKind.P256, attributes=False)[0])
    assert (request.subject, request.names) == (SUBJECT, ())


@pytest.mark.parametrize("kind", [KeyKind.P256, KeyKind.RSA2048, KeyKind.ED25519])
def test_attributes_in_the_wrong_order_under_a_wrong_signature_are_refused(kind: KeyKind) -> None:
    data = bytearray(disordered(kind)[0])
    data[-1] ^= 1
    with pytest.raises(Malformed, match="not signed by the key in it"):
        parse_request(bytes(data))
    other = disordered(kind)[0].replace(b"alice", b"mable")
    with pytest.raises(Malformed, match="not signed by the key in it"):
        parse_request(other)


def pem_of(data: bytes) -> bytes:
    text = base64.encodebytes(data)
    return b"-----BEGIN CERTIFICATE REQUEST-----\n" + text + b"-----END CERTIFICATE REQUEST-----\n"


def test_a_request_signed_by_another_key_is_refused() -> None:
    data = bytearray(build_request(key_of(), subject=SUBJECT).public_bytes(Encoding.DER))
    data[-1] ^= 1
    with pytest.raises(Malformed, match="not signed by the key in it"):
        parse_request(bytes(data))


def test_a_request_changed_after_it_was_signed_is_refused() -> None:
    data = build_request(key_of(), subject=SUBJECT).public_bytes(Encoding.DER).replace(b"alice", b"mable")
    with pytest.raises(Malformed, match="not signed by the key in it"):
        parse_request(data)


def test_a_request_with_a_weak_key_is_refused() -> None:
    weak = rsa.generate_private_key(65537, 1024)
    with pytest.raises(Unacceptable, match="1024 bits is too short"):
        parse_request(to_pem(build_request(weak, subject=SUBJECT)).encode())


def test_a_request_for_a_name_of_another_kind_is_refused() -> None:
    names = x509.SubjectAlternativeName([x509.RegisteredID(x509.ObjectIdentifier("1.2.3"))])
    builder = x509.CertificateSigningRequestBuilder(SUBJECT).add_extension(names, critical=False)
    with pytest.raises(Malformed, match="RegisteredID"):
        parse_request(sign(builder))


def test_the_size_is_bounded() -> None:
    with pytest.raises(Malformed, match="at most 65536"):
        parse_request(b"\x30" * (MAXIMUM_SIZE + 1))
    with pytest.raises(Malformed, match="DER"):
        parse_request(b"\x30" * MAXIMUM_SIZE)


def test_a_key_where_a_request_is_wanted_is_refused() -> None:
    with pytest.raises(Malformed, match=r"alice\.csr holds a private key"):
        parse_request(to_pem(ed25519.Ed25519PrivateKey.generate()).encode(), source="alice.csr")


def test_an_rsa_key_for_one_padding_alone_is_refused() -> None:
    key = key_of(KeyKind.RSA2048)
    data = build_request(key, subject=SUBJECT).public_bytes(Encoding.DER)
    information, algorithm, _ = der.children(data, der.element_at(data))
    version, subject, info, *rest = der.children(data, information)
    _, bits = der.children(data, info)
    pss = der.sequence([der.object_identifier("1.2.840.113549.1.1.10")])
    only_pss = der.sequence([pss, data[bits.begin : bits.end]])
    parts = [data[one.begin : one.end] for one in (version, subject)]
    signed = der.sequence([*parts, only_pss, *(data[one.begin : one.end] for one in rest)])
    signature = der.encode(der.BIT_STRING, b"\0" + sign_bytes(key, signed))

    with pytest.raises(Malformed, match="RSASSA-PSS alone"):
        parse_request(der.sequence([signed, data[algorithm.begin : algorithm.end], signature]))
