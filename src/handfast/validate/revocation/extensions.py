"""Extensions of a certificate as cryptography's values (RFC 5280 section 4.2)."""

from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from handfast.validate.certificate import Certificate
from handfast.validate.der import identifier

Kind = TypeVar("Kind", bound=x509.ExtensionType)

# What cryptography raises for bytes that are not what they should be.
UNREADABLE = (
    ValueError,
    TypeError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


def read_extension(certificate: Certificate, kind: type[Kind]) -> Kind | None:
    """The extension of this kind; None when it is absent, and when it cannot be read (path validation refuses that)."""
    if not has_extension(certificate, kind.oid):
        return None
    parsed = certificate.to_x509()
    try:
        return parsed.extensions.get_extension_for_class(kind).value if parsed else None
    except (x509.ExtensionNotFound, *UNREADABLE):
        return None


def has_extension(certificate: Certificate, oid: x509.ObjectIdentifier) -> bool:
    """Whether the certificate has this extension, readable or not."""
    return identifier(oid.dotted_string) in certificate.extensions
