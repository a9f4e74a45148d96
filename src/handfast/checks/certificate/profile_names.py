"""The names are of the kinds that the profile allows and requires."""

from collections.abc import Iterator

from handfast.findings import Finding, Severity
from handfast.pki.draft import Draft

CODES = {
    "name-kind-not-allowed": "the profile does not allow names of this kind",
    "name-required": "the profile requires a name of some kind, and there is none",
}


def check(draft: Draft) -> Iterator[Finding]:
    """Deny by default: a kind that the profile does not list is refused."""
    profile = draft.profile
    if profile is None:
        return
    kinds = {name.kind for name in draft.names}
    for kind in sorted(kinds - profile.name_kinds):
        allowed = ", ".join(sorted(profile.name_kinds)) or "none"
        message = f"the profile {profile.name} does not allow names of the kind {kind}"
        fix = f"leave it out, or use another profile; this one allows: {allowed}"
        yield Finding("name-kind-not-allowed", Severity.ERROR, message, fix, "profile")
    if profile.required_names and not kinds & profile.required_names:
        wanted = " or ".join(sorted(profile.required_names))
        message = f"the profile {profile.name} requires a name of the kind {wanted}"
        yield Finding("name-required", Severity.ERROR, message, f"add a name of the kind {wanted}", "profile")
