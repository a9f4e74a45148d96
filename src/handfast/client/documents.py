"""What the REST API shows of things, read back into the values that the authority itself has."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from handfast.ca.approving import PendingRecord
from handfast.ca.name_patterns import parse_pattern
from handfast.ca.order import Issued
from handfast.ca.policy import RequesterRole
from handfast.ca.records import AuditEvent, CertificateRecord, Reason, RecordStatus, Revocation, Role, State
from handfast.ca.requesters import CredentialKind, CredentialRecord, RequesterRecord
from handfast.ca.tokens import TokenRecord, names_of
from handfast.client.desk import KnownIssuer
from handfast.errors import HandfastError, Malformed
from handfast.findings import Finding, Severity
from handfast.pki import pem
from handfast.pki.names import parse_names
from handfast.pki.profile import Profile
from handfast.pki.profile_document import from_document

Document = Mapping[str, Any]
Value = TypeVar("Value")


def read(document: Document, parse: Callable[[Document], Value]) -> Value:
    """What `parse` makes of a document. Raises Malformed for one that is not as this version knows it."""
    try:
        return parse(document)
    except (KeyError, TypeError, ValueError, AttributeError, HandfastError) as error:
        told = error.message if isinstance(error, HandfastError) else f"{type(error).__name__}: {error}"
        hint = "check the address, and that the service runs a version of handfast like this one"
        raise Malformed(f"the service's answer is not understood: {told[:200]}", hint=hint) from None


def record(document: Document) -> CertificateRecord:
    """A certificate on record; with the certificate itself where the document has it."""
    made = document.get("pem")
    fingerprint, replaces = document["fingerprint"], document["replaces"]
    unfinished = document["state"] == State.UNFINISHED
    return CertificateRecord(
        serial=serial(document["serial"]),
        issuer=document["issuer"],
        profile=document["profile"],
        profile_digest="",
        subject=document["subject"],
        label=document["label"],
        names=parse_names(document["names"]),
        not_before=moment(document["not_before"]),
        not_after=moment(document["not_after"]),
        key_id=bytes.fromhex(document["key_id"]),
        requester=document["requester"],
        created_at=moment(document["created_at"]),
        replaces=serial(replaces) if replaces is not None else None,
        status=RecordStatus.BEGUN if unfinished else RecordStatus.ISSUED,
        certificate=pem.one_certificate(made.encode()).public_bytes(Encoding.DER) if made is not None else None,
        fingerprint=bytes.fromhex(fingerprint) if fingerprint is not None else None,
        revocation=_revocation(document) if document["revoked_at"] is not None else None,
    )


def _revocation(document: Document) -> Revocation:
    return Revocation(
        serial=serial(document["serial"]),
        issuer=document["issuer"],
        sequence=0,
        reason=Reason(document["reason"]),
        revoked_at=moment(document["revoked_at"]),
        not_after=moment(document["not_after"]),
        requester="",
    )


def issued(document: Document) -> Issued:
    """A certificate that was issued just now."""
    certificate = pem.one_certificate(document["pem"].encode())
    replaced = document["replaced"]
    return Issued(
        record=replace(record(document["certificate"]), certificate=certificate.public_bytes(Encoding.DER)),
        der=certificate.public_bytes(Encoding.DER),
        chain=_chain(document["chain"]),
        anchor=_anchor(document["anchor"]),
        findings=tuple(map(finding, document["findings"])),
        replaced=record(replaced) if replaced is not None else None,
    )


def finding(document: Document) -> Finding:
    """A finding of the checks."""
    return Finding(
        code=str(document["code"]),
        severity=Severity(document["severity"]),
        message=str(document["message"]),
        fix=str(document["fix"]),
        reference=str(document.get("reference", "")),
    )


def issuer(document: Document, default: str) -> KnownIssuer:
    """A CA; default: the name of the default one."""
    return KnownIssuer(
        name=document["name"],
        role=Role(document["role"]),
        certificate=pem.one_certificate(document["pem"].encode()),
        chain=_chain(document["chain"]),
        crosses=_chain(document["crosses"]),
        is_default=document["name"] == default,
    )


def profile(document: Document) -> Profile:
    """A kind of certificates."""
    return from_document(document)


def pending(document: Document) -> PendingRecord:
    """A request that waits, or waited; what makes it the same as another is not told."""
    number = document["serial"]
    return PendingRecord(
        transaction=document["transaction"],
        digest=b"",
        requester=document["requester"],
        sponsor="",
        profile=document["profile"],
        subject=document["subject"],
        names=parse_names(document["names"]),
        key=document["key"],
        needed=int(document["needed"]),
        created_at=moment(document["created_at"]),
        expires_at=moment(document["expires_at"]),
        approved_by=tuple(map(str, document["approved_by"])),
        rejected_by=document["rejected_by"] or "",
        reason=document["reason"] or "",
        serial=serial(number) if number is not None else None,
    )


def requester(document: Document) -> tuple[RequesterRecord, tuple[CredentialRecord, ...]]:
    """Somebody who may ask, and their credentials without what proves them."""
    created, profiles, patterns = moment(document["created_at"]), document["profiles"], document["patterns"]
    found = RequesterRecord(
        name=document["name"],
        role=RequesterRole(document["role"]),
        profiles=None if profiles is None else frozenset(map(str, profiles)),
        patterns=None if patterns is None else tuple(map(parse_pattern, patterns)),
        created_at=created,
    )
    credentials = [
        CredentialRecord(
            digest=b"", kind=CredentialKind(one["kind"]), requester=found.name, label=one["label"], created_at=created
        )
        for one in document["credentials"]
    ]
    return found, tuple(credentials)


def token(document: Document) -> TokenRecord:
    """A token that can be redeemed, known by the beginning of its digest."""
    words = tuple(map(str, document["names"]))
    return TokenRecord(
        digest=bytes.fromhex(document["id"]),
        profile=document["profile"],
        names=names_of(words),
        words=words,
        creator=document["creator"],
        created_at=moment(document["created_at"]),
        expires_at=moment(document["expires_at"]),
    )


def event(document: Document) -> AuditEvent:
    """An audit event."""
    number = document["serial"]
    return AuditEvent(
        at=moment(document["at"]),
        actor=document["actor"],
        action=document["action"],
        issuer=document["issuer"] or "",
        serial=serial(number) if number is not None else None,
        # As it stands: the hash covers it.
        detail=dict(document["detail"]),
        id=int(document["id"]),
        hash=bytes.fromhex(document["hash"]),
    )


def serial(text: str) -> int:
    """A serial number in hexadecimal, with or without colons."""
    return int(text.replace(":", ""), 16)


def moment(text: str) -> datetime:
    """A point in time, aware, in UTC."""
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return value.astimezone(UTC)


# The CAs are the same in every answer.
@lru_cache(maxsize=16)
def _anchor(text: str) -> x509.Certificate:
    return pem.one_certificate(text.encode())


@lru_cache(maxsize=16)
def _chain(text: str) -> tuple[x509.Certificate, ...]:
    return pem.certificates(text.encode()) if text.strip() else ()
