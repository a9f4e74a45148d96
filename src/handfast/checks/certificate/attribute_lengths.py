"""No attribute of the subject is longer than the standard allows (RFC 5280 appendix A.1), or is empty."""

from collections.abc import Iterator

from handfast.findings import Finding, Severity
from handfast.pki.draft import Draft
from handfast.pki.subject import MAXIMUM_LENGTH, attribute_name

CODES = {
    "subject-attribute-too-long": "an attribute is longer than RFC 5280 allows: strict programs refuse the certificate",
    "subject-attribute-empty": "an attribute of the subject is empty",
}


def check(draft: Draft) -> Iterator[Finding]:
    """Errors; bytes that are no text are left alone."""
    for attribute in draft.attributes:
        value = attribute.value
        if not isinstance(value, str):
            continue
        name = attribute_name(attribute.oid)
        most = MAXIMUM_LENGTH.get(attribute.oid)
        if most is not None and len(value) > most:
            message = f"the attribute {name} has {len(value)} characters; the most is {most}"
            reference = "RFC 5280 appendix A.1"
            yield Finding("subject-attribute-too-long", Severity.ERROR, message, "use a shorter value", reference)
        if not value.strip():
            message = f"the attribute {name} is empty"
            reference = "RFC 5280 section 4.1.2.4"
            yield Finding("subject-attribute-empty", Severity.ERROR, message, "leave it out", reference)
