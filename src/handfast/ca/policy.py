"""May this requester have this certificate? Deny by default (design, section 6)."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from handfast.errors import ConfigError, Denied
from handfast.pki.names import Name, NameKind


class Grant(StrEnum):
    """What a requester may do at all."""

    ISSUE = "issue"
    REVOKE = "revoke"
    MANAGE = "manage"


@dataclass(frozen=True, slots=True)
class Requester:
    """Who asks, having proven it. profiles: for which it may ask; None for all. Without grants it may do nothing."""

    name: str
    grants: frozenset[Grant] = frozenset()
    profiles: frozenset[str] | None = frozenset()


# Whoever can read the CA's keys may do what they allow: the person at the machine.
OPERATOR = Requester("operator", frozenset(Grant), None)


@dataclass(frozen=True, slots=True)
class NamePattern:
    """Names that a profile may certify: `*.example.org`, `10.0.0.0/8`, `*@example.org`, `spiffe://example.org/*`."""

    kind: NameKind
    text: str

    def matches(self, name: Name) -> bool:
        """True for a name of the same kind that the pattern covers. `*.example.org` covers every depth below it."""
        if name.kind is not self.kind:
            return False
        if self.kind is NameKind.IP:
            return ipaddress.ip_address(name.value) in ipaddress.ip_network(self.text)
        if self.kind is NameKind.URI:
            return name.value == self.text or (self.text.endswith("*") and _is_below(name.value, self.text[:-1]))
        return name.value == self.text or (self.text.startswith("*") and name.value.endswith(self.text[1:]))


def parse_pattern(text: str) -> NamePattern:
    """A pattern, with or without its kind before a colon. Raises ConfigError for one that covers nothing or too much.

    The star stands for a whole beginning of a host name or an e-mail address, and for a whole end of a URI: anywhere
    else it would cover names that its author did not think of.
    """
    body = text.strip()
    prefix, colon, rest = body.partition(":")
    is_said = colon != "" and prefix.lower() in set(NameKind)
    kind = NameKind(prefix.lower()) if is_said else _kind_of(body)
    body = _as_names_are(kind, rest.strip() if is_said else body)
    if kind is NameKind.IP:
        return NamePattern(kind, _network(body, text))
    if not _STAR_STANDS_RIGHT[kind](body):
        hint = "write *.example.org, *@example.org, 10.0.0.0/8 or spiffe://example.org/*"
        raise ConfigError(f"the name pattern {text!r} has its star in the wrong place", hint=hint)
    return NamePattern(kind, body)


def _kind_of(body: str) -> NameKind:
    if "://" in body:
        return NameKind.URI
    if "@" in body:
        return NameKind.EMAIL
    head = body.partition("/")[0]
    return NameKind.IP if ":" in head or head.replace(".", "").isdigit() else NameKind.DNS


def _as_names_are(kind: NameKind, body: str) -> str:
    """In lower case where names are: the path of a URI and an e-mail address before its @ keep their case."""
    if kind is NameKind.URI:
        scheme, slashes, rest = body.partition("://")
        host, slash, path = rest.partition("/")
        return f"{scheme.lower()}{slashes}{host.lower()}{slash}{path}"
    local, at, domain = body.rpartition("@")
    return f"{local}{at}{domain.lower()}"


def _is_below(uri: str, beginning: str) -> bool:
    # A reader who resolves dots would see a URI outside of the beginning.
    segments = re.split(r"[/?#\\]", uri.lower().replace("%2e", ".").replace("%2f", "/"))
    return uri.startswith(beginning) and not {".", ".."}.intersection(segments)


def _network(body: str, text: str) -> str:
    try:
        return str(ipaddress.ip_network(body))
    except ValueError as error:
        raise ConfigError(f"the name pattern {text!r} is no network: {error}", hint="write 10.0.0.0/8") from None


def _dns_star(body: str) -> bool:
    return body != "" and "*" not in body.removeprefix("*.") and body not in {"*.", "*"}


def _email_star(body: str) -> bool:
    return "*" not in body.removeprefix("*@") and not body.startswith("@") and not body.endswith("@")


def _uri_star(body: str) -> bool:
    # Without a slash before the star, spiffe://example.org* would cover spiffe://example.org.evil.example.
    return "*" not in body[:-1] and (not body.endswith("*") or body.removesuffix("*").count("/") >= 3)


_STAR_STANDS_RIGHT = {NameKind.DNS: _dns_star, NameKind.EMAIL: _email_star, NameKind.URI: _uri_star}


@dataclass(frozen=True, slots=True)
class Policy:
    """allowed_names: by profile, the patterns of which each name must match one. A profile without an entry is free."""

    allowed_names: Mapping[str, tuple[NamePattern, ...]] = field(default_factory=dict)

    def authorize(self, requester: Requester, profile: str, names: tuple[Name, ...]) -> None:
        """Raise Denied, naming everything that this requester may not have."""
        if Grant.ISSUE not in requester.grants:
            hint = "ask the operator of the CA for the grant to issue"
            raise Denied(f"{requester.name} may not ask for certificates", hint=hint)
        if requester.profiles is not None and profile not in requester.profiles:
            allowed = ", ".join(sorted(requester.profiles)) or "none"
            hint = f"the profiles that it may ask for: {allowed}"
            raise Denied(f"{requester.name} may not ask for certificates of the profile {profile}", hint=hint)
        patterns = self.allowed_names.get(profile)
        if patterns is None:
            return
        outside = [str(name) for name in names if not any(pattern.matches(name) for pattern in patterns)]
        if outside:
            allowed = ", ".join(f"{pattern.kind}:{pattern.text}" for pattern in patterns) or "none"
            hint = f"allowed_names of the profile {profile} are: {allowed}"
            raise Denied(f"the profile {profile} may not certify {', '.join(outside)}", hint=hint)

    def require(self, requester: Requester, grant: Grant) -> None:
        """Raise Denied when the requester lacks the grant."""
        if grant not in requester.grants:
            hint = f"ask the operator of the CA for the grant to {grant}"
            raise Denied(f"{requester.name} may not {grant}", hint=hint)
