"""The subject key identifier is there (RFC 5280 section 4.2.1.2)."""

from collections.abc import Iterator

from cryptography import x509

from handfast.findings import Finding, Severity
from handfast.pki.draft import Draft

CODES = {
    "ski-missing": "a CA without it is refused by strict validators; on a leaf it helps to find the key",
    "ski-critical": "the extension is critical, which RFC 5280 forbids",
}


_REFERENCE = "RFC 5280 section 4.2.1.2"


def check(draft: Draft) -> Iterator[Finding]:
    """An error on a CA, a notice on a leaf."""
    extension = draft.find(x509.SubjectKeyIdentifier)
    if extension is None:
        severity = Severity.ERROR if draft.is_ca else Severity.NOTICE
        message = "the subject key identifier is missing"
        yield Finding("ski-missing", severity, message, "issue it again with one", _REFERENCE)
    elif extension.critical:
        message = "the subject key identifier is critical"
        yield Finding("ski-critical", Severity.ERROR, message, "issue it not critical", _REFERENCE)
