"""How much work a password-protected file asks for before it opens (RFC 8018 section 4.2, RFC 7914, RFC 7292)."""

from collections.abc import Iterator
from math import prod

from handfast.errors import Malformed
from handfast.pki import der

# Some seconds of work: ten times what careful programs write today. A damaged or hostile file can ask for hours.
MAXIMUM_ROUNDS = 10_000_000
# N times r times p of scrypt: 128 bytes of memory each, 2 GiB in all.
MAXIMUM_SCRYPT = 1 << 24
_SCRYPT = bytes.fromhex("06092b06010401da47040b")
_MAXIMUM_DEPTH = 8


def require_bearable(data: bytes, source: str) -> None:
    """Raise Malformed for an encrypted PKCS#8 key or a PKCS#12 that asks for more work than anybody means.

    Of a PKCS#12 only the MAC is looked at: what is inside is opened after it, by who knows the password.
    """
    outer = der.element_at(data)
    parts = list(der.children(data, outer))
    if not parts:
        return
    # PKCS#8: the algorithm comes first. PKCS#12: the MAC comes last.
    numbers = list(_integers(data, parts[0] if parts[0].tag == der.SEQUENCE else parts[-1], _MAXIMUM_DEPTH))
    is_scrypt = _SCRYPT in data[parts[0].begin : parts[0].end]
    if max(numbers, default=0) > MAXIMUM_ROUNDS or (is_scrypt and prod(numbers) > MAXIMUM_SCRYPT):
        msg = f"{source} asks for too much work before its password can be tried"
        raise Malformed(msg, hint="the file is damaged or hostile; export it again")


def _integers(data: bytes, element: der.Element, depth: int) -> Iterator[int]:
    if element.tag == der.INTEGER:
        yield int.from_bytes(data[element.start : element.end], "big")
    elif element.tag == der.SEQUENCE and depth:
        for child in der.children(data, element):
            yield from _integers(data, child, depth - 1)
