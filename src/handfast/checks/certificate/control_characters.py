"""No name holds a character that nobody sees: it shows as one thing and compares as another (RFC 5280 section 7.1)."""

from collections.abc import Iterator

from handfast.findings import Finding, Severity
from handfast.pki.draft import Draft

CODES = {
    "control-character": "a subject or name holds a character that nobody sees",
}


def check(draft: Draft) -> Iterator[Finding]:
    """Errors, in the subject and in the alternative names."""
    values = [str(attribute.value) for attribute in draft.attributes]
    values += [name.value for name in draft.names]
    for value in values:
        if not value.isprintable():
            message = f"{value[:100]!r} holds a character that nobody sees"
            yield Finding("control-character", Severity.ERROR, message, "leave it out", "RFC 5280 section 7.1")
