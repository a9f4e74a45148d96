"""The subject has only attributes that the profile allows."""

from collections.abc import Iterator

from handfast.findings import Finding, Severity
from handfast.pki.draft import Draft
from handfast.pki.subject import attribute_name

CODES = {
    "subject-attribute-not-allowed": "the profile does not allow this attribute in the subject",
    "subject-missing": "a CA has an empty subject: nothing could name it as its issuer",
}


def check(draft: Draft) -> Iterator[Finding]:
    """Deny by default: an attribute that the profile does not list is refused."""
    if draft.is_ca and not draft.subject.rdns:
        message = "the CA has an empty subject"
        yield Finding("subject-missing", Severity.ERROR, message, "give it a name: CN=...", "RFC 5280 section 4.1.2.6")
    profile = draft.profile
    if profile is None:
        return
    for attribute in draft.attributes:
        name = attribute_name(attribute.oid)
        if name not in profile.subject_attributes:
            allowed = ", ".join(sorted(profile.subject_attributes))
            message = f"the profile {profile.name} does not allow the attribute {name} in a subject"
            fix = f"leave it out; allowed are {allowed}"
            yield Finding("subject-attribute-not-allowed", Severity.ERROR, message, fix, "profile")
