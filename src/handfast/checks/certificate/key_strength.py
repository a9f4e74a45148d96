"""The key is strong, and of a kind that the profile allows."""

from collections.abc import Iterator

from handfast.findings import Finding, Severity
from handfast.pki.draft import Draft
from handfast.pki.keys import describe_key, key_findings, kind_of

CODES = {
    "weak-key-size": "the RSA key is too short, or too long",
    "weak-key-exponent": "the RSA exponent is even, too small or too large",
    "weak-key-factor": "the RSA modulus has a small factor",
    "weak-key-roca": "the RSA key comes from a broken generator (CVE-2017-15361)",
    "weak-key-close-primes": "the RSA primes are close together (CVE-2022-26320)",
    "weak-key-curve": "the key is on a curve that little software accepts",
    "weak-key-algorithm": "nothing in use accepts keys of this algorithm",
    "weak-key-published": "the private key is published: it is in a standard or in a test suite",
    "key-cannot-sign": "the key is for agreeing on secrets, not for signing",
    "key-not-in-profile": "the profile does not allow this kind of key",
}


def check(draft: Draft) -> Iterator[Finding]:
    """What handfast.pki.keys has against the key, and what the profile has."""
    yield from key_findings(draft.public_key)
    profile = draft.profile
    if profile is None:
        return
    kind = kind_of(draft.public_key)
    if kind is not None and kind not in profile.key_kinds:
        message = f"the profile {profile.name} does not allow a key of the kind {describe_key(draft.public_key)}"
        fix = f"use one of: {', '.join(sorted(profile.key_kinds))}"
        yield Finding("key-not-in-profile", Severity.ERROR, message, fix, "profile")
