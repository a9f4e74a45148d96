"""DER read in place: offsets into one bytes object, no copies (X.690 sections 8 and 10)."""

from collections.abc import Iterator

from handfast.errors import Malformed

BOOLEAN = 0x01
INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
NULL = 0x05
OBJECT_IDENTIFIER = 0x06
SEQUENCE = 0x30
SET = 0x31
_HIGH_TAG = 0x1F
_LONGEST_LENGTH = 4


def malformed(what: str) -> Malformed:
    """The error for bytes that are not the DER that was expected."""
    return Malformed(what, hint="obtain the object again, or have it issued anew: it is damaged or was encoded wrongly")


def read(data: bytes, at: int, end: int) -> tuple[int, int, int]:
    """The element that begins at `at`: its tag, where its content starts and where it stops. Raises Malformed."""
    start = at + 2
    if start > end:
        raise malformed("the data ends in the middle of an element")
    tag, size = data[at], data[at + 1]
    if size >= 0x80:
        count = size & 0x7F
        if not 1 <= count <= _LONGEST_LENGTH or start + count > end:
            raise malformed("an element has an impossible length")
        size = int.from_bytes(data[start : start + count], "big")
        if size < 0x80 or not data[start]:
            raise malformed("a length is not encoded in the shortest form")
        start += count
    stop = start + size
    if stop > end or tag & _HIGH_TAG == _HIGH_TAG:
        raise malformed("an element runs past the end of what holds it")
    return tag, start, stop


def inside(data: bytes, tag: int) -> tuple[int, int]:
    """Where the content of the one element that `data` is starts and stops. Raises Malformed."""
    found, start, stop = read(data, 0, len(data))
    if found != tag:
        raise malformed(f"an element has tag {found:#04x} where {tag:#04x} belongs")
    if stop != len(data):
        raise malformed("there is more after the end of the element")
    return start, stop


def content(data: bytes, tag: int) -> bytes:
    """The content of the one element that `data` is."""
    start, stop = inside(data, tag)
    return data[start:stop]


def elements(data: bytes, start: int, stop: int) -> Iterator[tuple[int, bytes, bytes]]:
    """Each element in that range: its tag, its content, and the whole of it."""
    while start < stop:
        tag, begin, end = read(data, start, stop)
        yield tag, data[begin:end], data[start:end]
        start = end


def items(data: bytes, tag: int) -> list[tuple[int, bytes, bytes]]:
    """The elements in the one constructed element that `data` is."""
    return list(elements(data, *inside(data, tag)))


def integer(octets: bytes) -> int:
    """The value of an INTEGER's content. Raises Malformed when it is empty or not in the shortest form."""
    if not octets or (len(octets) > 1 and octets[0] in {0, 0xFF} and (octets[0] ^ octets[1]) < 0x80):
        raise malformed("an integer is not encoded in the shortest form")
    return int.from_bytes(octets, "big", signed=True)


def boolean(octets: bytes) -> bool:
    """The value of a BOOLEAN's content."""
    if octets not in {b"\xff", b"\x00"}:
        raise malformed("a boolean is neither true nor false")
    return octets == b"\xff"


def dotted(octets: bytes) -> str:
    """An object identifier's content in digits and dots."""
    if not octets or octets[-1] & 0x80:
        raise malformed("an object identifier breaks off")
    arcs, value = [], 0
    for octet in octets:
        value = value << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, [first, arcs[0] - 40 * first, *arcs[1:]]))


def identifier(text: str) -> bytes:
    """The content octets of an object identifier that is given in digits and dots."""
    first, second, *rest = (int(arc) for arc in text.split("."))
    out = bytearray()
    for arc in [first * 40 + second, *rest]:
        octets = [arc & 0x7F]
        while arc := arc >> 7:
            octets.append(arc & 0x7F | 0x80)
        out += bytes(reversed(octets))
    return bytes(out)
