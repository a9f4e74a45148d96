"""When a name lies in the subtree of a name constraint, for each type of name (RFC 5280 section 4.2.1.10)."""

import re

from handfast.errors import Malformed
from handfast.validate.distinguished_names import is_within, name_key
from handfast.validate.general_names import GeneralName, NameType, is_host

_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#@]*@)?(\[[^\]]*\]|[^/?#:]*)(?::[0-9]*)?(?:[/?#].*)?\Z")


def is_in_subtree(name: GeneralName, base: GeneralName) -> bool:
    """Whether all that the name stands for is in the subtree; False for another type, and for what cannot be read."""
    if name.kind is NameType.DNS:
        return is_domain_within(name.text, base.text)
    if name.kind is NameType.EMAIL:
        return _is_mail_within(name.text, base.text)
    if name.kind is NameType.URI:
        return _is_uri_within(name.text, base.text)
    if name.kind is NameType.IP:
        return _is_address_within(name.octets, base.octets)
    return _is_directory_within(name.octets, base.octets)


def is_excluded_by(name: GeneralName, base: GeneralName) -> bool:
    """Whether anything that the name stands for is in the subtree: a wildcard stands for every host beside it."""
    if name.kind is NameType.URI and _host_of(name.text) is None:
        return True
    if name.kind is NameType.DNS and name.text.startswith("*."):
        parent, excluded = name.text[2:].lower(), base.text.lower()
        _, _, above = excluded.partition(".")
        if above == parent:
            return True
    return is_in_subtree(name, base)


def is_domain_within(domain: str, base: str) -> bool:
    """Whether the host is the base or below it; an empty base holds every host."""
    domain, base = domain.lower().rstrip("."), base.lower().rstrip(".")
    return not base or domain == base or domain.endswith(f".{base.lstrip('.')}")


def _is_host_within(host: str, base: str) -> bool:
    """For e-mail and URI: a leading dot holds the hosts below, without one it is that host alone."""
    host, base = host.lower(), base.lower()
    return host.endswith(base) if base.startswith(".") else host == base


def _is_mail_within(mailbox: str, base: str) -> bool:
    local, at, domain = mailbox.rpartition("@")
    if not at:
        return False
    base_local, at, base_domain = base.rpartition("@")
    if at:
        return local == base_local and domain.lower() == base_domain.lower()
    return _is_host_within(domain, base)


def _is_uri_within(uri: str, base: str) -> bool:
    host = _host_of(uri)
    return host is not None and _is_host_within(host, base)


def _host_of(uri: str) -> str | None:
    """The host, None for a URI without one or with an address: such a URI no constraint permits."""
    found = _AUTHORITY.match(uri)
    host = found.group(1) if found else ""
    return host if is_host(host) and not host.startswith("*") else None


def _is_address_within(address: bytes, base: bytes) -> bool:
    if len(base) != 2 * len(address):
        return False
    network, mask = base[: len(address)], base[len(address) :]
    return all(a & m == n & m for a, n, m in zip(address, network, mask, strict=True))


def _is_directory_within(name: bytes, base: bytes) -> bool:
    try:
        return is_within(name_key(name), name_key(base))
    except Malformed:
        return False


def constraint_problem(base: GeneralName) -> str | None:
    """What is wrong with the base of a subtree."""
    if base.kind is NameType.IP:
        return None if _is_prefix(base.octets[len(base.octets) // 2 :]) else f"the mask of {base} has holes"
    if base.kind is NameType.DNS and base.text and not _is_plain_host(base.text):
        return f"{str(base)[:100]!r} is not a domain"
    if base.kind is NameType.URI and not _is_plain_host(base.text.removeprefix(".")):
        return f"{str(base)[:100]!r} is neither a host nor a domain"
    if base.kind is NameType.EMAIL and not _is_mail_base(base.text):
        return f"{str(base)[:100]!r} is neither a mailbox nor a host nor a domain"
    return None


def _is_plain_host(text: str) -> bool:
    return is_host(text) and not text.startswith("*")


def _is_mail_base(text: str) -> bool:
    local, at, domain = text.rpartition("@")
    return _is_plain_host(domain if at else domain.removeprefix(".")) and (bool(local) or not at)


def _is_prefix(mask: bytes) -> bool:
    bits = int.from_bytes(mask, "big")
    inverted = bits ^ ((1 << len(mask) * 8) - 1)
    return inverted & (inverted + 1) == 0
