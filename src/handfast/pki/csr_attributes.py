"""The attributes of a certificate request beside its extensions (PKCS#9, RFC 2985; RFC 7030 sections 3.5 and 4.4)."""

from collections.abc import Mapping
from dataclasses import dataclass

from cryptography import x509

from handfast.errors import Malformed
from handfast.pki import der
from handfast.pki.names import Name, from_general_names

CHALLENGE_PASSWORD = "1.2.840.113549.1.9.7"  # noqa: S105  # an object identifier
EXTENSION_REQUEST = "1.2.840.113549.1.9.14"
SMIME_CAPABILITIES = "1.2.840.113549.1.9.15"
DECRYPT_KEY_ID = "1.2.840.113549.1.9.16.2.37"
ASYMMETRIC_DECRYPT_KEY_ID = "1.2.840.113549.1.9.16.2.54"
CHANGE_SUBJECT_NAME = "1.3.6.1.5.5.7.7.36"
_SUBJECT_ALTERNATIVE_NAME = "2.5.29.17"
_ATTRIBUTES = 0xA0
_MOST = 64
# So few octets hold no more than the most attributes that are allowed, and most requests for elliptic keys are smaller.
_SMALL = 512
_READ = {
    der.object_identifier(dotted): dotted
    for dotted in (
        CHALLENGE_PASSWORD,
        SMIME_CAPABILITIES,
        DECRYPT_KEY_ID,
        ASYMMETRIC_DECRYPT_KEY_ID,
        CHANGE_SUBJECT_NAME,
    )
}
_HINT = "make the request again without this attribute"


@dataclass(frozen=True, slots=True)
class ChangedNames:
    """What the next certificate shall be called; None: as before (RFC 6402 section 2.8)."""

    subject: x509.Name | None
    names: tuple[Name, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestAttributes:
    """challenge: as sent. decrypt_key, asymmetric_key: identifiers of the key that a generated key is encrypted for.

    capabilities: the algorithms that the client can decrypt with, as encoded OIDs; None when it does not say.
    """

    challenge: str | None = None
    changed: ChangedNames | None = None
    decrypt_key: bytes | None = None
    asymmetric_key: bytes | None = None
    capabilities: frozenset[bytes] | None = None


def attributes_of(request: bytes) -> RequestAttributes:
    """Those attributes of a request in DER that was parsed by parse_request(). Raises Malformed."""
    # Nearly every request is small and has none of them: then the bytes of their kinds are nowhere in it.
    is_plain = len(request) <= _SMALL and not any(kind in request for kind in _READ)
    values = {} if is_plain else _values(request)
    challenge = values.get(CHALLENGE_PASSWORD)
    changed = values.get(CHANGE_SUBJECT_NAME)
    capabilities = values.get(SMIME_CAPABILITIES)
    return RequestAttributes(
        challenge=None if challenge is None else _content(challenge).decode("utf-8", "replace"),
        changed=None if changed is None else _changed(request, changed),
        decrypt_key=_octets(values, DECRYPT_KEY_ID),
        asymmetric_key=_octets(values, ASYMMETRIC_DECRYPT_KEY_ID),
        capabilities=None if capabilities is None else _capabilities(capabilities),
    )


def _values(request: bytes) -> Mapping[str, bytes]:
    """The only value of each attribute that is read here, in DER."""
    information = next(der.children(request, der.element_at(request)))
    found: dict[str, bytes] = {}
    for field in der.children(request, information):
        if field.tag != _ATTRIBUTES:
            continue
        for count, attribute in enumerate(der.children(request, field)):
            if count >= _MOST:
                raise Malformed(f"the request has more than {_MOST} attributes", hint=_HINT)
            kind, values = _attribute(request, attribute)
            if kind in found:
                raise Malformed(f"the request has the attribute {kind} twice", hint=_HINT)
            if kind:
                found[kind] = values
    return found


def _attribute(request: bytes, attribute: der.Element) -> tuple[str, bytes]:
    """Its kind, empty when it is none of those that are read, and its value."""
    parts = list(der.children(request, attribute))
    kind = _READ.get(request[parts[0].begin : parts[0].end], "") if parts else ""
    if not kind:
        return "", b""
    values = list(der.children(request, parts[1])) if len(parts) == 2 and parts[1].tag == der.SET else []
    if len(values) != 1:
        raise Malformed(f"the attribute {kind} of the request has {len(values)} values, not one", hint=_HINT)
    return kind, request[values[0].begin : values[0].end]


def _content(value: bytes) -> bytes:
    element = der.element_at(value)
    return value[element.start : element.end]


def _octets(values: Mapping[str, bytes], kind: str) -> bytes | None:
    value = values.get(kind)
    if value is not None and value[0] != der.OCTET_STRING:
        raise Malformed(f"the attribute {kind} of the request is no OCTET STRING", hint=_HINT)
    return None if value is None else _content(value)


def _capabilities(value: bytes) -> frozenset[bytes]:
    found = set()
    for capability in der.children(value, der.element_at(value)):
        for part in der.children(value, capability):
            found.add(value[part.begin : part.end])
            break
    return frozenset(found)


def _changed(request: bytes, value: bytes) -> ChangedNames:
    subject, alternative = None, None
    for part in der.children(value, der.element_at(value)):
        inside = next(der.children(value, part), None)
        if inside is None or inside.tag == der.SET:
            subject = value[part.begin : part.end]
        else:
            alternative = value[part.begin : part.end]
    if subject is None and alternative is None:
        raise Malformed("the ChangeSubjectName of the request changes nothing", hint=_HINT)
    twin = _twin(request, subject or der.sequence([]), alternative)
    return ChangedNames(twin[0] if subject is not None else None, twin[1] if alternative is not None else None)


def _twin(request: bytes, subject: bytes, alternative: bytes | None) -> tuple[x509.Name, tuple[Name, ...]]:
    """The names, read by the parser of requests: it is the one that knows how."""
    parts = list(der.children(request, der.element_at(request)))
    fields = list(der.children(request, parts[0]))
    attributes = b"" if alternative is None else extension_request([(_SUBJECT_ALTERNATIVE_NAME, alternative)])
    key = request[fields[2].begin : fields[2].end]
    information = der.sequence([der.integer(0), subject, key, der.encode(_ATTRIBUTES, attributes)])
    rest = [request[part.begin : part.end] for part in parts[1:]]
    try:
        twin = x509.load_der_x509_csr(der.sequence([information, *rest]))
        general = [name for one in twin.extensions for name in one.value]
        return twin.subject, from_general_names(general)
    except (ValueError, x509.UnsupportedGeneralNameType) as error:
        raise Malformed(f"the ChangeSubjectName of the request cannot be read: {error}", hint=_HINT) from None


def extension_request(extensions: list[tuple[str, bytes]]) -> bytes:
    """The attribute extensionRequest: pairs of an OID and the extension's value in DER."""
    encoded = [
        der.sequence([der.object_identifier(dotted), der.encode(der.OCTET_STRING, value)])
        for dotted, value in extensions
    ]
    return attribute(EXTENSION_REQUEST, der.sequence(encoded))


def attribute(dotted: str, *values: bytes) -> bytes:
    """An Attribute: its type, and the set of its values in DER order."""
    return der.sequence([der.object_identifier(dotted), der.encode(der.SET, b"".join(sorted(values)))])
