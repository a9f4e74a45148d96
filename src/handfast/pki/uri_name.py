"""URIs in certificates (RFC 5280 section 4.2.1.6, RFC 3986) and SPIFFE IDs (SPIFFE-ID section 2)."""

import re

from handfast.pki.dns_name import parse_dns_name
from handfast.pki.spelling import Spelling, name_of

_ALLOWED = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:/?#[]@!$&'()*+,;=%")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_TRUST_DOMAIN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-._")
_SEGMENT = _TRUST_DOMAIN | frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_MAXIMUM = 2048
_HINT = "a URI looks like urn:example:printer-7 or spiffe://example.org/service"
_SPIFFE_HINT = "a SPIFFE ID looks like spiffe://example.org/service"


def parse_uri_name(spelling: Spelling) -> str:
    """The URI with scheme and host in lower case. Raises Malformed, pointing at the character."""
    body = spelling.body
    for position, character in enumerate(body):
        if character not in _ALLOWED:
            hint = "write it percent-encoded, as %20 for a space"
            raise spelling.wrong(position, f"a URI cannot have {name_of(character)}", hint=hint)
    scheme = _SCHEME.match(body)
    if scheme is None or scheme.end() == len(body):
        raise spelling.wrong(0, "the URI is not absolute: it needs a scheme and something after it", hint=_HINT)
    bad_percent = _PERCENT.search(body)
    if bad_percent:
        raise spelling.wrong(bad_percent.start(), "a % is not followed by two hexadecimal digits", hint=_HINT)
    if len(body) > _MAXIMUM:
        raise spelling.wrong(_MAXIMUM, f"the URI is longer than {_MAXIMUM} characters", hint="use a shorter one")
    lowered = scheme.group().lower() + body[scheme.end() :]
    if lowered.startswith("spiffe:"):
        return _check_spiffe(spelling, lowered)
    return _lower_host(spelling, lowered, scheme.end())


def _lower_host(spelling: Spelling, body: str, start: int) -> str:
    if not body.startswith("//", start):
        return body
    start += 2
    end = next((at for at in range(start, len(body)) if body[at] in "/?#"), len(body))
    host_start = body.rfind("@", start, end) + 1 or start
    authority = body[host_start:end]
    if authority.startswith("["):
        return body[:host_start] + authority.lower() + body[end:]
    host, colon, port = authority.partition(":")
    if colon and not (port.isascii() and port.isdigit()):
        raise spelling.wrong(host_start + len(host) + 1, "the port of the URI is not a number", hint=_HINT)
    if not host:
        raise spelling.wrong(host_start, "the URI has no host", hint=_HINT)
    if not host.replace(".", "").isdigit():
        host = parse_dns_name(spelling.part(host_start, host_start + len(host)))
    return body[:host_start] + host + colon + port + body[end:]


def _check_spiffe(spelling: Spelling, body: str) -> str:
    if not body.startswith("spiffe://"):
        raise spelling.wrong(len("spiffe:"), "a SPIFFE ID has two slashes after its scheme", hint=_SPIFFE_HINT)
    start = len("spiffe://")
    end = body.find("/", start)
    end = len(body) if end < 0 else end
    _check_spiffe_part(spelling, start, end, allowed=_TRUST_DOMAIN, what="the trust domain of a SPIFFE ID")
    while end < len(body):
        start, following = end + 1, body.find("/", end + 1)
        end = len(body) if following < 0 else following
        _check_spiffe_part(spelling, start, end, allowed=_SEGMENT, what="the path of a SPIFFE ID")
        if body[start:end] in {".", ".."}:
            raise spelling.wrong(start, "the path of a SPIFFE ID has no . or .. in it", hint=_SPIFFE_HINT)
    return body


def _check_spiffe_part(spelling: Spelling, start: int, end: int, *, allowed: frozenset[str], what: str) -> None:
    if start >= end:
        raise spelling.wrong(start, f"{what} has an empty part", hint=_SPIFFE_HINT)
    for position in range(start, end):
        character = spelling.body[position]
        if character not in allowed:
            raise spelling.wrong(position, f"{what} cannot have {name_of(character)}", hint=_SPIFFE_HINT)
