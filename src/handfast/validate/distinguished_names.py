"""Distinguished names compared as RFC 5280 section 7.1 says: case, white space and string type do not count."""

import unicodedata

from cryptography import x509

from handfast.errors import Malformed
from handfast.validate.der import OBJECT_IDENTIFIER, SEQUENCE, SET, dotted, items, malformed
from handfast.validate.memory import remembering

_DECODERS = {0x0C: "utf-8", 0x13: "ascii", 0x14: "latin-1", 0x16: "ascii", 0x1C: "utf-32-be", 0x1E: "utf-16-be"}
EMPTY = b"\x30\x00"
Key = tuple[frozenset[tuple[bytes, str | bytes]], ...]


def parts(name: bytes) -> tuple[tuple[tuple[bytes, str | bytes], ...], ...]:
    """The types and values of a Name in DER, as spelled; a value that is no text is DER. Raises Malformed."""
    return tuple(tuple(_attribute(pair) for _, _, pair in _set_members(rdn)) for _, _, rdn in items(name, SEQUENCE))


@remembering(most=2048)
def name_key(name: bytes) -> Key:
    """A value that is equal for equal names, from the DER of a Name. Raises Malformed."""
    return tuple(frozenset((oid, _folded(value)) for oid, value in rdn) for rdn in parts(name))


def same_name(one: bytes, other: bytes) -> bool:
    """Whether two names, in DER, are one name. False when either cannot be read."""
    if one == other:
        return True
    try:
        return name_key(one) == name_key(other)
    except Malformed:
        return False


def is_within(name: Key, subtree: Key) -> bool:
    """Whether the name lies in the subtree: its first relative names are the subtree's (RFC 5280 section 4.2.1.10)."""
    return name[: len(subtree)] == subtree


def attributes(name: bytes, oid: bytes) -> tuple[str, ...]:
    """The texts of one attribute type in the name, as spelled. Raises Malformed."""
    found = (value for rdn in parts(name) for kind, value in rdn if kind == oid)
    return tuple(value for value in found if isinstance(value, str))


def readable_name(name: bytes) -> str:
    """The name for people's eyes, most specific part first; never raises."""
    try:
        found = ["+".join(f"{_label(oid)}={_shown(value)}" for oid, value in rdn) for rdn in parts(name)]
    except Malformed:
        return "a name that cannot be read"
    return ",".join(reversed(found)) or "(empty name)"


def _shown(value: str | bytes) -> str:
    return value if isinstance(value, str) else f"#{value.hex()}"


def _label(oid: bytes) -> str:
    text = dotted(oid)
    return x509.NameAttribute(x509.ObjectIdentifier(text), "xx", _validate=False).rfc4514_attribute_name


def _set_members(rdn: bytes) -> list[tuple[int, bytes, bytes]]:
    members = items(rdn, SET)
    if not members:
        raise malformed("a relative distinguished name is empty")
    return members


def _attribute(pair: bytes) -> tuple[bytes, str | bytes]:
    pieces = items(pair, SEQUENCE)
    if len(pieces) != 2 or pieces[0][0] != OBJECT_IDENTIFIER:
        raise malformed("a part of a name is not a type and a value")
    tag, octets, whole = pieces[1]
    codec = _DECODERS.get(tag)
    if codec is None:
        return pieces[0][1], whole
    try:
        text = octets.decode(codec)
    except UnicodeDecodeError as error:
        raise malformed("a part of a name is not text in the encoding that it claims") from error
    return pieces[0][1], text


def _folded(text: str | bytes) -> str | bytes:
    """Case and inner white space do not count (RFC 4518, as far as RFC 5280 section 7.1 asks for it)."""
    if isinstance(text, bytes):
        return text
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
