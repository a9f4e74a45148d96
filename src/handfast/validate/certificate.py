"""A certificate as the validator sees it: one pass over its DER, extensions left undecoded (RFC 5280 section 4.1)."""

import re
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from handfast.errors import Malformed
from handfast.validate.der import (
    BIT_STRING,
    BOOLEAN,
    INTEGER,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    SEQUENCE,
    boolean,
    dotted,
    inside,
    integer,
    malformed,
    read,
)
from handfast.validate.distinguished_names import readable_name, same_name
from handfast.validate.extensions import Decoded, Extension, decode
from handfast.validate.memory import remembering

MAXIMUM_BYTES = 1 << 17
_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18
_VERSION, _ISSUER_ID, _SUBJECT_ID, _EXTENSIONS = 0xA0, 0x81, 0x82, 0xA3
# Most certificates hold what these two match: they save a dozen steps for each extension.
_CLOCK = rb"(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])(?:[01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]Z"
_TIME = re.compile(rb"[0-9]{4}" + _CLOCK)
_USUAL_VALIDITY = re.compile(rb"\x17\x0d([0-9]{2}" + _CLOCK + rb")\x17\x0d([0-9]{2}" + _CLOCK + rb")")
_USUAL_EXTENSION = re.compile(rb"\x30([\x00-\x7f])\x06\x03(\x55\x1d.)(\x01\x01\xff)?\x04([\x00-\x7f])", re.DOTALL)
_VERSIONS = {b"\x02\x01\x01": 2, b"\x02\x01\x02": 3}


@dataclass(frozen=True, slots=True, eq=False)
class Certificate:
    """One certificate, taken apart. Made by read_certificate().

    `tbs` is what was signed; `issuer`, `subject`, `spki` and the algorithms are DER; `not_before` and `not_after` are
    `YYYYMMDDHHMMSSZ`; `extensions` are keyed by the content octets of their OID, `says` is what they say.
    `oddities` are what the encoding itself got wrong without hindering the reading: pairs of a rule's code and a
    message.
    """

    der: bytes
    tbs: bytes
    algorithm: bytes
    signature: bytes
    version: int
    serial: int
    inner_algorithm: bytes
    issuer: bytes
    not_before: bytes
    not_after: bytes
    subject: bytes
    spki: bytes
    extensions: dict[bytes, Extension]
    says: Decoded
    oddities: tuple[tuple[str, str], ...]

    @property
    def is_self_issued(self) -> bool:
        """Whether subject and issuer are one name (RFC 5280 section 6.1)."""
        return same_name(self.issuer, self.subject)

    @property
    def is_ca(self) -> bool:
        """Whether basicConstraints says that the subject is a CA."""
        found = self.says.basic_constraints
        return found is not None and found.is_ca

    @property
    def name(self) -> str:
        """The subject for people's eyes."""
        return readable_name(self.subject)

    @property
    def issuer_name(self) -> str:
        """The issuer for people's eyes."""
        return readable_name(self.issuer)

    def to_x509(self) -> x509.Certificate | None:
        """The certificate as cryptography's value; None where its parser refuses it (a DSA key that inherits)."""
        try:
            return x509.load_der_x509_certificate(self.der)
        except ValueError:
            return None


def moment_of(at: datetime) -> bytes:
    """A moment in UTC as Certificate has its validity, in whole seconds."""
    return b"%04d%02d%02d%02d%02d%02dZ" % (at.year, at.month, at.day, at.hour, at.minute, at.second)


def read_certificate(source: x509.Certificate | bytes) -> Certificate:
    """Take a certificate apart. Raises Malformed when it is not DER, too large, or not a certificate."""
    data = source if isinstance(source, bytes) else source.public_bytes(Encoding.DER)
    if len(data) > MAXIMUM_BYTES:
        raise malformed(f"the certificate has {len(data)} bytes, more than the {MAXIMUM_BYTES} that are read")
    try:
        return _read(data)
    except Malformed as error:
        msg = f"not a certificate: {error.message}"
        raise Malformed(msg, hint=error.hint) from error


def read_authority(source: x509.Certificate | bytes) -> Certificate:
    """As read_certificate(), and remembers the last few hundred: the same CAs come with every chain."""
    data = source if isinstance(source, bytes) else source.public_bytes(Encoding.DER)
    return _remembered(data)


@remembering(most=256, longest=1 << 14)
def _remembered(data: bytes) -> Certificate:
    return read_certificate(data)


def _read(data: bytes) -> Certificate:
    begin, end = inside(data, SEQUENCE)
    start, stop = _expect(data, begin, end, SEQUENCE)
    middle = _expect(data, stop, end, SEQUENCE)[1]
    bits, last = _expect(data, middle, end, BIT_STRING)
    if last != end or bits == last or data[bits]:
        raise malformed("the signature is not a string of whole octets at the end")
    return _read_signed(data, (start, stop), (data[begin:stop], data[stop:middle], data[bits + 1 : last]))


def _read_signed(data: bytes, span: tuple[int, int], outer: tuple[bytes, bytes, bytes]) -> Certificate:
    at, stop = span
    version = 1
    if data[at] == _VERSION:
        first, at = _expect(data, at, stop, _VERSION)
        version = _VERSIONS.get(data[first:at], 0)
    start, after_serial = _expect(data, at, stop, INTEGER)
    serial = integer(data[start:after_serial])
    after_algorithm = _expect(data, after_serial, stop, SEQUENCE)[1]
    after_issuer = _expect(data, after_algorithm, stop, SEQUENCE)[1]
    start, after_validity = _expect(data, after_issuer, stop, SEQUENCE)
    after_subject = _expect(data, after_validity, stop, SEQUENCE)[1]
    after_spki = _expect(data, after_subject, stop, SEQUENCE)[1]
    oddities: list[tuple[str, str]] = []
    if not version:
        oddities.append(("version-unknown", "the version is none that X.509 knows"))
    not_before, not_after = _read_validity(data, start, after_validity, oddities)
    extensions = _read_tail(data, after_spki, stop, oddities)
    return Certificate(
        data, *outer, version, serial, data[after_serial:after_algorithm], data[after_algorithm:after_issuer],
        not_before, not_after, data[after_validity:after_subject], data[after_subject:after_spki],
        extensions, decode(extensions), tuple(oddities),
    )  # fmt: skip


def _expect(data: bytes, at: int, end: int, expected: int) -> tuple[int, int]:
    tag, start, stop = read(data, at, end)
    if tag != expected:
        raise malformed(f"an element has tag {tag:#04x} where {expected:#04x} belongs")
    return start, stop


def _read_validity(data: bytes, at: int, stop: int, oddities: list[tuple[str, str]]) -> tuple[bytes, bytes]:
    usual = _USUAL_VALIDITY.match(data, at, stop)
    if usual is not None and usual.end() == stop:
        return _with_century(usual[1]), _with_century(usual[2])
    tag, start, end = read(data, at, stop)
    not_before = _time(tag, data[start:end], oddities)
    tag, start, end = read(data, end, stop)
    if end != stop:
        raise malformed("the validity has more than two times")
    return not_before, _time(tag, data[start:end], oddities)


def _with_century(text: bytes) -> bytes:
    return (b"19" if text >= b"5" else b"20") + text


def _time(tag: int, text: bytes, oddities: list[tuple[str, str]]) -> bytes:
    """`YYYYMMDDHHMMSSZ` (RFC 5280 section 4.1.2.5)."""
    if tag == _UTC_TIME:
        text = _with_century(text)
    elif tag == _GENERALIZED_TIME and text < b"2050":
        oddities.append(("time-generalized-before-2050", "a time before 2050 is encoded as GeneralizedTime"))
    if tag not in {_UTC_TIME, _GENERALIZED_TIME} or _TIME.fullmatch(text) is None:
        raise malformed("a time is not UTCTime or GeneralizedTime, in UTC with seconds")
    return text


def _read_tail(data: bytes, at: int, stop: int, oddities: list[tuple[str, str]]) -> dict[bytes, Extension]:
    """What follows the public key: unique identifiers, which nobody uses any more, and the extensions."""
    extensions: dict[bytes, Extension] = {}
    last = 0
    while at < stop:
        tag, start, end = read(data, at, stop)
        if tag not in {_ISSUER_ID, _SUBJECT_ID, _EXTENSIONS} or tag <= last:
            raise malformed(f"an element with tag {tag:#04x} stands after the public key")
        if tag == _EXTENSIONS:
            extensions = _read_extensions(data, start, end, oddities)
        last, at = tag, end
    return extensions


def _read_extensions(data: bytes, at: int, stop: int, oddities: list[tuple[str, str]]) -> dict[bytes, Extension]:
    at, end = _expect(data, at, stop, SEQUENCE)
    if end != stop or at == end:
        raise malformed("the list of extensions is empty, or there is more after it")
    extensions: dict[bytes, Extension] = {}
    while at < stop:
        usual = _USUAL_EXTENSION.match(data, at, stop)
        end = at + 2 + usual[1][0] if usual else 0
        if usual and end == usual.end() + usual[4][0] and end <= stop:
            oid, extension, at = usual[2], Extension(usual[3] is not None, data[usual.end() : end]), end
        else:
            oid, extension, at = _read_extension(data, at, stop, oddities)
        if oid in extensions:
            oddities.append(("duplicate-extension", f"the extension {dotted(oid)} occurs twice"))
        extensions[oid] = extension
    return extensions


def _read_extension(data: bytes, at: int, stop: int, oddities: list[tuple[str, str]]) -> tuple[bytes, Extension, int]:
    start, end = _expect(data, at, stop, SEQUENCE)
    begin, at = _expect(data, start, end, OBJECT_IDENTIFIER)
    oid = data[begin:at]
    tag, begin, at = read(data, at, end)
    critical = tag == BOOLEAN
    if critical:
        critical = boolean(data[begin:at])
        if not critical:
            oddities.append(("default-encoded", "an extension says that it is not critical, which DER leaves out"))
        tag, begin, at = read(data, at, end)
    if tag != OCTET_STRING or at != end:
        raise malformed("an extension is not an identifier, a mark and a value")
    return oid, Extension(critical, data[begin:end]), end
