"""Which certificate somebody means: by serial, fingerprint, name or the certificate itself, without guessing."""

import re

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from handfast.ca.ports import Store
from handfast.ca.records import CertificateRecord
from handfast.errors import Conflict, Malformed, NotFound
from handfast.pki.names import parse_name
from handfast.pki.serial import serial_text

# Shorter prefixes than 8 digits are what somebody typed as a name or cut off by mistake.
LEAST_PREFIX = 8
_HEX = re.compile(r"(?:0x)?[0-9a-f]+", re.IGNORECASE)
_DECIMAL = re.compile(r"[0-9]+")
# A SHA-256 fingerprint with 0x before it; no serial is longer, in decimal either.
_MOST_DIGITS = 66
_MOST_LISTED = 10


def candidates(store: Store, text: str) -> tuple[CertificateRecord, ...]:
    """Every record that the text may mean, each once: a serial (hex, decimal, colons), a fingerprint or a name."""
    text = text.strip()
    found: dict[int, CertificateRecord] = {}
    for records in (_by_number(store, text), _by_name(store, text)):
        found.update({record.id: record for record in records})
    return tuple(found.values())


def the_one(store: Store, text: str) -> CertificateRecord:
    """The only certificate that the text may mean. Raises NotFound, or Conflict with the candidates."""
    return one_of(text, candidates(store, text))


def one_of(text: str, found: tuple[CertificateRecord, ...]) -> CertificateRecord:
    """The only one that was found for the text. Raises NotFound, or Conflict with the candidates."""
    if not found:
        hint = (
            "give a serial, at least 8 digits of a fingerprint, a name, or a certificate file; `handfast list` has all"
        )
        raise NotFound(f"no certificate is known by {text!r}", hint=hint)
    if len(found) > 1:
        raise ambiguous(text, found)
    return found[0]


def ambiguous(text: str, found: tuple[CertificateRecord, ...]) -> Conflict:
    """The error that lists the candidates, so that one can be named by its serial."""
    lines = [
        f"  {serial_text(record.serial)}  {record.label}  {record.profile}  until {record.not_after:%Y-%m-%d}"
        for record in found[:_MOST_LISTED]
    ]
    more = [f"  and {len(found) - _MOST_LISTED} more"] if len(found) > _MOST_LISTED else []
    msg = "\n".join([f"{text!r} may mean {len(found)} certificates:", *lines, *more])
    return Conflict(msg, hint="name one by its serial")


def by_certificate(store: Store, certificate: x509.Certificate) -> CertificateRecord:
    """The record of this very certificate. Raises NotFound."""
    for record in store.by_fingerprint(certificate.fingerprint(hashes.SHA256())):
        return record
    msg = f"this authority did not issue the certificate {serial_text(certificate.serial_number)}"
    raise NotFound(msg, hint="check that the file is of this authority, and not renewed elsewhere")


def _by_number(store: Store, text: str) -> tuple[CertificateRecord, ...]:
    digits = text.replace(":", "")
    if len(digits) > _MOST_DIGITS or not _HEX.fullmatch(digits):
        return ()
    bare = digits.lower().removeprefix("0x")
    serials = {int(bare, 16)}
    if _DECIMAL.fullmatch(text):
        serials.add(int(text))
    found = [record for serial in sorted(serials) if serial.bit_length() <= 160 for record in store.by_serial(serial)]
    if LEAST_PREFIX <= len(bare) <= 64:
        found += store.by_fingerprint(bytes.fromhex(bare[: len(bare) // 2 * 2]))
        found = [record for record in found if _means(record, bare, serials)]
    return tuple(found)


def _means(record: CertificateRecord, bare: str, serials: set[int]) -> bool:
    if record.serial in serials or record.fingerprint is None:
        return True
    certificate = record.x509()
    sha1 = certificate.fingerprint(hashes.SHA1()).hex() if certificate is not None else ""  # noqa: S303  # a name only
    return record.fingerprint.hex().startswith(bare) or sha1.startswith(bare)


def _by_name(store: Store, text: str) -> tuple[CertificateRecord, ...]:
    if any("\ud800" <= character <= "\udfff" for character in text):
        return ()  # octets that are no text: nothing is on record by them
    spellings = {text.lower()}
    try:
        spellings.add(parse_name(text).value.lower())
    except Malformed:
        pass  # a label need not be a name that a certificate can carry
    return tuple(record for spelling in sorted(spellings) for record in store.by_name(spelling))
