"""The certificate is of version 3 (RFC 5280 section 4.1.2.1)."""

from collections.abc import Iterator

from cryptography import x509

from handfast.findings import Finding, Severity
from handfast.pki.draft import Draft

CODES = {
    "version-not-3": "a certificate of version 1 has no extensions: many programs refuse it",
}


def check(draft: Draft) -> Iterator[Finding]:
    """An error unless the version is 3."""
    if draft.version is not x509.Version.v3:
        message = f"the certificate is of version {draft.version.value + 1}"
        fix = "issue it with extensions: openssl x509 -req needs -extfile"
        yield Finding("version-not-3", Severity.ERROR, message, fix, "RFC 5280 section 4.1.2.1")
