"""The form of each certificate: version, serial number, names, known extensions (RFC 5280 section 4)."""

from handfast.validate.certificate import Certificate
from handfast.validate.distinguished_names import EMPTY
from handfast.validate.extensions import title
from handfast.validate.path import Examination
from handfast.validate.signatures import scheme

_LONGEST_SERIAL = 1 << 159


def check(examination: Examination) -> None:
    """What is wrong with a certificate by itself, whatever its place; an anchor's serial and signature are left out."""
    for position, certificate in enumerate(examination.chain):
        if certificate.oddities:
            for code, message in certificate.oddities:
                examination.note(code, position, message)
        if certificate.version != 3:
            _check_version(examination, position, certificate)
        _check_extensions(examination, position, certificate)
        if not position or position != examination.anchor_at:
            _check_serial(examination, position, certificate.serial)
            _check_algorithm(examination, position, certificate)
        if certificate.issuer == EMPTY:
            examination.note("issuer-empty", position, "the issuer has no name")
        if position and certificate.subject == EMPTY:
            examination.note("ca-subject-empty", position, "the CA has no name")


def _check_version(examination: Examination, position: int, certificate: Certificate) -> None:
    if certificate.version:
        examination.note("version-not-3", position, f"the certificate has version {certificate.version}")
    if certificate.extensions:
        examination.note("extensions-without-version-3", position, "a certificate before version 3 has extensions")


def _check_extensions(examination: Examination, position: int, certificate: Certificate) -> None:
    for field, message in certificate.says.unreadable:
        examination.note("malformed-extension", position, f"{title(field)} cannot be read: {message}")
    for oid in certificate.says.unknown_critical:
        examination.note("unknown-critical-extension", position, f"the critical extension {oid} is not known")


def _check_serial(examination: Examination, position: int, serial: int) -> None:
    if 0 < serial < _LONGEST_SERIAL:
        return
    if serial < 0:
        examination.note("serial-negative", position, f"the serial number is negative: {serial}")
    elif serial == 0:
        examination.note("serial-zero", position, "the serial number is zero")
    else:
        examination.note("serial-too-long", position, "the serial number has more than 20 octets")


def _check_algorithm(examination: Examination, position: int, certificate: Certificate) -> None:
    if certificate.algorithm != certificate.inner_algorithm:
        message = "the signature algorithm inside the signed part is another than outside"
        examination.note("signature-algorithm-mismatch", position, message)
    for code, message in scheme(certificate.algorithm).problems:
        examination.note(code, position, message)
