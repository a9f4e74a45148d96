"""Revocation as an append-only list: what may come after what (RFC 5280 section 5.3.1)."""

from dataclasses import replace
from datetime import datetime

from handfast.ca.records import CertificateRecord, Reason, Revocation
from handfast.errors import Conflict
from handfast.pki.serial import serial_text


def next_revocation(
    record: CertificateRecord, last: Revocation | None, reason: Reason, *, now: datetime, requester: str
) -> Revocation:
    """What to append for a revocation, a hold (CERTIFICATE_HOLD) or a release (REMOVE_FROM_CRL).

    Raises Conflict for what may not follow: revoked is for ever, and only what is held can be released.
    """
    _require_may_follow(record, last, reason)
    return Revocation(
        serial=record.serial,
        issuer=record.issuer,
        sequence=0 if last is None else last.sequence + 1,
        reason=reason,
        # RFC 5280 section 5.3.1: a hold that becomes a revocation keeps the date of the hold.
        revoked_at=last.revoked_at if last is not None and _hardens(last, reason) else now.replace(microsecond=0),
        not_after=record.not_after,
        requester=requester,
    )


def _hardens(last: Revocation, reason: Reason) -> bool:
    return last.reason is Reason.CERTIFICATE_HOLD and reason is not Reason.REMOVE_FROM_CRL


def _require_may_follow(record: CertificateRecord, last: Revocation | None, reason: Reason) -> None:
    name = f"the certificate {serial_text(record.serial)} of {record.label}"
    in_force = last is not None and last.is_in_force
    if last is not None and in_force and last.reason is not Reason.CERTIFICATE_HOLD:
        msg = f"{name} was revoked on {last.revoked_at:%Y-%m-%d %H:%M} for {last.reason}"
        raise Conflict(msg, hint="a revocation is for ever; issue a new certificate")
    if reason is Reason.REMOVE_FROM_CRL and not in_force:
        raise Conflict(f"{name} is not on hold", hint="only a certificate that is on hold can be released")
    if reason is Reason.CERTIFICATE_HOLD and in_force:
        raise Conflict(f"{name} is on hold already", hint="release it, or revoke it for good")


def with_revocation(record: CertificateRecord, revocation: Revocation) -> CertificateRecord:
    """The record as it is after the revocation."""
    return replace(record, revocation=revocation)
