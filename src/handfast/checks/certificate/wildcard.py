"""A wildcard stands only where the profile allows one: in a server's certificate."""

from collections.abc import Iterator

from handfast.findings import Finding, Severity
from handfast.pki.draft import Draft

CODES = {
    "wildcard-not-allowed": "a wildcard names many machines: a client or device is one",
}


def check(draft: Draft) -> Iterator[Finding]:
    """Nothing without a profile: a foreign certificate may have its reasons."""
    if draft.profile is None or draft.profile.allows_wildcards:
        return
    for name in draft.names:
        if name.is_wildcard:
            message = f"the profile {draft.profile.name} does not allow the wildcard {name.value}"
            fix = "name the machine itself, or use the profile server"
            yield Finding("wildcard-not-allowed", Severity.ERROR, message, fix, "RFC 9525 section 6.3")
