"""No critical extension is one that relying parties do not know (RFC 5280 section 4.2), none stands twice."""

from collections.abc import Iterator

from cryptography import x509

from handfast.findings import Finding, Severity
from handfast.pki.draft import Draft

CODES = {
    "critical-unknown": "a critical extension that a program does not know makes it refuse the certificate",
    "extension-twice": "the same extension stands twice",
}


def check(draft: Draft) -> Iterator[Finding]:
    """An error on a draft of ours, a warning on a foreign certificate."""
    if len({extension.oid for extension in draft.extensions}) != len(draft.extensions):
        message = "the same extension stands twice"
        yield Finding("extension-twice", Severity.ERROR, message, "leave one out", "RFC 5280 section 4.2")
    for extension in draft.extensions:
        if extension.critical and type(extension.value) is x509.UnrecognizedExtension:
            severity = Severity.WARNING if draft.profile is None else Severity.ERROR
            message = f"the extension {extension.oid.dotted_string} is critical, and few programs know it"
            yield Finding("critical-unknown", severity, message, "issue it not critical", "RFC 5280 section 4.2")
