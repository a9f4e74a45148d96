"""The alternative names are there, and critical exactly when the subject is empty (RFC 5280 section 4.2.1.6)."""

from collections.abc import Iterator

from cryptography import x509

from handfast.findings import Finding, Severity
from handfast.pki.draft import Draft

CODES = {
    "san-missing": "the draft's names are not in the certificate",
    "san-criticality": "with an empty subject the names must be critical, else not",
    "identity-missing": "neither a subject nor a name says whose certificate it is",
    "san-empty": "the extension is there and holds no name",
}


_REFERENCE = "RFC 5280 section 4.2.1.6"


def check(draft: Draft) -> Iterator[Finding]:
    """Whatever the profile: a certificate is somebody's."""
    extension = draft.find(x509.SubjectAlternativeName)
    has_subject = bool(draft.subject.rdns)
    if extension is None:
        if draft.names:
            message = "the names of the certificate are not in its subject alternative names"
            yield Finding("san-missing", Severity.ERROR, message, "draft it again", _REFERENCE)
        if not has_subject:
            message = "nothing says whose certificate it is: it has no subject and no name"
            yield Finding("identity-missing", Severity.ERROR, message, "give it a subject or a name", _REFERENCE)
        return
    if not len(list(extension.value)):
        message = "the subject alternative names are empty"
        yield Finding("san-empty", Severity.ERROR, message, "leave the extension out", _REFERENCE)
    if extension.critical == has_subject:
        word = "are critical beside a subject" if has_subject else "are not critical, and the subject is empty"
        severity = Severity.WARNING if has_subject else Severity.ERROR
        message = f"the subject alternative names {word}"
        yield Finding("san-criticality", severity, message, "issue it again", _REFERENCE)
