"""What the API shows of things: documents with stable keys."""

from datetime import datetime
from typing import Any

from handfast.ca.approving import PendingRecord
from handfast.ca.order import Issued
from handfast.ca.records import AuditEvent, CertificateRecord
from handfast.ca.requesters import CredentialRecord, RequesterRecord
from handfast.ca.tokens import TokenRecord
from handfast.pki.pem import to_pem
from handfast.pki.serial import serial_text


def certificate(record: CertificateRecord, now: datetime) -> dict[str, Any]:
    """A certificate on record."""
    revocation = record.revocation if record.revocation is not None and record.revocation.is_in_force else None
    return {
        "serial": serial_text(record.serial),
        "fingerprint": record.fingerprint.hex() if record.fingerprint else None,
        "label": record.label,
        "subject": record.subject,
        "names": [str(name) for name in record.names],
        "profile": record.profile,
        "issuer": record.issuer,
        "requester": record.requester,
        "state": record.state(now).value,
        "not_before": record.not_before.isoformat(),
        "not_after": record.not_after.isoformat(),
        "created_at": record.created_at.isoformat(),
        "key_id": record.key_id.hex(),
        "replaces": serial_text(record.replaces) if record.replaces is not None else None,
        "revoked_at": revocation.revoked_at.isoformat() if revocation else None,
        "reason": revocation.reason.value if revocation else None,
    }


def whole(record: CertificateRecord, now: datetime) -> dict[str, Any]:
    """A certificate on record, and the certificate itself."""
    made = record.x509()
    return {**certificate(record, now), "pem": to_pem(made) if made is not None else None}


def issued(one: Issued, now: datetime) -> dict[str, Any]:
    """A certificate that was issued just now, with what its holder needs."""
    return {
        "certificate": certificate(one.record, now),
        "pem": to_pem(one.certificate),
        "chain": "".join(map(to_pem, one.chain)),
        "anchor": to_pem(one.anchor),
        "findings": [
            {name: str(getattr(found, name)) for name in ("code", "severity", "message", "fix", "reference")}
            for found in one.findings
        ],
        "replaced": certificate(one.replaced, now) if one.replaced is not None else None,
    }


def pending(record: PendingRecord) -> dict[str, Any]:
    """A request that waits, or waited."""
    return {
        "transaction": record.transaction,
        "state": record.state,
        "requester": record.requester,
        "profile": record.profile,
        "subject": record.subject,
        "names": [str(name) for name in record.names],
        "key": record.key,
        "needed": record.needed,
        "approved_by": list(record.approved_by),
        "rejected_by": record.rejected_by or None,
        "reason": record.reason or None,
        "serial": serial_text(record.serial) if record.serial is not None else None,
        "created_at": record.created_at.isoformat(),
        "expires_at": record.expires_at.isoformat(),
    }


def requester(record: RequesterRecord, credentials: list[CredentialRecord]) -> dict[str, Any]:
    """A requester, and by what it proves who it is; never a secret."""
    return {
        "name": record.name,
        "role": record.role.value,
        "profiles": sorted(record.profiles) if record.profiles is not None else None,
        "patterns": [str(one) for one in record.patterns] if record.patterns is not None else None,
        "created_at": record.created_at.isoformat(),
        "credentials": [{"kind": one.kind.value, "label": one.label} for one in credentials],
    }


def token(record: TokenRecord) -> dict[str, Any]:
    """A token that can be redeemed; never the token itself."""
    return {
        "id": record.id,
        "profile": record.profile,
        "names": list(record.words),
        "creator": record.creator,
        "created_at": record.created_at.isoformat(),
        "expires_at": record.expires_at.isoformat(),
    }


def event(one: AuditEvent) -> dict[str, Any]:
    """An audit event."""
    return {
        "id": one.id,
        "at": one.at.isoformat(),
        "actor": one.actor,
        "action": one.action,
        "issuer": one.issuer or None,
        "serial": serial_text(one.serial) if one.serial is not None else None,
        "detail": dict(one.detail),
        "hash": one.hash.hex(),
    }
