"""Certificate revocation lists in linear time and bounded memory (RFC 5280 section 5)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from handfast.errors import ConfigError, Malformed
from handfast.pki import der
from handfast.pki.issuer_identity import IssuerIdentity
from handfast.pki.keys import PrivateKey
from handfast.pki.pem import one_crl
from handfast.pki.signing import sign, signature_algorithm

_VERSION_2 = b"\x02\x01\x01"
_CRL_NUMBER = der.object_identifier("2.5.29.20")
_REASON_CODES = {
    x509.ReasonFlags.key_compromise: 1,
    x509.ReasonFlags.ca_compromise: 2,
    x509.ReasonFlags.affiliation_changed: 3,
    x509.ReasonFlags.superseded: 4,
    x509.ReasonFlags.cessation_of_operation: 5,
    x509.ReasonFlags.certificate_hold: 6,
    x509.ReasonFlags.remove_from_crl: 8,
    x509.ReasonFlags.privilege_withdrawn: 9,
    x509.ReasonFlags.aa_compromise: 10,
}
# SEQUENCE { SEQUENCE { 2.5.29.21, OCTET STRING { ENUMERATED } } }, the reason to follow as the last octet. A reason
# that is not specified is left out (RFC 5280 section 5.3.1).
_REASON_PREFIX = bytes.fromhex("300c300a0603551d1504030a01")
_REASONS: dict[x509.ReasonFlags | None, bytes] = {
    None: b"",
    x509.ReasonFlags.unspecified: b"",
    **{reason: _REASON_PREFIX + bytes((code,)) for reason, code in _REASON_CODES.items()},
}


@dataclass(frozen=True, slots=True)
class RevokedEntry:
    """One line of a CRL. revoked_at: aware UTC. reason: None for one that is not specified."""

    serial: int
    revoked_at: datetime
    reason: x509.ReasonFlags | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CrlHeader:
    """What a CRL says beside its entries. number: rises with every CRL, at most 20 octets.

    base_number: makes it a delta CRL upon that one (section 5.2.4). scope: issuingDistributionPoint (section 5.2.5).
    freshest: URLs of the delta CRLs (section 5.2.6).
    """

    number: int
    this_update: datetime
    next_update: datetime
    base_number: int | None = None
    scope: x509.IssuingDistributionPoint | None = None
    freshest: tuple[str, ...] = ()


def build_crl(entries: Iterable[RevokedEntry], header: CrlHeader, *, issuer: IssuerIdentity, key: PrivateKey) -> bytes:
    """A signed CRL in DER. The entries come in any order and number; each serial once."""
    encoded = (encode_entry(entry.serial, entry.revoked_at, entry.reason) for entry in entries)
    return join_crl(encoded, header, issuer=issuer, key=key)


def encode_entry(serial: int, revoked_at: datetime, reason: x509.ReasonFlags | None = None) -> bytes:
    """One entry of revokedCertificates in DER, to keep and to join: an entry never changes once it is revoked."""
    number = serial.to_bytes((serial.bit_length() >> 3) + 1, "big")
    rest = der.time(revoked_at) + _REASONS[reason]
    size = len(number) + 2 + len(rest)
    if size < 0x80:
        return b"\x30%c\x02%c%b%b" % (size, len(number), number, rest)
    return der.sequence((der.integer(serial), rest))


def entry_frame(size: int, day: datetime, reason: x509.ReasonFlags | None = None) -> tuple[bytes, bytes, bytes]:
    """What encode_entry() puts around a serial of `size` octets of DER (at most 20), for all moments of one day.

    day: its midnight, UTC. Before the serial; between it and the time of the day (HHMMSSZ); and behind that.
    """
    time, behind = der.time(day), _REASONS[reason]
    return b"\x30%c\x02%c" % (size + 2 + len(time) + len(behind), size), time[: -len(b"HHMMSSZ")], behind


def join_crl(
    encoded_entries: Iterable[bytes | memoryview], header: CrlHeader, *, issuer: IssuerIdentity, key: PrivateKey
) -> bytes:
    """A signed CRL in DER from entries encoded by encode_entry(), one or many in each piece.

    Holds the entries in memory, and twice the CRL. Raises ConfigError when the key is not the issuer's.
    """
    if key.public_key() != issuer.public_key:
        msg = "the key of the issuing CA does not belong to its certificate"
        raise ConfigError(msg, hint="restore the key that belongs to the certificate")
    algorithm = signature_algorithm(key)
    signed = _signed_part(tuple(encoded_entries), header, issuer=issuer, algorithm=algorithm)
    signature = sign(key, signed)
    return der.sequence((signed, algorithm, der.encode(der.BIT_STRING, b"\0" + signature)))


def parse_crl(data: bytes, source: str = "input") -> x509.CertificateRevocationList:
    """A CRL in PEM or DER. Does not verify its signature. Raises Malformed."""
    return one_crl(data, source)


def number_of(data: bytes | memoryview) -> int:
    """The CRL number (section 5.2.3) of a CRL in DER, without looking at its entries. Raises Malformed.

    Does not verify its signature.
    """
    tbs = next(iter(der.children(data, der.element_at(data))), None)
    tail = [one for one in der.children(data, tbs) if one.tag == 0xA0] if tbs is not None else []
    for extensions in (found for one in tail for found in der.children(data, one)):
        for extension in der.children(data, extensions):
            oid, *_, value = der.children(data, extension)
            if data[oid.begin : oid.end] == _CRL_NUMBER:
                number = der.element_at(data, value.start)
                return int.from_bytes(data[number.start : number.end], "big")
    raise Malformed("the CRL has no number", hint="make it anew: handfast crl")


def around_entries(crl: bytes) -> tuple[bytes, bytes]:
    """What stands before and behind the entries of a CRL in DER, without looking at each. Raises Malformed."""
    tbs = next(iter(der.children(crl, der.element_at(crl))))
    sequences = [one for one in der.children(crl, tbs) if one.tag == der.SEQUENCE]
    # signature, issuer, and revokedCertificates when there are any; the times before it are no SEQUENCEs.
    if len(sequences) < 3:
        return crl, b""
    return crl[: sequences[2].start], crl[sequences[2].end :]


def _signed_part(
    entries: tuple[bytes | memoryview, ...], header: CrlHeader, *, issuer: IssuerIdentity, algorithm: bytes
) -> bytes:
    extensions = der.sequence(
        _encode_extension(value, critical=critical) for value, critical in _extensions(header, issuer)
    )
    # An empty list of entries is absent, not empty (section 5.1.2.6).
    size = sum(map(len, entries))
    listed = (b"\x30", der.length(size), *entries) if size else ()
    parts = (
        _VERSION_2,
        algorithm,
        issuer.subject.public_bytes(),
        der.time(header.this_update),
        der.time(header.next_update),
        *listed,
        der.encode(0xA0, extensions),
    )
    return der.sequence(parts)


def _extensions(header: CrlHeader, issuer: IssuerIdentity) -> list[tuple[x509.ExtensionType, bool]]:
    found: list[tuple[x509.ExtensionType, bool]] = [
        (x509.AuthorityKeyIdentifier(issuer.key_id, None, None), False),
        (x509.CRLNumber(header.number), False),
    ]
    if header.base_number is not None:
        found.append((x509.DeltaCRLIndicator(header.base_number), True))
    if header.scope is not None:
        found.append((header.scope, True))
    if header.freshest:
        points = [
            x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None) for url in header.freshest
        ]
        found.append((x509.FreshestCRL(points), False))
    return found


def _encode_extension(value: x509.ExtensionType, *, critical: bool) -> bytes:
    oid = der.object_identifier(value.oid.dotted_string)
    flag = b"\x01\x01\xff" if critical else b""
    return der.sequence((oid, flag, der.encode(der.OCTET_STRING, value.public_bytes())))
