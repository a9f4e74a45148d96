"""The authority key identifier is there and is the issuer's (RFC 5280 section 4.2.1.1)."""

from collections.abc import Iterator

from cryptography import x509

from handfast.findings import Finding, Severity
from handfast.pki.draft import Draft

CODES = {
    "aki-missing": "without it Python 3.13 and others refuse the certificate, and path building guesses",
    "aki-mismatch": "the identifier is not that of the issuer's key",
    "aki-critical": "the extension is critical, which RFC 5280 forbids",
}


_REFERENCE = "RFC 5280 section 4.2.1.1"
_FIX = "issue it again with the identifier of the issuer's key"


def check(draft: Draft) -> Iterator[Finding]:
    """Only a self-signed certificate may be without."""
    extension = draft.find(x509.AuthorityKeyIdentifier)
    if extension is None or extension.value.key_identifier is None:
        if draft.issuer_name != draft.subject:
            message = "the authority key identifier is missing"
            yield Finding("aki-missing", Severity.ERROR, message, _FIX, _REFERENCE)
        return
    if draft.issuer is not None and extension.value.key_identifier != draft.issuer.key_id:
        message = "the authority key identifier is not that of the issuer"
        yield Finding("aki-mismatch", Severity.ERROR, message, _FIX, _REFERENCE)
    if extension.critical:
        message = "the authority key identifier is critical"
        yield Finding("aki-critical", Severity.ERROR, message, "issue it not critical", _REFERENCE)
