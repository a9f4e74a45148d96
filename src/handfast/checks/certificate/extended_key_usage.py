"""The extended key usage says what the certificate is for (RFC 5280 section 4.2.1.12)."""

from collections.abc import Iterator

from cryptography import x509

from handfast.findings import Finding, Severity
from handfast.pki.draft import Draft
from handfast.pki.oids import ANY_EXTENDED_KEY_USAGE, usage_name

CODES = {
    "eku-missing": "without it a key may be used for everything: a client's as a server's",
    "eku-any": "the certificate may be used for everything",
    "eku-profile": "the usages are not those of the profile",
    "eku-outside-issuer": "the issuer may not issue for this usage: Windows, Go and OpenSSL refuse it",
}


_REFERENCE = "RFC 5280 section 4.2.1.12"


def check(draft: Draft) -> Iterator[Finding]:
    """On a CA the extension may be absent; where it is there, what is below must be inside."""
    extension = draft.find(x509.ExtendedKeyUsage)
    usages = frozenset(extension.value) if extension is not None else frozenset()
    if not usages and not draft.is_ca:
        severity = Severity.WARNING if draft.profile is None else Severity.ERROR
        message = "the certificate does not say what it is for: serverAuth, clientAuth"
        yield Finding("eku-missing", severity, message, "issue it again with an extended key usage", _REFERENCE)
    if ANY_EXTENDED_KEY_USAGE in usages:
        message = "the certificate may be used for everything (anyExtendedKeyUsage)"
        yield Finding("eku-any", Severity.WARNING, message, "name the usages that are wanted", _REFERENCE)
    if draft.profile is not None and usages != frozenset(draft.profile.extended_key_usage):
        message = f"the extended key usage is not that of the profile {draft.profile.name}"
        yield Finding("eku-profile", Severity.ERROR, message, "draft it again from the profile", "profile")
    yield from _check_nesting(draft, usages)


def _check_nesting(draft: Draft, usages: frozenset[x509.ObjectIdentifier]) -> Iterator[Finding]:
    allowed = draft.issuer.extended_key_usage if draft.issuer is not None else None
    if allowed is None or ANY_EXTENDED_KEY_USAGE in allowed or usages <= allowed:
        return
    outside = ", ".join(sorted(usage_name(oid) for oid in usages - allowed))
    message = f"the issuing CA may not issue for {outside}: its own extended key usage leaves it out"
    fix = "use another issuing CA, or make one with this usage or with none"
    yield Finding("eku-outside-issuer", Severity.ERROR, message, fix, _REFERENCE)
