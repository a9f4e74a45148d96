"""The serial number is positive, short enough and hard to guess (RFC 5280 section 4.1.2.2, TLS BR section 7.1)."""

from collections.abc import Iterator

from handfast.findings import Finding, Severity
from handfast.pki.draft import Draft

CODES = {
    "serial-not-positive": "the serial number is zero or negative",
    "serial-too-long": "the serial number has over 20 octets",
    "serial-predictable": "the serial number is too short to hold 64 random bits",
}


_REFERENCE = "RFC 5280 section 4.1.2.2"
_FIX = "use 159 random bits"
_RANDOM_BITS = 64
# 64 random bits are shorter than this once in a million.
_LEAST_LENGTH = _RANDOM_BITS - 20


def check(draft: Draft) -> Iterator[Finding]:
    """Errors for numbers that no CA may use; a warning for one that looks counted, not drawn."""
    bits = draft.serial.bit_length()
    if draft.serial <= 0:
        yield Finding("serial-not-positive", Severity.ERROR, "the serial number is not positive", _FIX, _REFERENCE)
    elif bits > 159:
        yield Finding("serial-too-long", Severity.ERROR, "the serial number has over 20 octets", _FIX, _REFERENCE)
    elif bits < _LEAST_LENGTH:
        severity = Severity.WARNING if draft.profile is None else Severity.ERROR
        message = f"the serial number has {bits} bits: it is not 64 random ones"
        yield Finding("serial-predictable", severity, message, _FIX, "TLS BR section 7.1.2.7")
