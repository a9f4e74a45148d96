"""DER in the small (X.690 section 10): just enough to write a CRL of a million entries and to see what a file is."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from handfast.errors import Malformed

INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
OBJECT_IDENTIFIER = 0x06
ENUMERATED = 0x0A
UTC_TIME = 0x17
GENERALIZED_TIME = 0x18
SEQUENCE = 0x30
SET = 0x31
NULL = b"\x05\x00"
_TWO = tuple(b"%02d" % number for number in range(100))
_HINT = "the data is damaged or cut off; fetch or export it again"


@dataclass(frozen=True, slots=True)
class Element:
    """One tag, length, value: `content` is data[start:end], and the whole element data[begin:end]."""

    tag: int
    begin: int
    start: int
    end: int


def length(size: int) -> bytes:
    """The length octets for a value of `size` bytes."""
    if size < 0x80:
        return bytes((size,))
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((0x80 | len(octets),)) + octets


def encode(tag: int, content: bytes) -> bytes:
    """One element with a one-octet tag."""
    return bytes((tag,)) + length(len(content)) + content


def sequence(parts: Iterable[bytes | memoryview]) -> bytes:
    """A SEQUENCE of elements encoded already; copies them once."""
    parts = tuple(parts)
    return b"".join((b"\x30", length(sum(map(len, parts))), *parts))


def integer(number: int) -> bytes:
    """A non-negative INTEGER."""
    return encode(INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big"))


@lru_cache(maxsize=256)
def object_identifier(dotted: str) -> bytes:
    """An OBJECT IDENTIFIER, from its numbers with dots between."""
    first, second, *rest = map(int, dotted.split("."))
    content = bytearray()
    for arc in (first * 40 + second, *rest):
        septets = [arc & 0x7F]
        while arc := arc >> 7:
            septets.append(0x80 | (arc & 0x7F))
        content += bytes(reversed(septets))
    return encode(OBJECT_IDENTIFIER, bytes(content))


def generalized_time(moment: datetime) -> bytes:
    """GeneralizedTime in whole seconds, as OCSP wants it in every year (RFC 6960 section 4.2.1)."""
    return encode(GENERALIZED_TIME, f"{moment.astimezone(UTC):%Y%m%d%H%M%SZ}".encode())


def time(moment: datetime) -> bytes:
    """UTCTime through 2049 and GeneralizedTime after, in whole seconds (RFC 5280 section 4.1.2.5)."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    # A CRL of a million entries comes by here: strftime() would take most of its time.
    day = _TWO[moment.month] + _TWO[moment.day]
    rest = day + _TWO[moment.hour] + _TWO[moment.minute] + _TWO[moment.second] + b"Z"
    century, year = divmod(moment.year, 100)
    if 1950 <= moment.year < 2050:
        return b"\x17\x0d" + _TWO[year] + rest
    return b"\x18\x0f" + _TWO[century] + _TWO[year] + rest


def places(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Where each of the elements one after the other begins, its content starts and it ends.

    Only for what this authority encoded itself, as little is checked.
    """
    begin, size = 0, len(data)
    while begin < size:
        short = data[begin + 1]
        if short < 0x80:
            start, end = begin + 2, begin + 2 + short
        else:
            element = element_at(data, begin)
            start, end = element.start, element.end
        yield begin, start, end
        begin = end


def element_at(data: bytes | memoryview, begin: int = 0) -> Element:
    """The element that begins there. Raises Malformed when it is not DER or runs past the end."""
    if begin + 2 > len(data):
        msg = "the DER data ends in the middle of an element"
        raise Malformed(msg, hint=_HINT)
    tag, first = data[begin], data[begin + 1]
    start, size = begin + 2, first
    if first >= 0x80:
        count = first & 0x7F
        if not 1 <= count <= 4 or start + count > len(data):
            msg = "the data is not DER: an element has an impossible length"
            raise Malformed(msg, hint=_HINT)
        size = int.from_bytes(data[start : start + count], "big")
        start += count
    if start + size > len(data):
        msg = f"the DER data ends early: {start + size - len(data)} bytes are missing"
        raise Malformed(msg, hint=_HINT)
    return Element(tag, begin, start, start + size)


def children(data: bytes | memoryview, parent: Element) -> Iterator[Element]:
    """The elements inside a constructed one, in order."""
    position = parent.start
    while position < parent.end:
        child = element_at(data, position)
        if child.end > parent.end:
            msg = "the data is not DER: an element is longer than what holds it"
            raise Malformed(msg, hint=_HINT)
        yield child
        position = child.end
