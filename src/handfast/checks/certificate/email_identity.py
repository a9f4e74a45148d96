"""An S/MIME certificate proves its addresses in its alternative names (S/MIME BR section 7.1.4.2.1, RFC 8550)."""

from collections.abc import Iterator

from cryptography import x509
from cryptography.x509.oid import NameOID

from handfast.findings import Finding, Severity
from handfast.pki.draft import Draft
from handfast.pki.names import NameKind
from handfast.pki.oids import EMAIL_PROTECTION

CODES = {
    "email-missing": "an S/MIME certificate has no e-mail address among its names",
    "email-not-among-names": "an address in the subject is not among the names: mail programs do not accept it",
}


_REFERENCE = "S/MIME BR section 7.1.4.2.1"


def check(draft: Draft) -> Iterator[Finding]:
    """Of certificates for e-mail protection, and of addresses in any subject."""
    if draft.is_ca:
        return
    addresses = {name.value.lower() for name in draft.names if name.kind is NameKind.EMAIL}
    usage = draft.find(x509.ExtendedKeyUsage)
    if not addresses and usage is not None and EMAIL_PROTECTION in usage.value:
        message = "the certificate is for e-mail and has no e-mail address among its names"
        yield Finding("email-missing", Severity.ERROR, message, "add a name: email:alice@example.com", _REFERENCE)
    for attribute in draft.attributes:
        if attribute.oid == NameOID.EMAIL_ADDRESS and str(attribute.value).lower() not in addresses:
            message = f"the e-mail address {str(attribute.value)[:100]} of the subject is not among the names"
            fix = "add it as a name too: email:..."
            yield Finding("email-not-among-names", Severity.ERROR, message, fix, "RFC 5280 section 4.1.2.6")
