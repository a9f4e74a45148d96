"""Distinguished names compared as RFC 5280 section 7.1 says: case, white space and string type do not count."""

import unicodedata
from functools import lru_cache

from cryptography import x509

from handfast.errors import Malformed
from handfast.validate.der import OBJECT_IDENTIFIER, SEQUENCE, SET, dotted, items, malformed

_DECODERS = {0x0C: "utf-8", 0x13: "ascii", 0x14: "latin-1", 0x16: "ascii", 0x1C: "utf-32-be", 0x1E: "utf-16-be"}
EMPTY = b"\x30\x00"
Key = tuple[frozenset[tuple[bytes, str | bytes]], ...]


@lru_cache(maxsize=2048)
def name_key(name: bytes) -> Key:
    """A value that is equal for equal names, from the DER of a Name. Raises Malformed."""
    return tuple(frozenset(_attribute(pair) for _, _, pair in _set_members(rdn)) for _, _, rdn in items(name, SEQUENCE))


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
    """The values of one attribute type, folded, in the name."""
    found = (value for rdn in name_key(name) for kind, value in rdn if kind == oid)
    return tuple(value for value in found if isinstance(value, str))


def readable_name(name: bytes) -> str:
    """The name for people's eyes, most specific part first; never raises."""
    try:
        key = name_key(name)
    except Malformed:
        return "a name that cannot be read"
    parts = [f"{_label(oid)}={value if isinstance(value, str) else value.hex()}" for rdn in key for oid, value in rdn]
    return ",".join(reversed(parts)) or "(empty name)"


def _label(oid: bytes) -> str:
    text = dotted(oid)
    return x509.NameAttribute(x509.ObjectIdentifier(text), "xx", _validate=False).rfc4514_attribute_name


def _set_members(rdn: bytes) -> list[tuple[int, bytes, bytes]]:
    members = items(rdn, SET)
    if not members:
        raise malformed("a relative distinguished name is empty")
    return members


def _attribute(pair: bytes) -> tuple[bytes, str | bytes]:
    parts = items(pair, SEQUENCE)
    if len(parts) != 2 or parts[0][0] != OBJECT_IDENTIFIER:
        raise malformed("a part of a name is not a type and a value")
    tag, octets, whole = parts[1]
    codec = _DECODERS.get(tag)
    if codec is None:
        return parts[0][1], whole
    try:
        text = octets.decode(codec)
    except UnicodeDecodeError as error:
        raise malformed("a part of a name is not text in the encoding that it claims") from error
    return parts[0][1], _folded(text)


@lru_cache(maxsize=2048)
def _folded(text: str) -> str:
    """Case and inner white space do not count (RFC 4518, as far as RFC 5280 section 7.1 asks for it)."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
