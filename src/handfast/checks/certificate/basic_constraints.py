"""The basic constraints say what the profile says, and a CA's are critical (RFC 5280 section 4.2.1.9)."""

from collections.abc import Iterator

from cryptography import x509

from handfast.findings import Finding, Severity
from handfast.pki.draft import Draft

CODES = {
    "ca-not-critical": "a CA whose basicConstraints are not critical is refused by strict validators",
    "ca-unexpected": "a leaf says that it is a CA, or a CA that it is not",
    "path-length-on-leaf": "a leaf has a path length",
    "path-length-exceeded": "the issuer allows no further CA below it, or fewer",
}


_REFERENCE = "RFC 5280 section 4.2.1.9"


def check(draft: Draft) -> Iterator[Finding]:
    """On a leaf the extension may be absent or say FALSE."""
    extension = draft.find(x509.BasicConstraints)
    is_ca = extension is not None and extension.value.ca
    if draft.profile is not None and is_ca != draft.profile.is_ca:
        message = (
            f"the profile {draft.profile.name} {'is' if draft.profile.is_ca else 'is not'} for a CA; the draft differs"
        )
        yield Finding("ca-unexpected", Severity.ERROR, message, "use another profile", _REFERENCE)
    if extension is None:
        return
    if not is_ca and extension.value.path_length is not None:
        message = "a certificate that is not a CA has a path length"
        yield Finding("path-length-on-leaf", Severity.ERROR, message, "leave it out", _REFERENCE)
    if is_ca:
        yield from _check_ca(draft, extension)


def _check_ca(draft: Draft, extension: x509.Extension[x509.BasicConstraints]) -> Iterator[Finding]:
    if not extension.critical:
        message = "the basic constraints of the CA are not critical"
        yield Finding("ca-not-critical", Severity.ERROR, message, "issue the CA again with them critical", _REFERENCE)
    allowed = draft.issuer.path_length if draft.issuer is not None else None
    if allowed is None:
        return
    length = extension.value.path_length
    if allowed == 0 or length is None or length >= allowed:
        message = f"the issuer allows {allowed} CAs below it: this CA does not fit"
        fix = "let a CA sign it that may have CAs below it, the root for instance"
        yield Finding("path-length-exceeded", Severity.ERROR, message, fix, _REFERENCE)
