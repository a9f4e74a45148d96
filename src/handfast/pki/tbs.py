"""The TBSCertificate of a draft in DER (RFC 5280 section 4.1): what is signed.

cryptography's builder makes the same bytes in three times as long. What all certificates of an issuer have in common is
encoded once.
"""

from typing import TYPE_CHECKING

from cryptography import x509

from handfast.pki import der
from handfast.pki.keys import public_key_info

if TYPE_CHECKING:
    from handfast.pki.draft import Draft

_Extension = x509.Extension[x509.ExtensionType]
_VERSION_3 = b"\xa0\x03\x02\x01\x02"
_TRUE = b"\x01\x01\xff"
_EXTENSIONS = 0xA3
# An extension with a subjectKeyIdentifier of 20 octets, up to these.
_KEY_IDENTIFIER = b"\x30\x1d\x06\x03\x55\x1d\x0e\x04\x16\x04\x14"
# Every certificate has others: it would be of no use to remember them.
_OWN = frozenset({x509.SubjectKeyIdentifier, x509.SubjectAlternativeName})
_MOST = 512


def to_be_signed(draft: "Draft", algorithm: bytes) -> bytes:
    """The bytes that the issuer signs. algorithm: the AlgorithmIdentifier in DER."""
    extensions = b"".join(map(_extension, draft.extensions))
    parts = [
        _VERSION_3,
        der.integer(draft.serial),
        algorithm,
        _issuer_name(draft),
        der.sequence((der.time(draft.not_before), der.time(draft.not_after))),
        draft.subject.public_bytes(),
        public_key_info(draft.public_key),
    ]
    if extensions:
        parts.append(der.encode(_EXTENSIONS, der.encode(der.SEQUENCE, extensions)))
    return der.sequence(parts)


def encoded_certificate(to_be_signed: bytes, algorithm: bytes, signature: bytes) -> bytes:
    """The certificate that it becomes, in DER."""
    return der.sequence((to_be_signed, algorithm, der.encode(der.BIT_STRING, b"\x00" + signature)))


def _issuer_name(draft: "Draft") -> bytes:
    if draft.issuer is not None and draft.issuer_name is draft.issuer.subject:
        return draft.issuer.encoded_subject
    return draft.issuer_name.public_bytes()


def _extension(extension: _Extension) -> bytes:
    if type(extension.value) in _OWN:
        return _encoded(extension)
    known = _known.get(id(extension))
    if known is not None and known[0] is extension:
        return known[1]
    encoded = _encoded(extension)
    if len(_known) >= _MOST:
        _known.clear()
    _known[id(extension)] = (extension, encoded)
    return encoded


# The extension is kept beside its encoding, so that no other can have its id().
_known: dict[int, tuple[_Extension, bytes]] = {}


def _encoded(extension: _Extension) -> bytes:
    value = extension.value
    if type(value) is x509.SubjectKeyIdentifier and len(value.digest) == 20 and not extension.critical:
        return _KEY_IDENTIFIER + value.digest
    oid = der.object_identifier(extension.oid.dotted_string)
    octets = der.encode(der.OCTET_STRING, value.public_bytes())
    return der.encode(der.SEQUENCE, oid + _TRUE + octets if extension.critical else oid + octets)
