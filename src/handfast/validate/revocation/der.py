"""DER as tag, length and value (X.690 section 8.1), as much as walking a revocation list takes; never recursive."""

from collections.abc import Iterator

from handfast.errors import Malformed

SEQUENCE = 0x30
INTEGER = 0x02
BOOLEAN = 0x01
OID = 0x06
OCTET_STRING = 0x04
TIMES = (0x17, 0x18)


def header(data: bytes, at: int, end: int) -> tuple[int, int, int]:
    """(tag, start of the value, end of the value) of the element at `at`; raises Malformed when it leaves `end`."""
    if at + 2 > end:
        raise malformed(at)
    tag, length, start = data[at], data[at + 1], at + 2
    if length >= 0x80:
        octets = length & 0x7F
        if not 1 <= octets <= 4 or start + octets > end:
            raise malformed(at)
        length = int.from_bytes(data[start : start + octets], "big")
        start += octets
    if start + length > end:
        raise malformed(at)
    return tag, start, start + length


def elements(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """(tag, start of the element, start of the value, end) of each element between `start` and `end`."""
    at = start
    while at < end:
        tag, value, stop = header(data, at, end)
        yield tag, at, value, stop
        at = stop


def expect(data: bytes, at: int, end: int, tag: int) -> tuple[int, int]:
    """(start, end) of the value of the element at `at`, which must have this tag; raises Malformed."""
    found, start, stop = header(data, at, end)
    if found != tag:
        raise malformed(at)
    return start, stop


def integer_content(value: int) -> bytes:
    """The content octets of the DER INTEGER `value`, which may be negative."""
    size = (value.bit_length() // 8) + 1 if value >= 0 else ((value + 1).bit_length() // 8) + 1
    return value.to_bytes(size, "big", signed=True)


def malformed(at: int) -> Malformed:
    """The error for bytes that are not the DER they should be."""
    return Malformed(f"bad DER at byte {at}", hint="obtain the object again: it is damaged, or not what it is called")
