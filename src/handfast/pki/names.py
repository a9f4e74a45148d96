"""Names as people type them, and as the subjectAltName carries them (RFC 5280 section 4.2.1.6, RFC 5890, SPIFFE ID)."""

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from cryptography import x509

from handfast.errors import Malformed
from handfast.pki.dns_name import parse_dns_name
from handfast.pki.mail_name import parse_mail_name
from handfast.pki.spelling import Spelling, name_of
from handfast.pki.uri_name import parse_uri_name

MAXIMUM_NAMES = 1000


class NameKind(StrEnum):
    """The prefixes that people type: `dns:`, `ip:`, `email:`, `uri:`."""

    DNS = "dns"
    IP = "ip"
    EMAIL = "email"
    URI = "uri"


@dataclass(frozen=True, slots=True)
class Name:
    """One subject alternative name in its canonical form: A-labels, lower case, the short form of an IPv6 address.

    Made by parse_name() and from_general_names(), which check it; `str(name)` is what parse_name() reads back.
    """

    kind: NameKind
    value: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"

    @property
    def is_wildcard(self) -> bool:
        """True for `*.example.com`."""
        return self.kind is NameKind.DNS and self.value.startswith("*.")

    def to_general_name(self) -> x509.GeneralName:
        """The GeneralName that a certificate carries."""
        if self.kind is NameKind.IP:
            return x509.IPAddress(ipaddress.ip_address(self.value))
        return _GENERAL[self.kind](self.value)


_GENERAL: dict[NameKind, type[x509.DNSName] | type[x509.RFC822Name] | type[x509.UniformResourceIdentifier]] = {
    NameKind.DNS: x509.DNSName,
    NameKind.EMAIL: x509.RFC822Name,
    NameKind.URI: x509.UniformResourceIdentifier,
}


def parse_name(text: str) -> Name:
    """A name with its prefix, or a bare host name, address, e-mail address or URI. Raises Malformed with a caret."""
    spelling = Spelling(text, text).stripped()
    prefix, colon, _ = spelling.body.partition(":")
    kind = prefix.rstrip().lower()
    if colon and kind in _KINDS:
        rest = spelling.part(len(prefix) + 1, len(spelling.body)).stripped()
        return Name(_KINDS[kind], _PARSERS[_KINDS[kind]](rest))
    recognized = _recognize(spelling.body)
    return Name(recognized, _PARSERS[recognized](spelling))


def parse_names(texts: Iterable[str]) -> tuple[Name, ...]:
    """Several names, each once, in the order given. Raises Malformed for the first that is wrong, or for too many."""
    names = tuple(dict.fromkeys(parse_name(text) for text in texts))
    if len(names) > MAXIMUM_NAMES:
        raise _too_many(len(names))
    return names


def from_general_names(general_names: Iterable[x509.GeneralName]) -> tuple[Name, ...]:
    """The names of a subjectAltName. Raises Malformed for a kind or a spelling that handfast does not certify."""
    names = tuple(dict.fromkeys(_name_of(general) for general in general_names))
    if len(names) > MAXIMUM_NAMES:
        raise _too_many(len(names))
    return names


def _too_many(count: int) -> Malformed:
    msg = f"{count} names are too many for one certificate; the most is {MAXIMUM_NAMES}"
    return Malformed(msg, hint="use a wildcard, or several certificates")


def _name_of(general: x509.GeneralName) -> Name:
    kind = _KINDS_OF_GENERAL.get(type(general))
    if kind is not None:
        text = str(general.value)
        if kind is NameKind.DNS and _PLAIN_HOST.fullmatch(text):
            return Name(kind, text)
        return Name(kind, _PARSERS[kind](Spelling(text, text)))
    if isinstance(general, x509.IPAddress):
        text = str(general.value)
        return Name(NameKind.IP, text if "/" not in text else _parse_address(Spelling(text, text)))
    msg = f"a name of the kind {type(general).__name__} is asked for, which handfast does not certify"
    raise Malformed(msg, hint="ask for DNS names, IP addresses, e-mail addresses or URIs")


def _recognize(body: str) -> NameKind:
    if "://" in body or body.lower().startswith(("urn:", "spiffe:")):
        return NameKind.URI
    if "@" in body:
        return NameKind.EMAIL
    if ":" in body or _looks_like_address(body):
        return NameKind.IP
    return NameKind.DNS


def _looks_like_address(body: str) -> bool:
    last = body.partition("/")[0].rstrip(".").rpartition(".")[2]
    return last.isascii() and last.isdigit()


def _parse_address(spelling: Spelling) -> str:
    body = spelling.body
    bare = body[1:-1] if body.startswith("[") and body.endswith("]") else body
    for position, character in enumerate(body):
        if character == "/":
            raise spelling.wrong(position, "a certificate names one address, not a network", hint="leave out the /")
        if character == "%":
            raise spelling.wrong(position, "a certificate cannot name a zone of an address", hint="leave out the %")
        if character not in _ADDRESS:
            raise spelling.wrong(position, f"an IP address cannot have {name_of(character)}", hint=_ADDRESS_HINT)
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        raise spelling.wrong(_first_wrong_octet(bare), "this is not an IP address", hint=_ADDRESS_HINT) from None


def _first_wrong_octet(body: str) -> int:
    position = 0
    for octet in body.split("."):
        if not octet.isdigit() or int(octet[:4]) > 255 or len(octet) > len(octet.lstrip("0") or "0"):
            return position
        position += len(octet) + 1
    return len(body)


# Nearly every host name: nothing in it to convert or to refuse.
_PLAIN_HOST = re.compile(r"(?=.{1,253}\Z)(?:(?=[^.]{1,63}\.)[a-z0-9]+(?:-[a-z0-9]+)*\.)*[a-z][a-z0-9]{0,62}")
_KINDS_OF_GENERAL: Mapping[type, NameKind] = {cls: kind for kind, cls in _GENERAL.items()}
_ADDRESS = frozenset("0123456789abcdefABCDEF.:[]")
_ADDRESS_HINT = "an address looks like 192.0.2.1 or 2001:db8::1"
_KINDS = {kind.value: kind for kind in NameKind}
_PARSERS: Mapping[NameKind, Callable[[Spelling], str]] = {
    NameKind.DNS: parse_dns_name,
    NameKind.IP: _parse_address,
    NameKind.EMAIL: parse_mail_name,
    NameKind.URI: parse_uri_name,
}
