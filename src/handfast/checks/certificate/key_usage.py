"""The key usage is there, critical, and right for the algorithm (RFC 5280 section 4.2.1.3, RFC 8410, RFC 9881)."""

from collections.abc import Iterator

from cryptography import x509

from handfast.findings import Finding, Severity
from handfast.pki.draft import Draft
from handfast.pki.keys import is_elliptic, is_rsa

CODES = {
    "key-usage-missing": "the certificate does not say what its key may do",
    "key-usage-not-critical": "the key usage is not critical",
    "key-usage-ca": "a CA may not sign certificates, or a leaf may",
    "key-usage-algorithm": "the key's algorithm cannot do what the key usage says",
}


_REFERENCE = "RFC 5280 section 4.2.1.3"


def check(draft: Draft) -> Iterator[Finding]:
    """Missing or not critical is an error on a CA, a warning on a leaf."""
    extension = draft.find(x509.KeyUsage)
    severity = Severity.ERROR if draft.is_ca or draft.profile is not None else Severity.WARNING
    if extension is None:
        yield Finding("key-usage-missing", severity, "the key usage is missing", "issue it again with one", _REFERENCE)
        return
    if not extension.critical:
        message = "the key usage is not critical"
        yield Finding("key-usage-not-critical", severity, message, "issue it again, critical", _REFERENCE)
    usage = extension.value
    if usage.key_cert_sign != draft.is_ca:
        message = (
            "a CA may not sign certificates" if draft.is_ca else "a certificate that is not a CA may sign certificates"
        )
        yield Finding("key-usage-ca", Severity.ERROR, message, "issue it again with the profile for it", _REFERENCE)
    if (usage.key_encipherment or usage.data_encipherment) and not is_rsa(draft.public_key):
        yield _impossible("encipher")
    if usage.key_agreement and not is_elliptic(draft.public_key):
        yield _impossible("agree on secrets")


def _impossible(what: str) -> Finding:
    message = f"the key usage says that the key may {what}, which its algorithm cannot"
    return Finding("key-usage-algorithm", Severity.ERROR, message, "leave that usage out", "RFC 8410 section 5")
