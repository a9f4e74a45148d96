"""Requests whose attributes are not in the order of DER, as many devices send them (RFC 2986 section 4, X.690 11.6)."""

from handfast.errors import Malformed
from handfast.pki import der

_ATTRIBUTES = 0xA0


def in_order(request: bytes) -> tuple[bytes, bytes] | None:
    """The request with its attributes sorted, or with none where they are missing; and the bytes that were signed.

    None for what is not a PKCS#10 request, or is in order already. The signature belongs to the second alone.
    """
    try:
        return _sorted(request)
    except Malformed:
        return None


def _sorted(request: bytes) -> tuple[bytes, bytes] | None:
    outer = der.element_at(request)
    parts = list(der.children(request, outer))
    if [part.tag for part in parts] != [der.SEQUENCE, der.SEQUENCE, der.BIT_STRING] or outer.end != len(request):
        return None
    fields = list(der.children(request, parts[0]))
    tags = [field.tag for field in fields]
    if tags[:3] != [der.INTEGER, der.SEQUENCE, der.SEQUENCE] or tags[3:] not in ([], [_ATTRIBUTES]):
        return None
    attributes = sorted(_bytes(request, one) for field in fields[3:] for one in der.children(request, field))
    kept = [_bytes(request, field) for field in fields[:3]]
    information = der.sequence([*kept, der.encode(_ATTRIBUTES, b"".join(attributes))])
    signed = _bytes(request, parts[0])
    if information == signed:
        return None
    return der.sequence([information, *(_bytes(request, part) for part in parts[1:])]), signed


def _bytes(data: bytes, element: der.Element) -> bytes:
    return data[element.begin : element.end]
