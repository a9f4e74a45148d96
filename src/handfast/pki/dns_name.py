"""DNS names in certificates: syntax, wildcards, IDNs as A-labels (RFC 5280 section 7.2, RFC 5890, RFC 9525)."""

import unicodedata
from collections.abc import Iterator

from handfast.pki.spelling import Spelling, name_of

_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")
_DOTS = frozenset("。．｡")
# What IDNA 2008 lets into a U-label, nearly: letters, marks and digits (RFC 5892 section 2.1), and the middle dot.
_LABEL_CATEGORIES = frozenset({"Ll", "Lo", "Lm", "Mn", "Mc", "Nd"})
_MAXIMUM_NAME = 253
_MAXIMUM_LABEL = 63
_HOST_HINT = "a host name is made of letters, digits and hyphens, with dots between: www.example.com"
_WILDCARD_HINT = "a wildcard is the whole leftmost label: *.example.com"


def parse_dns_name(spelling: Spelling) -> str:
    """The name in lower case with A-labels, without a final dot. Raises Malformed, pointing at the character."""
    if not spelling.body:
        raise spelling.wrong(0, "the host name is empty", hint=_HOST_HINT)
    labels = list(_labels(spelling))
    wildcard = labels[0].body == "*"
    if wildcard and len(labels) < 3:
        raise spelling.wrong(0, "the wildcard covers a whole top-level domain", hint=_WILDCARD_HINT)
    parsed = [_parse_label(label) for label in labels[wildcard:]]
    if parsed[-1].isdigit():
        raise labels[-1].wrong(0, "a host name does not end in a number", hint="for an address write ip:192.0.2.1")
    name = ".".join(["*", *parsed] if wildcard else parsed)
    if len(name) > _MAXIMUM_NAME:
        message = f"the host name has {len(name)} characters; the most is {_MAXIMUM_NAME}"
        raise spelling.wrong(_MAXIMUM_NAME, message, hint="use a shorter name")
    return name


def _labels(spelling: Spelling) -> Iterator[Spelling]:
    body = spelling.body
    end = len(body) - 1 if body.endswith(".") and len(body) > 1 else len(body)
    start = 0
    for position in range(end + 1):
        if position == end or body[position] == "." or body[position] in _DOTS:
            yield spelling.part(start, position)
            start = position + 1


def _parse_label(label: Spelling) -> str:
    body = label.body.lower()
    if not body:
        raise label.wrong(0, "the host name has an empty part: two dots, or a dot in front", hint=_HOST_HINT)
    if body.isascii():
        parsed = body
        _check_ascii(label, body)
    else:
        parsed = _to_a_label(label)
    if len(parsed) > _MAXIMUM_LABEL:
        message = f"one part of the host name has {len(parsed)} characters; the most is {_MAXIMUM_LABEL}"
        raise label.wrong(min(_MAXIMUM_LABEL, len(body)), message, hint="use a shorter name")
    return parsed


def _check_ascii(label: Spelling, body: str) -> None:
    for position, character in enumerate(body):
        if character == "*":
            raise label.wrong(position, "a wildcard stands in the wrong place", hint=_WILDCARD_HINT)
        if character not in _LETTERS:
            raise label.wrong(position, f"a host name cannot have {name_of(character)}", hint=_HOST_HINT)
    if body[0] == "-" or body[-1] == "-":
        position = 0 if body[0] == "-" else len(body) - 1
        raise label.wrong(position, "a part of a host name does not begin or end with a hyphen", hint=_HOST_HINT)
    if body[2:4] == "--":
        _check_a_label(label, body)


def _check_a_label(label: Spelling, body: str) -> None:
    hint = "type the international name itself, handfast converts it"
    if not body.startswith("xn--"):
        raise label.wrong(2, "hyphens in the third and fourth place are kept for international names", hint=_HOST_HINT)
    try:
        decoded = body[4:].encode("ascii").decode("punycode")
    except (UnicodeError, OverflowError, ValueError):
        raise label.wrong(0, "this xn-- name does not decode", hint=hint) from None
    if decoded.isascii() or _to_a_label(Spelling(label.text, decoded, label.offset)) != body:
        raise label.wrong(0, "this xn-- name is not in its canonical form", hint=hint)


def _to_a_label(label: Spelling) -> str:
    """UTS 46 without transition, in the small: lower case, NFKC, then only letters, marks and digits."""
    body = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", label.body).lower())
    for position, character in enumerate(body):
        if character in _LETTERS or character == "·" or _allowed(character):
            continue
        at = label.body.find(character)
        message = f"a host name cannot have {name_of(character)}"
        raise label.wrong(at if at >= 0 else min(position, len(label.body)), message, hint=_HOST_HINT)
    if not body or body[0] == "-" or body[-1] == "-" or unicodedata.category(body[0]).startswith("M"):
        raise label.wrong(0, "a part of a host name does not begin or end like this", hint=_HOST_HINT)
    if body.isascii():
        _check_ascii(Spelling(label.text, body, label.offset), body)
        return body
    return "xn--" + body.encode("punycode").decode("ascii")


def _allowed(character: str) -> bool:
    return not character.isascii() and unicodedata.category(character) in _LABEL_CATEGORIES
