"""OCSP answers: put together and signed by hand, for any number of certificates in one (RFC 6960 section 4.2)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from handfast.errors import ConfigError
from handfast.pki import der
from handfast.pki.keys import PrivateKey
from handfast.pki.ocsp import CertId, key_bits, nonce_extension
from handfast.pki.signing import sign, signature_algorithm

_BASIC = der.object_identifier("1.3.6.1.5.5.7.48.1.1")
_SUCCESSFUL = b"\x0a\x01\x00"
_GOOD = b"\x80\x00"
_UNKNOWN = b"\x82\x00"
_REASON_CODES = {
    x509.ReasonFlags.key_compromise: 1,
    x509.ReasonFlags.ca_compromise: 2,
    x509.ReasonFlags.affiliation_changed: 3,
    x509.ReasonFlags.superseded: 4,
    x509.ReasonFlags.cessation_of_operation: 5,
    x509.ReasonFlags.certificate_hold: 6,
    x509.ReasonFlags.privilege_withdrawn: 9,
    x509.ReasonFlags.aa_compromise: 10,
}


class OcspRefusal(IntEnum):
    """Why a request is not answered: the OCSPResponseStatus (RFC 6960 section 4.2.1)."""

    MALFORMED_REQUEST = 1
    INTERNAL_ERROR = 2
    TRY_LATER = 3
    SIG_REQUIRED = 5
    UNAUTHORIZED = 6


@dataclass(frozen=True, slots=True)
class Responder:
    """Who signs: a certificate, its key, and what of them stands in every answer, in DER."""

    certificate: x509.Certificate
    key: PrivateKey
    identifier: bytes
    algorithm: bytes
    certificates: bytes

    @property
    def not_after(self) -> datetime:
        """When its certificate ends."""
        return self.certificate.not_valid_after_utc

    @property
    def serial(self) -> int:
        """Of its certificate."""
        return self.certificate.serial_number


def responder_of(certificate: x509.Certificate, key: PrivateKey) -> Responder:
    """A responder that is named by its key, and sends its certificate along. Raises ConfigError when they differ."""
    if key.public_key() != certificate.public_key():
        msg = "the key of the OCSP responder does not belong to its certificate"
        raise ConfigError(msg, hint="start the service anew: it makes itself a new key and certificate")
    digest = hashlib.sha1(key_bits(key.public_key()), usedforsecurity=False).digest()
    return Responder(
        certificate,
        key,
        identifier=der.encode(0xA2, der.encode(der.OCTET_STRING, digest)),
        algorithm=signature_algorithm(key),
        certificates=der.encode(0xA0, der.sequence((certificate.public_bytes(Encoding.DER),))),
    )


@dataclass(frozen=True, slots=True)
class CertStatus:
    """What is said of one certificate. is_known: it was issued here, or is revoked. revoked_at: None when it is not.

    reason: None for one that is not specified.
    """

    is_known: bool
    revoked_at: datetime | None = None
    reason: x509.ReasonFlags | None = None


@dataclass(frozen=True, slots=True)
class Times:
    """The moments of an answer, aware UTC, written in whole seconds."""

    produced_at: datetime
    this_update: datetime
    next_update: datetime


def build_response(
    statuses: Sequence[tuple[CertId, CertStatus]], times: Times, *, responder: Responder, nonce: bytes | None = None
) -> bytes:
    """A signed OCSPResponse in DER that answers for each CertID, in their order."""
    update = der.generalized_time(times.this_update) + der.encode(0xA0, der.generalized_time(times.next_update))
    singles = der.sequence(der.sequence((one.der, _status(status), update)) for one, status in statuses)
    extensions = b"" if nonce is None else der.encode(0xA1, der.sequence((nonce_extension(nonce),)))
    data = der.sequence((responder.identifier, der.generalized_time(times.produced_at), singles, extensions))
    signature = der.encode(der.BIT_STRING, b"\0" + sign(responder.key, data))
    basic = der.sequence((data, responder.algorithm, signature, responder.certificates))
    body = der.sequence((_BASIC, der.encode(der.OCTET_STRING, basic)))
    return der.sequence((_SUCCESSFUL, der.encode(0xA0, body)))


def build_refusal(status: OcspRefusal) -> bytes:
    """An answer that says why there is none. It is not signed: RFC 6960 section 2.3."""
    return b"\x30\x03\x0a\x01" + bytes((status,))


def _status(status: CertStatus) -> bytes:
    if status.revoked_at is None:
        return _GOOD if status.is_known else _UNKNOWN
    code = _REASON_CODES.get(status.reason) if status.reason is not None else None
    reason = b"" if code is None else der.encode(0xA0, der.encode(der.ENUMERATED, bytes((code,))))
    return der.encode(0xA1, der.generalized_time(status.revoked_at) + reason)
