"""OCSP requests and answers as octets: what is read, what is refused, and what others read in what we sign."""

from contextlib import suppress
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from hypothesis import given, settings
from hypothesis import strategies as st

from handfast.errors import ConfigError, Malformed
from handfast.pki import der
from handfast.pki.keys import KeyKind
from handfast.pki.ocsp import (
    HASHES,
    MOST_CERTIFICATES,
    CertId,
    OcspRequest,
    build_request,
    cert_id,
    issuer_keys,
    nonce_extension,
    parse_request,
)
from handfast.pki.ocsp_response import CertStatus, OcspRefusal, Times, build_refusal, build_response, responder_of
from tests.pki_factory import NOW, authority_of, new_authority

TIMES = Times(NOW, NOW, NOW + timedelta(hours=1))
OURS = authority_of()
LEAF = OURS.issue()
KEYS = issuer_keys(OURS.issuing.subject, OURS.issuing.public_key())


def asked(serial: int = LEAF.serial_number, way: int = 0) -> CertId:
    return cert_id(KEYS[way], serial)


@pytest.mark.parametrize("way", range(4), ids=HASHES)
def test_a_request_is_the_one_that_cryptography_builds(way: int) -> None:
    algorithm = (hashes.SHA1(), hashes.SHA256(), hashes.SHA384(), hashes.SHA512())[way]
    theirs = ocsp.OCSPRequestBuilder().add_certificate(LEAF, OURS.issuing, algorithm).build()
    data = theirs.public_bytes(Encoding.DER)
    assert build_request([asked(way=way)]) == data
    assert parse_request(data) == OcspRequest((asked(way=way),), None, is_plain=True)


def test_many_certificates_and_a_nonce_are_read() -> None:
    identifiers = tuple(asked(number) for number in range(1, MOST_CERTIFICATES + 1))
    request = parse_request(build_request(identifiers, nonce=b"n" * 128))
    assert request == OcspRequest(identifiers, b"n" * 128)


def asked_of(algorithm: bytes, serial: bytes) -> bytes:
    """A request with one CertID, of these parts."""
    hashes_of = (der.encode(der.OCTET_STRING, one) for one in (KEYS[0].name_hash, KEYS[0].key_hash))
    identifier = der.sequence((algorithm, *hashes_of, der.encode(der.INTEGER, serial)))
    return build_request([CertId(KEYS[0], 0, identifier)])


_SHA1 = der.object_identifier("1.3.14.3.2.26")


@pytest.mark.parametrize(
    ("parameters", "serial", "number"),
    [(b"", b"\x01", 1), (der.NULL, b"\x00\x80", 128), (b"", b"\xff\x7f", -129), (b"", b"\x00", 0)],
)
def test_whatever_is_der_is_read(parameters: bytes, serial: bytes, number: int) -> None:
    (found,) = parse_request(asked_of(der.sequence((_SHA1, parameters)), serial)).identifiers

    assert (found.issuer, found.serial) == (KEYS[0], number)


@pytest.mark.parametrize(
    ("algorithm", "serial"),
    [
        ((_SHA1, b""), b"\x00\x01"),
        ((_SHA1, b""), b"\xff\x80"),
        ((_SHA1, b""), b""),
        ((_SHA1, der.NULL, der.NULL), b"\x01"),
        ((_SHA1, b"\x04\x09"), b"\x01"),
        ((), b"\x01"),
    ],
)
def test_what_the_answer_would_repeat_is_der_or_malformed(algorithm: tuple[bytes, ...], serial: bytes) -> None:
    with pytest.raises(Malformed):
        parse_request(asked_of(der.sequence(algorithm), serial))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x30\x00",
        build_request([]),
        build_request([asked()])[:-1],
        build_request([asked()]) + b"\0",
        build_request([asked()], nonce=b""),
        build_request([asked()], nonce=b"n" * 129),
        build_request([asked(number) for number in range(MOST_CERTIFICATES + 1)]),
    ],
    ids=["nothing", "empty", "no certificate", "cut", "longer", "empty nonce", "long nonce", "too many"],
)
def test_what_is_no_request_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse_request(data)


def test_two_nonces_and_unknown_critical_extensions_are_malformed() -> None:
    listed = der.sequence((der.sequence((asked().der,)),))
    critical = der.sequence((der.object_identifier("1.2.3"), b"\x01\x01\xff", der.encode(der.OCTET_STRING, b"")))
    for extensions in ((nonce_extension(b"a"), nonce_extension(b"a")), (critical,)):
        data = der.sequence((der.sequence((listed, der.encode(0xA2, der.sequence(extensions)))),))
        with pytest.raises(Malformed):
            parse_request(data)


def test_only_the_one_encoding_of_one_question_may_get_an_answer_made_before() -> None:
    listed = der.sequence((der.sequence((asked().der,)),))
    with_version = der.sequence((der.sequence((der.encode(0xA0, der.integer(0)), listed)),))
    for data in (with_version, build_request([asked(), asked()]), build_request([asked()], nonce=b"n")):
        assert not parse_request(data).is_plain


@given(st.binary(max_size=200))
@settings(max_examples=60, derandomize=True, deadline=None)
def test_any_octets_are_a_request_or_malformed(data: bytes) -> None:
    with suppress(Malformed):
        assert parse_request(data).identifiers


@given(st.integers(0, 86), st.integers(0, 255))
@settings(max_examples=100, derandomize=True, deadline=None)
def test_a_request_with_one_octet_changed_is_a_request_or_malformed(place: int, value: int) -> None:
    data = bytearray(build_request([asked()]))
    data[place] = value
    with suppress(Malformed):
        assert parse_request(bytes(data)).identifiers


@pytest.mark.parametrize("kind", [KeyKind.P256, KeyKind.P384, KeyKind.ED25519, KeyKind.RSA2048, KeyKind.ML_DSA_44])
def test_an_answer_says_of_each_certificate_what_we_say(kind: KeyKind) -> None:
    ours = authority_of(kind)
    responder = responder_of(ours.issuing, ours.key)
    reason = x509.ReasonFlags.key_compromise
    said = [
        (asked(1), CertStatus(is_known=True)),
        (asked(2), CertStatus(is_known=True, revoked_at=NOW, reason=reason)),
        (asked(3), CertStatus(is_known=True, revoked_at=NOW)),
        (asked(4), CertStatus(is_known=False)),
    ]
    answer = ocsp.load_der_ocsp_response(build_response(said, TIMES, responder=responder, nonce=b"n" * 32))
    read = [(one.serial_number, one.certificate_status.name, one.revocation_reason) for one in answer.responses]
    assert read == [(1, "GOOD", None), (2, "REVOKED", reason), (3, "REVOKED", None), (4, "UNKNOWN", None)]
    assert answer.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == b"n" * 32
    key_id = x509.SubjectKeyIdentifier.from_public_key(ours.issuing.public_key()).digest
    assert answer.responder_key_hash == key_id
    assert answer.certificates == [ours.issuing]


def test_a_refusal_is_an_answer_with_that_status() -> None:
    for status in OcspRefusal:
        assert ocsp.load_der_ocsp_response(build_refusal(status)).response_status.value == status


def test_a_responder_with_another_key_is_refused() -> None:
    with pytest.raises(ConfigError):
        responder_of(OURS.issuing, new_authority().key)
