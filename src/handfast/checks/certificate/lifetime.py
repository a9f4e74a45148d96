"""The lifetime is one that the profile allows and that relying parties accept."""

from collections.abc import Iterator
from datetime import timedelta

from cryptography import x509

from handfast.findings import Finding, Severity
from handfast.pki.draft import Draft
from handfast.pki.lifetime import format_lifetime
from handfast.pki.oids import SERVER_AUTH

CODES = {
    "lifetime-over-profile": "the certificate lives longer than its profile allows",
    "lifetime-over-825-days": "Apple devices refuse server certificates of over 825 days, from private CAs too",
}


_APPLE = timedelta(days=825)


def check(draft: Draft) -> Iterator[Finding]:
    """An error over the profile's maximum, a warning over Apple's."""
    length = draft.not_after - draft.not_before
    profile = draft.profile
    if profile is not None and length > profile.maximum_lifetime + profile.backdate:
        most = format_lifetime(profile.maximum_lifetime)
        message = f"the lifetime of {length.days} days is over the {most} of the profile {profile.name}"
        yield Finding("lifetime-over-profile", Severity.ERROR, message, f"ask for at most {most}", "profile")
    if length <= _APPLE + timedelta(days=1) or draft.is_ca:
        return
    usage = draft.find(x509.ExtendedKeyUsage)
    if usage is not None and SERVER_AUTH in usage.value:
        message = f"the server certificate lives {length.days} days; Apple devices refuse it"
        fix = "ask for at most 825 days"
        yield Finding("lifetime-over-825-days", Severity.WARNING, message, fix, "Apple HT210176")
