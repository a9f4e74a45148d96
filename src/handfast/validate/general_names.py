"""GeneralName: the forms of a name in a certificate, and whether one is spelled right (RFC 5280 section 4.2.1.6)."""

import re
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from handfast.validate.der import SEQUENCE, items, malformed
from handfast.validate.distinguished_names import name_key, readable_name

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DNS = re.compile(rf"(?:\*\.)?(?:{_LABEL}\.)*{_LABEL}\Z")
_ALL_DIGITS = re.compile(r"(?:[0-9]+\.)*[0-9]+\Z")
_MAILBOX = re.compile(r"[^@\s]+@[^@\s]+\Z")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+\Z")


class NameType(IntEnum):
    """The choices of GeneralName, by tag."""

    OTHER = 0
    EMAIL = 1
    DNS = 2
    X400 = 3
    DIRECTORY = 4
    EDI = 5
    URI = 6
    IP = 7
    REGISTERED_ID = 8


_TEXT_TAGS = {0x81: NameType.EMAIL, 0x82: NameType.DNS, 0x86: NameType.URI}
_CONSTRUCTED = {NameType.OTHER, NameType.X400, NameType.DIRECTORY, NameType.EDI}
_TITLES = {NameType.EMAIL: "email", NameType.DNS: "dns", NameType.URI: "uri", NameType.IP: "ip"}


class GeneralName(NamedTuple):
    """One name. `text` for e-mail, DNS and URI; `octets` the address of an IP, the DER of any other."""

    kind: NameType
    text: str
    octets: bytes

    def __str__(self) -> str:
        if self.kind is NameType.IP:
            return f"ip:{_address(self.octets)}"
        if self.kind is NameType.DIRECTORY:
            return f"directory:{readable_name(self.octets)}"
        return f"{_TITLES[self.kind]}:{self.text}" if self.kind in _TITLES else f"{self.kind.name.lower()} name"


def _address(octets: bytes) -> str:
    if len(octets) in {8, 32}:
        half = len(octets) // 2
        return f"{_address(octets[:half])}/{_address(octets[half:])}"
    if len(octets) == 4:
        return str(IPv4Address(octets))
    return str(IPv6Address(octets)) if len(octets) == 16 else octets.hex()


def general_names(value: bytes) -> tuple[GeneralName, ...]:
    """GeneralNames ::= SEQUENCE SIZE (1..MAX) OF GeneralName; the size is for the caller to ask. Raises Malformed."""
    return tuple(general_name(*part) for part in items(value, SEQUENCE))


def general_name(tag: int, octets: bytes, whole: bytes, *, in_constraint: bool = False) -> GeneralName:
    """One GeneralName. Raises Malformed for a tag that is none, and for a text that is not IA5String."""
    text_kind = _TEXT_TAGS.get(tag)
    if text_kind is not None:
        if not octets.isascii():
            raise malformed("a name has characters outside ASCII")
        return GeneralName(text_kind, octets.decode("ascii"), b"")
    if tag & 0xC0 != 0x80 or tag & 0x1F > NameType.REGISTERED_ID:
        raise malformed(f"tag {tag:#04x} is no kind of name")
    kind = NameType(tag & 0x1F)
    if bool(tag & 0x20) != (kind in _CONSTRUCTED):
        raise malformed("a name has the wrong form")
    if kind is NameType.DIRECTORY:
        name_key(octets)
        return GeneralName(kind, "", octets)
    if kind is NameType.IP and len(octets) not in ({8, 32} if in_constraint else {4, 16}):
        raise malformed(f"an IP address has {len(octets)} octets")
    return GeneralName(kind, "", octets if kind is NameType.IP else whole)


def is_host(text: str) -> bool:
    """Whether it is a DNS name in the preferred syntax, a wildcard in place of the first label allowed."""
    return len(text) <= 253 and _DNS.match(text) is not None and _ALL_DIGITS.match(text) is None


def is_spelled_right(name: GeneralName) -> bool:
    """Whether a subject alternative name is what its type asks for."""
    if name.kind is NameType.DNS:
        return is_host(name.text)
    if name.kind is NameType.EMAIL:
        return _MAILBOX.match(name.text) is not None
    return name.kind is not NameType.URI or _URI.match(name.text) is not None
