"""Patterns that cover names: `*.example.org`, `10.0.0.0/8`, `*@example.org`, `spiffe://example.org/*`."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from handfast.errors import ConfigError, Malformed
from handfast.pki.names import Name, NameKind, parse_name

_HINT = "write *.example.org, *@example.org, 10.0.0.0/8 or spiffe://example.org/*"


@dataclass(frozen=True, slots=True)
class NamePattern:
    """Names of one kind, in the spelling of Name: A-labels, lower case where names are. Made by parse_pattern()."""

    kind: NameKind
    text: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.text}"

    def matches(self, name: Name) -> bool:
        """True for a name of the same kind that the pattern covers. `*.example.org` covers every depth below it."""
        if name.kind is not self.kind:
            return False
        if self.kind is NameKind.IP:
            return ipaddress.ip_address(name.value) in ipaddress.ip_network(self.text)
        if self.kind is NameKind.URI:
            return name.value == self.text or (self.text.endswith("*") and _is_below(name.value, self.text[:-1]))
        return name.value == self.text or (self.text.startswith("*") and name.value.endswith(self.text[1:]))


def covers(patterns: tuple[NamePattern, ...], name: Name) -> bool:
    """True when one of them matches."""
    return any(pattern.matches(name) for pattern in patterns)


def parse_pattern(text: str) -> NamePattern:
    """A pattern, with or without its kind before a colon. Raises ConfigError for one that covers nothing or too much.

    The star stands for a whole beginning of a host name or an e-mail address, and for a whole end of a URI: anywhere
    else it would cover names that its author did not think of.
    """
    body = text.strip()
    prefix, colon, rest = body.partition(":")
    is_said = colon != "" and prefix.lower() in set(NameKind)
    kind = NameKind(prefix.lower()) if is_said else _kind_of(body)
    body = rest.strip() if is_said else body
    if not body:
        raise ConfigError(f"the name pattern {text!r} covers nothing", hint=_HINT)
    if kind is NameKind.EMAIL and "@" not in body:
        # It could mean the domain, or everything below it, or somebody who forgot half of it.
        raise ConfigError(f"the name pattern {text!r} has no @", hint=f"write email:*@{body} for a whole domain")
    if not _STAR_STANDS_RIGHT[kind](body):
        raise ConfigError(f"the name pattern {text!r} has its star in the wrong place", hint=_HINT)
    try:
        return NamePattern(kind, _CANONICAL[kind](body))
    except Malformed as malformed:
        raise ConfigError(f"the name pattern {text!r} covers no name: {malformed.message}", hint=_HINT) from None
    except ValueError as error:
        raise ConfigError(f"the name pattern {text!r} is no network: {error}", hint="write 10.0.0.0/8") from None


def _kind_of(body: str) -> NameKind:
    if "://" in body:
        return NameKind.URI
    if "@" in body:
        return NameKind.EMAIL
    head = body.partition("/")[0]
    return NameKind.IP if ":" in head or head.replace(".", "").isdigit() else NameKind.DNS


def _is_below(uri: str, beginning: str) -> bool:
    # A reader who resolves dots would see a URI outside of the beginning.
    segments = re.split(r"[/?#\\]", uri.lower().replace("%2e", ".").replace("%2f", "/").replace("%5c", "\\"))
    return uri.startswith(beginning) and not {".", ".."}.intersection(segments)


def _dns_star(body: str) -> bool:
    return "*" not in body.removeprefix("*.") and body not in {"*.", "*"}


def _email_star(body: str) -> bool:
    return "*" not in body.removeprefix("*@") and not body.startswith("@") and not body.endswith("@")


def _uri_star(body: str) -> bool:
    # Without a slash before the star, spiffe://example.org* would cover spiffe://example.org.evil.example.
    return "*" not in body[:-1] and (not body.endswith("*") or body.removesuffix("*").count("/") >= 3)


def _canonical_dns(body: str) -> str:
    star = "*." if body.startswith("*.") else ""
    return star + parse_name(f"dns:{body.removeprefix('*.')}").value


def _canonical_email(body: str) -> str:
    if body.startswith("*@"):
        return "*" + parse_name(f"email:x{body[1:]}").value[1:]
    return parse_name(f"email:{body}").value


def _canonical_uri(body: str) -> str:
    if body.endswith("*"):
        return parse_name(f"uri:{body[:-1]}x").value[:-1] + "*"
    return parse_name(f"uri:{body}").value


_STAR_STANDS_RIGHT: Mapping[NameKind, Callable[[str], bool]] = {
    NameKind.DNS: _dns_star,
    NameKind.EMAIL: _email_star,
    NameKind.URI: _uri_star,
    NameKind.IP: lambda body: "*" not in body,
}
_CANONICAL: Mapping[NameKind, Callable[[str], str]] = {
    NameKind.DNS: _canonical_dns,
    NameKind.EMAIL: _canonical_email,
    NameKind.URI: _canonical_uri,
    NameKind.IP: lambda body: str(ipaddress.ip_network(body)),
}
