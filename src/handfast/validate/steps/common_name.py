"""The common name of a TLS server beside its alternative names (CA/Browser Forum BR 7.1.4.3, RFC 9525 section 2)."""

import re
from ipaddress import ip_address

from handfast.errors import Malformed
from handfast.validate.der import identifier
from handfast.validate.distinguished_names import attributes
from handfast.validate.general_names import GeneralName, NameType
from handfast.validate.path import Examination

COMMON_NAME = identifier("2.5.4.3")
_HEXADECIMAL = re.compile(r"0[xX][0-9A-Fa-f]{1,8}\Z")
_DECIMAL = re.compile(r"[0-9]{1,10}(?:\.[0-9]{1,10}){3}\Z")
_LOOKS_LIKE_HOST = re.compile(r"\S*[.:]\S*\Z")


def check(examination: Examination) -> None:
    """A name that is there twice is spelled alike: who reads only one of them must not be misled."""
    if not examination.policy.purpose.is_server:
        return
    try:
        values = attributes(examination.leaf.subject, COMMON_NAME)
    except Malformed:
        return
    names = examination.leaf.says.names or ()
    texts = {str(name).partition(":")[2] for name in names}
    for value in values:
        if value in texts:
            continue
        if is_other_spelling(value, names):
            message = f"the common name {value} is another spelling of a name"
            examination.note("common-name-not-a-name", 0, message)
        elif names and _LOOKS_LIKE_HOST.match(value):
            examination.note(
                "common-name-ignored", 0, f"the common name {value} is none of the names, and does not count"
            )


def is_other_spelling(value: str, names: tuple[GeneralName, ...]) -> bool:
    """Whether the text means one of the names without being it; U-labels always do."""
    if not value.isascii():
        return _LOOKS_LIKE_HOST.match(value) is not None
    octets = _address(value)
    if octets is not None:
        return any(name.octets == octets for name in names if name.kind is NameType.IP)
    return value.lower() in {name.text.lower() for name in names if name.kind is NameType.DNS}


def _address(value: str) -> bytes | None:
    """The address that a lenient reader takes it for."""
    if _HEXADECIMAL.match(value):
        return int(value, 16).to_bytes(4, "big")
    if _DECIMAL.match(value):
        numbers = [int(part) for part in value.split(".")]
        return bytes(numbers) if max(numbers) < 256 else None
    try:
        return ip_address(value).packed
    except ValueError:
        return None
