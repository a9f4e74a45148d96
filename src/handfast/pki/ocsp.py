"""OCSP requests: read one with any number of certificates, and name a certificate in one (RFC 6960 section 4.1)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography import x509

from handfast.errors import Malformed
from handfast.pki import der
from handfast.pki.keys import PublicKey, public_key_info

# What one answer may cost: each certificate is looked up and answered on its own.
MOST_CERTIFICATES = 256
LARGEST_NONCE = 128
NONCE = der.object_identifier("1.3.6.1.5.5.7.48.1.2")
# The hashes of a CertID. SHA-1 only finds the issuer here: RFC 5019 demands it, and nothing is signed with it.
HASHES = ("sha1", "sha256", "sha384", "sha512")
_OIDS = {
    "sha1": der.object_identifier("1.3.14.3.2.26"),
    "sha256": der.object_identifier("2.16.840.1.101.3.4.2.1"),
    "sha384": der.object_identifier("2.16.840.1.101.3.4.2.2"),
    "sha512": der.object_identifier("2.16.840.1.101.3.4.2.3"),
}
_BY_OID = {oid: name for name, oid in _OIDS.items()}
_VERSION_1 = der.encode(0xA0, der.integer(0))
_HINT = "send an OCSPRequest in DER (RFC 6960 section 4.1)"


@dataclass(frozen=True, slots=True)
class IssuerKey:
    """How a CertID names an issuer: by hashes of its subject and key. hash: one of HASHES, or empty for another."""

    hash: str
    name_hash: bytes
    key_hash: bytes


@dataclass(frozen=True, slots=True)
class CertId:
    """Which certificate is asked about. der: as it was asked, since the answer repeats it octet for octet."""

    issuer: IssuerKey
    serial: int
    der: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class OcspRequest:
    """A request. nonce: 1 to 128 octets (RFC 9654), or None.

    is_plain: one certificate and nothing else, in the one encoding that there is of it: what may be answered with an
    answer made before.
    """

    identifiers: tuple[CertId, ...]
    nonce: bytes | None = None
    is_plain: bool = False


def issuer_keys(subject: x509.Name, public_key: PublicKey) -> tuple[IssuerKey, ...]:
    """The ways in which a CertID can name this issuer, one for each of HASHES."""
    name, bits = subject.public_bytes(), key_bits(public_key)
    return tuple(IssuerKey(one, _digest(one, name), _digest(one, bits)) for one in HASHES)


def key_bits(public_key: PublicKey) -> bytes:
    """The subjectPublicKey without its algorithm and without the octet of unused bits."""
    info = public_key_info(public_key)
    _, bits = der.children(info, der.element_at(info))
    return info[bits.start + 1 : bits.end]


def cert_id(issuer: IssuerKey, serial: int) -> CertId:
    """The CertID of a certificate as openssl, Go and Java write it: with NULL as the parameters of the hash."""
    return CertId(issuer, serial, _encode(issuer, serial, der.NULL))


def build_request(identifiers: Sequence[CertId], nonce: bytes | None = None) -> bytes:
    """A request without a signature, in DER."""
    listed = der.sequence(der.sequence((one.der,)) for one in identifiers)
    extensions = () if nonce is None else (der.encode(0xA2, der.sequence((nonce_extension(nonce),))),)
    return der.sequence((der.sequence((listed, *extensions)),))


def nonce_extension(nonce: bytes) -> bytes:
    """The extension that carries a nonce (RFC 9654 section 2.1)."""
    return der.sequence((NONCE, der.encode(der.OCTET_STRING, der.encode(der.OCTET_STRING, nonce))))


def parse_request(data: bytes) -> OcspRequest:
    """Read a request. Its signature and requestorName, if any, are not looked at: the answers are public.

    Raises Malformed, also for over MOST_CERTIFICATES certificates and for a nonce of 0 or over 128 octets.
    """
    whole = der.element_at(data)
    if whole.tag != der.SEQUENCE or whole.end != len(data):
        raise _malformed("it is no SEQUENCE, or something follows it")
    parts = list(der.children(data, whole))
    if not 1 <= len(parts) <= 2 or parts[0].tag != der.SEQUENCE or any(one.tag != 0xA0 for one in parts[1:]):
        raise _malformed("it is no tbsRequest with an optional signature")
    fields = list(der.children(data, parts[0]))
    if fields and fields[0].tag == 0xA0:
        _require_version_1(data, fields.pop(0))
    if fields and fields[0].tag == 0xA1:
        fields.pop(0)
    if not 1 <= len(fields) <= 2 or fields[0].tag != der.SEQUENCE or any(one.tag != 0xA2 for one in fields[1:]):
        raise _malformed("its tbsRequest has other fields than it may have")
    identifiers = _identifiers(data, fields[0])
    nonce = _nonce(data, fields[1]) if len(fields) == 2 else None
    return OcspRequest(identifiers, nonce, is_plain=_is_plain(data, identifiers))


def _is_plain(data: bytes, identifiers: tuple[CertId, ...]) -> bool:
    if len(identifiers) != 1:
        return False
    one = identifiers[0]
    known = one.issuer.hash != "" and one.der in {_encode(one.issuer, one.serial, end) for end in (der.NULL, b"")}
    return known and data == build_request(identifiers)


def _encode(issuer: IssuerKey, serial: int, parameters: bytes) -> bytes:
    algorithm = der.sequence((_OIDS[issuer.hash], parameters))
    hashed = (der.encode(der.OCTET_STRING, value) for value in (issuer.name_hash, issuer.key_hash))
    number = serial.to_bytes((serial + (serial < 0)).bit_length() // 8 + 1, "big", signed=True)
    return der.sequence((algorithm, *hashed, der.encode(der.INTEGER, number)))


def _require_version_1(data: bytes, element: der.Element) -> None:
    if data[element.begin : element.end] != _VERSION_1:
        raise _malformed("its version is not 1")


def _identifiers(data: bytes, listed: der.Element) -> tuple[CertId, ...]:
    found = []
    for request in der.children(data, listed):
        parts = list(der.children(data, request)) if request.tag == der.SEQUENCE else []
        if not 1 <= len(parts) <= 2 or any(one.tag != 0xA0 for one in parts[1:]):
            raise _malformed("an entry of its list is no request for one certificate")
        for extension in parts[1:]:
            _extensions(data, extension)
        found.append(_cert_id(data, parts[0]))
        if len(found) > MOST_CERTIFICATES:
            raise _malformed(f"it asks about over {MOST_CERTIFICATES} certificates")
    if not found:
        raise _malformed("it asks about no certificate")
    return tuple(found)


def _cert_id(data: bytes, element: der.Element) -> CertId:
    parts = list(der.children(data, element)) if element.tag == der.SEQUENCE else []
    tags = [one.tag for one in parts]
    if tags != [der.SEQUENCE, der.OCTET_STRING, der.OCTET_STRING, der.INTEGER]:
        raise _malformed("a CertID is not a hash algorithm, two hashes and a serial number")
    # The answer repeats it all: what is not DER here would not be there.
    algorithm, name, key, serial = parts
    oid = next(der.children(data, algorithm), None)
    if oid is None or oid.tag != der.OBJECT_IDENTIFIER or data[oid.end : algorithm.end] not in {b"", der.NULL}:
        raise _malformed("the hash algorithm of a CertID is no object identifier with NULL or nothing")
    if not _is_shortest(data[serial.start : serial.end]):
        raise _malformed("a serial number is empty, or longer than it need be")
    issuer = IssuerKey(
        _BY_OID.get(data[oid.begin : oid.end], ""), data[name.start : name.end], data[key.start : key.end]
    )
    number = int.from_bytes(data[serial.start : serial.end], "big", signed=True)
    return CertId(issuer, number, data[element.begin : element.end])


def _is_shortest(number: bytes) -> bool:
    """True for the one encoding of an INTEGER that DER allows: its first octet is not only its sign once more."""
    if len(number) < 2:
        return len(number) == 1
    return number[0] not in {0x00, 0xFF} or (number[0] ^ number[1]) >= 0x80


def _nonce(data: bytes, element: der.Element) -> bytes | None:
    for value in _extensions(data, element):
        inner = der.element_at(value)
        if inner.tag != der.OCTET_STRING or inner.end != len(value):
            raise _malformed("its nonce is no OCTET STRING")
        if not 1 <= inner.end - inner.start <= LARGEST_NONCE:
            raise _malformed(f"its nonce has {inner.end - inner.start} octets, not 1 to {LARGEST_NONCE}")
        return value[inner.start : inner.end]
    return None


def _extensions(data: bytes, element: der.Element) -> list[bytes]:
    """The value of the nonce, if there is one. A critical extension that is not known is refused (RFC 6960 4.4)."""
    listed = list(der.children(data, element))
    if len(listed) != 1 or listed[0].tag != der.SEQUENCE:
        raise _malformed("its extensions are no list")
    nonces = []
    for extension in der.children(data, listed[0]):
        parts = list(der.children(data, extension)) if extension.tag == der.SEQUENCE else []
        tags = [one.tag for one in parts]
        if tags not in ([6, 4], [6, 1, 4]):
            raise _malformed("an extension is not an object identifier and a value")
        if data[parts[0].begin : parts[0].end] == NONCE:
            nonces.append(data[parts[-1].start : parts[-1].end])
        elif len(parts) == 3 and data[parts[1].start : parts[1].end] != b"\0":
            raise _malformed("it has a critical extension that is not known here")
    if len(nonces) > 1:
        raise _malformed("it has two nonces")
    return nonces


def _digest(name: str, data: bytes) -> bytes:
    return hashlib.new(name, data, usedforsecurity=False).digest()


def _malformed(why: str) -> Malformed:
    return Malformed(f"the OCSP request cannot be read: {why}", hint=_HINT)
