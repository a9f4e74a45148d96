"""The validity is a period, and lies inside that of the issuer (RFC 5280 section 4.1.2.5)."""

from collections.abc import Iterator

from handfast.findings import Finding, Severity
from handfast.pki.draft import Draft

CODES = {
    "validity-reversed": "the certificate ends before it begins",
    "validity-outlives-issuer": "the certificate is valid when its issuer is not",
}


_REFERENCE = "RFC 5280 section 4.1.2.5"


def check(draft: Draft) -> Iterator[Finding]:
    """Errors for a period that is none, and for one that reaches beyond the issuer's."""
    if draft.not_after <= draft.not_before:
        message = f"the certificate ends on {draft.not_after:%Y-%m-%d %H:%M:%S}, before it begins"
        yield Finding("validity-reversed", Severity.ERROR, message, "ask for a longer lifetime", _REFERENCE)
    issuer = draft.issuer
    if issuer is None or issuer.not_after is None or issuer.not_before is None:
        return
    if draft.not_after > issuer.not_after or draft.not_before < issuer.not_before:
        message = (
            f"the certificate is valid from {draft.not_before:%Y-%m-%d} to {draft.not_after:%Y-%m-%d}, "
            f"its issuer only from {issuer.not_before:%Y-%m-%d} to {issuer.not_after:%Y-%m-%d}"
        )
        fix = "ask for a shorter lifetime, or renew the issuing CA first"
        yield Finding("validity-outlives-issuer", Severity.ERROR, message, fix, _REFERENCE)
