"""Renewing: who may replace or end which certificate, and what stays with its holder (RFC 7030 section 4.2.2)."""

from datetime import datetime

from handfast.ca.order import Issued, Order
from handfast.ca.policy import Grant, Requester, RequesterRole
from handfast.ca.ports import Store
from handfast.ca.records import AuditEvent, CertificateRecord, State
from handfast.ca.requesters import CredentialKind, CredentialRecord, RequesterRecord
from handfast.errors import Conflict, Denied, NotFound
from handfast.pki.serial import serial_text
from handfast.pki.subject import format_subject


def renews_itself(order: Order) -> bool:
    """True when the holder of a certificate asks for the same again: same profile, subject and names, by that one."""
    own = order.requester.certificate
    return (
        own is not None
        and order.replaces == own.serial
        and order.profile == own.profile
        and set(order.names) == set(own.names)
        and format_subject(order.subject) == own.subject
        and order.issuer in {None, own.issuer}
    )


def replaced_by(order: Order, store: Store) -> CertificateRecord:
    """The certificate that an order renews. Raises NotFound."""
    own = order.requester.certificate
    found = store.by_serial(order.replaces) if order.replaces is not None else ()
    for record in found:
        if own is None or own.serial != order.replaces or own.id == record.id:
            return record
    msg = f"there is no certificate {serial_text(order.replaces or 0)} to renew"
    raise NotFound(msg, hint="`handfast list` has those that are known")


def require_replaceable(order: Order, store: Store, *, now: datetime) -> None:
    """Raise Conflict for what was revoked, Denied for what this requester may not renew, NotFound."""
    record = replaced_by(order, store)
    state = record.state(now)
    if state in {State.REVOKED, State.HELD}:
        msg = f"the certificate {serial_text(record.serial)} of {record.label} is {state}"
        raise Conflict(msg, hint="what was revoked is not renewed; issue a new certificate with a new key")
    require_may_touch(order.requester, record, store)


def require_may_touch(requester: Requester, record: CertificateRecord, store: Store) -> None:
    """Raise Denied for whoever may neither renew nor revoke this certificate.

    Its holder may, and whose it is. Everybody else needs the grant to revoke; and by what an administrator, an
    officer, an approver or an auditor proves who they are, only an administrator may touch.
    """
    if requester.is_local or Grant.MANAGE in requester.grants or _holds(requester, record):
        return
    owner = owner_of(record, store)
    name = f"the certificate {serial_text(record.serial)} of {record.label}"
    if owner is not None and owner.role is not RequesterRole.REQUESTER and owner.name != requester.name:
        msg = f"{name} is how {owner.name} proves to be the authority's {owner.role}"
        raise Denied(msg, hint="only an administrator, or its holder, may renew or revoke it")
    if Grant.REVOKE not in requester.grants and not _owns(requester, record):
        raise Denied(f"{name} is not {requester.name}'s", hint="ask a registration officer")


def owner_of(record: CertificateRecord, store: Store) -> RequesterRecord | None:
    """Whose credential this certificate is."""
    presented = None if record.fingerprint is None else store.requesters.by_certificate(record.fingerprint)
    return None if presented is None else presented.requester


def carry_over(order: Order, replaced: CertificateRecord, issued: Issued, store: Store) -> None:
    """What was a credential stays one when its holder renews it. Renewed by anybody else, it is a certificate only."""
    requester, fingerprint = order.requester, issued.record.fingerprint
    owner = owner_of(replaced, store)
    if owner is None or fingerprint is None or not (requester.is_local or owner.name == requester.name):
        return
    if owner_of(issued.record, store) is not None:
        return  # what was renewed already, and is only answered again
    at, label = issued.record.created_at, serial_text(issued.record.serial)
    credential = CredentialRecord(
        digest=fingerprint, kind=CredentialKind.CERTIFICATE, requester=owner.name, label=label, created_at=at
    )
    detail = {"requester": owner.name, "kind": credential.kind.value, "label": label}
    event = AuditEvent(at=at, actor=requester.name, action="credential.renewed", detail=detail)
    store.requesters.add_credential(credential, event)


def _holds(requester: Requester, record: CertificateRecord) -> bool:
    return requester.certificate is not None and requester.certificate.id == record.id


def _owns(requester: Requester, record: CertificateRecord) -> bool:
    return Grant.ISSUE in requester.grants and requester.bond is None and record.requester == requester.name
