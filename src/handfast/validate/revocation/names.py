"""Distinguished names as keys that compare as RFC 5280 section 7.1 says: case, spaces, string type do not count."""

import unicodedata
from functools import lru_cache

from cryptography import x509


@lru_cache(maxsize=1024)
def name_key(name: x509.Name) -> bytes:
    """Equal bytes for equal names."""
    return "\x00".join(map(_rdn_key, name.rdns)).encode("utf-8", "surrogatepass")


def _rdn_key(rdn: x509.RelativeDistinguishedName) -> str:
    return "\x01".join(sorted(f"{part.oid.dotted_string}={_folded(part.value)}" for part in rdn))


def same_name(one: x509.Name, other: x509.Name) -> bool:
    """Whether the two are one name."""
    return one == other or name_key(one) == name_key(other)


def _folded(value: str | bytes) -> str:
    if isinstance(value, bytes):
        return "#" + value.hex()
    return " ".join(unicodedata.normalize("NFKC", value).casefold().split())
