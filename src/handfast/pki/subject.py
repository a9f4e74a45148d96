"""Distinguished names as people type and read them (RFC 4514, RFC 5280 section 4.1.2.4)."""

import re
from collections.abc import Iterator, Mapping

from cryptography import x509
from cryptography.x509.oid import NameOID

from handfast.pki.nearest import nearest
from handfast.pki.spelling import Spelling, name_of

ATTRIBUTES: Mapping[str, x509.ObjectIdentifier] = {
    "CN": NameOID.COMMON_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "C": NameOID.COUNTRY_NAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME,
    "L": NameOID.LOCALITY_NAME,
    "STREET": NameOID.STREET_ADDRESS,
    "DC": NameOID.DOMAIN_COMPONENT,
    "UID": NameOID.USER_ID,
    "SERIALNUMBER": NameOID.SERIAL_NUMBER,
    "GN": NameOID.GIVEN_NAME,
    "SN": NameOID.SURNAME,
    "T": NameOID.TITLE,
    "PSEUDONYM": NameOID.PSEUDONYM,
    "EMAIL": NameOID.EMAIL_ADDRESS,
    "ORGANIZATIONIDENTIFIER": NameOID.ORGANIZATION_IDENTIFIER,
}
_ALIASES = {
    "COMMONNAME": "CN", "ORGANIZATION": "O", "ORGANIZATIONNAME": "O", "ORGANIZATIONALUNIT": "OU",
    "ORGANIZATIONALUNITNAME": "OU", "COUNTRY": "C", "COUNTRYNAME": "C", "S": "ST", "STATE": "ST",
    "STATEORPROVINCENAME": "ST", "LOCALITY": "L", "LOCALITYNAME": "L", "STREETADDRESS": "STREET",
    "DOMAINCOMPONENT": "DC", "USERID": "UID", "GIVENNAME": "GN", "SURNAME": "SN", "TITLE": "T",
    "EMAILADDRESS": "EMAIL", "E": "EMAIL",
}  # fmt: skip
_SHORT = {oid: name for name, oid in ATTRIBUTES.items()}
# The upper bounds of RFC 5280 appendix A.1.
MAXIMUM_LENGTH: Mapping[x509.ObjectIdentifier, int] = {
    NameOID.COMMON_NAME: 64,
    NameOID.ORGANIZATION_NAME: 64,
    NameOID.ORGANIZATIONAL_UNIT_NAME: 64,
    NameOID.COUNTRY_NAME: 2,
    NameOID.STATE_OR_PROVINCE_NAME: 128,
    NameOID.LOCALITY_NAME: 128,
    NameOID.STREET_ADDRESS: 128,
    NameOID.SERIAL_NUMBER: 64,
    NameOID.GIVEN_NAME: 64,
    NameOID.SURNAME: 64,
    NameOID.TITLE: 64,
    NameOID.PSEUDONYM: 128,
    NameOID.EMAIL_ADDRESS: 255,
    NameOID.USER_ID: 256,
    NameOID.DOMAIN_COMPONENT: 63,
    NameOID.ORGANIZATION_IDENTIFIER: 256,
}
_DEFAULT_LENGTH = 256
_MAXIMUM_ATTRIBUTES = 32
_HINT = "a subject looks like CN=alice,O=Example; a comma inside a value is written \\,"
_ESCAPED = re.compile(r"[\"+,;<>\\=#]")


def parse_subject(text: str) -> x509.Name:
    """`CN=alice,O=Example`, or `/O=Example/CN=alice`; a bare `alice` is its common name; empty text the empty name.

    The comma form is RFC 4514's: most specific first, which is last in the certificate. The slash form stands in the
    order of the certificate. Raises Malformed with a caret.
    """
    spelling = Spelling(text, text).stripped()
    if not spelling.body:
        return x509.Name([])
    if "=" not in spelling.body:
        return x509.Name([_attribute(spelling, "CN", spelling)])
    separators = "/" if spelling.body.startswith("/") else ",;"
    rdns = [_parse_rdn(rdn) for rdn in _split(spelling, separators) if rdn.body.strip() or separators != "/"]
    if len(rdns) > _MAXIMUM_ATTRIBUTES:
        raise spelling.wrong(0, f"the subject has {len(rdns)} attributes; the most is 32", hint=_HINT)
    return x509.Name(rdns if separators == "/" else rdns[::-1])


def format_subject(name: x509.Name) -> str:
    """The name as RFC 4514 writes it, most specific first: `CN=alice,O=Example`. parse_subject() reads it back."""
    return ",".join("+".join(_format_attribute(attribute) for attribute in rdn) for rdn in reversed(name.rdns))


def attribute_name(oid: x509.ObjectIdentifier) -> str:
    """`CN` for 2.5.4.3; the dotted form of one that is not known."""
    return _SHORT.get(oid, oid.dotted_string)


def _split(spelling: Spelling, separators: str) -> Iterator[Spelling]:
    body, start, position, quoted = spelling.body, 0, 0, False
    while position < len(body):
        character = body[position]
        if character == "\\":
            position += 1
        elif character == '"':
            quoted = not quoted
        elif character in separators and not quoted:
            yield spelling.part(start, position)
            start = position + 1
        position += 1
    if quoted:
        raise spelling.wrong(len(body), "a quotation mark is not closed", hint=_HINT)
    yield spelling.part(start, len(body))


def _parse_rdn(rdn: Spelling) -> x509.RelativeDistinguishedName:
    attributes = [_parse_attribute(part.stripped()) for part in _split(rdn, "+")]
    try:
        return x509.RelativeDistinguishedName(attributes)
    except ValueError:
        raise rdn.wrong(0, "the same attribute stands twice between two commas", hint=_HINT) from None


def _parse_attribute(part: Spelling) -> x509.NameAttribute[str]:
    equals = part.body.find("=")
    if equals < 0:
        raise part.wrong(0, "an attribute has no =", hint=_HINT)
    key = part.body[:equals].strip().upper()
    key = _ALIASES.get(key, key)
    if key not in ATTRIBUTES:
        message = f"the attribute {part.body[:equals].strip() or 'before ='} is not known"
        raise part.wrong(0, message, hint=f"{nearest(key, ATTRIBUTES)}; known are {', '.join(ATTRIBUTES)}")
    return _attribute(part, key, part.part(equals + 1, len(part.body)).stripped())


def _attribute(part: Spelling, key: str, value: Spelling) -> x509.NameAttribute[str]:
    text = _unescape(value)
    oid = ATTRIBUTES[key]
    most = MAXIMUM_LENGTH.get(oid, _DEFAULT_LENGTH)
    if not text:
        raise value.wrong(0, f"the attribute {key} is empty", hint=_HINT)
    for position, character in enumerate(text):
        if not character.isprintable():
            at = max(value.body.find(character), 0)
            raise value.wrong(at, f"a subject cannot have {name_of(character)}", hint="leave it out")
        if position >= most:
            raise value.wrong(most, f"the attribute {key} has over {most} characters", hint="use a shorter value")
    if key == "C":
        text = text.upper()
        if len(text) != 2 or not (text.isascii() and text.isalpha()):
            raise value.wrong(0, "a country is two letters, as DE or US", hint="use the code of ISO 3166")
    if key in {"DC", "EMAIL", "SERIALNUMBER"} and not text.isascii():
        at = next(at for at, character in enumerate(value.body) if not character.isascii())
        raise value.wrong(at, f"the attribute {key} is ASCII only", hint="use a value in ASCII")
    return x509.NameAttribute(oid, text)


def _unescape(value: Spelling) -> str:
    body = value.body
    if len(body) >= 2 and body.startswith('"') and body.endswith('"'):
        value = value.part(1, len(body) - 1)
        body = value.body
    if "\\" not in body and '"' not in body:
        return body
    found, position = bytearray(), 0
    while position < len(body):
        character = body[position]
        if character == "\\":
            escaped = body[position + 1 : position + 3]
            if re.fullmatch(r"[0-9A-Fa-f]{2}", escaped):
                found += bytes.fromhex(escaped)
                position += 3
                continue
            if not escaped:
                raise value.wrong(position, "a backslash stands at the end", hint=_HINT)
            position += 1
            character = body[position]
        found += character.encode("utf-8", "replace")
        position += 1
    try:
        return found.decode("utf-8")
    except UnicodeDecodeError:
        raise value.wrong(0, "the escaped bytes are not UTF-8", hint=_HINT) from None


def _format_attribute(attribute: x509.NameAttribute[str | bytes]) -> str:
    value = attribute.value
    if isinstance(value, bytes):
        return f"{attribute_name(attribute.oid)}=#{value.hex()}"
    text = _ESCAPED.sub(lambda match: f"\\{match.group()}", value)
    if text.startswith(" "):
        text = f"\\20{text[1:]}"
    if text.endswith(" ") and len(text) > 1:
        text = f"{text[:-1]}\\20"
    return f"{attribute_name(attribute.oid)}={text}"
