"""Issue: decide, check, record, sign, record the result — in this order, and nowhere else (law 4)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.x509.oid import NameOID

from handfast.ca.claims import Claim
from handfast.ca.issuer import Issuer
from handfast.ca.order import Issued, Order
from handfast.ca.ports import Store
from handfast.ca.records import AuditEvent, CertificateRecord, Finished, RecordStatus
from handfast.checks.certificate import require_sound
from handfast.errors import Conflict
from handfast.findings import Finding
from handfast.pki.draft import Draft, Holder, draft_certificate, sign_to_der
from handfast.pki.profile import Profile
from handfast.pki.serial import serial_text
from handfast.pki.subject import format_subject

_snapshot = lru_cache(maxsize=256)(Profile.snapshot)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A draft that may be signed: authorized and checked. claims: what it uses up in the transaction that begins it."""

    order: Order
    issuer: Issuer
    profile: Profile
    draft: Draft
    findings: tuple[Finding, ...]
    now: datetime
    claims: tuple[Claim, ...] = ()


def decide(order: Order, profile: Profile, issuer: Issuer, *, serial: int, now: datetime) -> Decision:
    """Draft and check what has been authorized. Raises Unacceptable with every finding."""
    holder = Holder(order.subject, order.names, order.public_key, order.identity)
    draft = draft_certificate(profile, holder, issuer=issuer.identity, serial=serial, now=now, lifetime=order.lifetime)
    findings = require_sound(draft)
    return Decision(order=order, issuer=issuer, profile=profile, draft=draft, findings=findings, now=now)


def carry_out(decisions: Sequence[Decision], store: Store) -> list[Issued]:
    """Record, sign, record the result: of all of them or, when the store refuses, of none.

    The keys are unlocked first: a wrong passphrase leaves nothing begun.
    """
    keys = {decision.issuer.name: decision.issuer.unlock() for decision in decisions}
    records = [record_of(decision) for decision in decisions]
    profiles = {decision.profile.digest: decision.profile for decision in decisions}
    snapshots = [(digest, _snapshot(one)) for digest, one in profiles.items()]
    claims = [claim for decision in decisions for claim in decision.claims]
    identifiers = store.begin(records, snapshots=snapshots, claims=claims)
    signed = [sign_to_der(decision.draft, keys[decision.issuer.name]) for decision in decisions]
    return finish(decisions, records, signed, store, identifiers=identifiers)


def finish(
    decisions: Sequence[Decision],
    records: Sequence[CertificateRecord],
    signed: Sequence[bytes],
    store: Store,
    *,
    identifiers: Sequence[int],
) -> list[Issued]:
    """Record certificates, in DER, that were signed for records that were begun. identifiers: the store's for them."""
    finished = [_finished(identifier, one) for identifier, one in zip(identifiers, signed, strict=True)]
    events = [_event(decision, record.label) for decision, record in zip(decisions, records, strict=True)]
    store.finish(finished, events)
    return [
        Issued(
            record=replace(
                record,
                id=done.id,
                status=RecordStatus.ISSUED,
                certificate=done.certificate,
                fingerprint=done.fingerprint,
            ),
            der=done.certificate,
            chain=decision.issuer.presented_chain,
            anchor=decision.issuer.anchor,
            findings=decision.findings,
        )
        for decision, record, done in zip(decisions, records, finished, strict=True)
    ]


def again(record: CertificateRecord, issuer: Issuer, store: Store) -> Issued | None:
    """The answer that was given, or would have been, when this was issued; None while it is unfinished.

    Raises Unavailable while the journal cannot tell of it: nobody knows whether it was told the first time.
    """
    if record.certificate is None:
        return None
    store.tell_again(record)
    return Issued(record=record, der=record.certificate, chain=issuer.presented_chain, anchor=issuer.anchor)


def resume(decision: Decision, record: CertificateRecord, store: Store) -> Issued:
    """Finish what an interruption left: the same certificate under the same serial, for the same key.

    Raises Conflict when what would be signed now is not what was put on record then.
    """
    if replace(record_of(decision), id=record.id, revocation=record.revocation) != record:
        msg = f"{record.label} was begun as {serial_text(record.serial)} and would become another certificate now"
        raise Conflict(msg, hint=f"revoke {serial_text(record.serial)}, and issue it anew under another name or batch")
    signed = sign_to_der(decision.draft, decision.issuer.unlock())
    return finish([decision], [record], [signed], store, identifiers=[record.id])[0]


def record_of(decision: Decision) -> CertificateRecord:
    """What the store remembers before the key is used."""
    order, draft = decision.order, decision.draft
    return CertificateRecord(
        serial=draft.serial,
        issuer=decision.issuer.name,
        profile=decision.profile.name,
        profile_digest=decision.profile.digest,
        subject=format_subject(draft.subject),
        label=label_of(order),
        names=order.names,
        not_before=draft.not_before,
        not_after=draft.not_after,
        key_id=_key_id(draft),
        requester=order.requester.owner,
        created_at=decision.now,
        replaces=order.replaces,
        batch_row=order.batch_row,
        shard=draft.shard,
    )


def label_of(order: Order) -> str:
    """What people call the certificate: its common name, or else its first name, or else its subject."""
    common = order.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if common:
        return str(common[0].value)
    return order.names[0].value if order.names else format_subject(order.subject)


def _key_id(draft: Draft) -> bytes:
    extension = draft.find(x509.SubjectKeyIdentifier)
    return extension.value.digest if extension is not None else b""


def _finished(identifier: int, der: bytes) -> Finished:
    # SHA-1 only names the certificate for tools that still show it so; nothing relies on it.
    sha1 = hashlib.sha1(der, usedforsecurity=False).digest()
    return Finished(identifier, der, hashlib.sha256(der).digest(), sha1)


def _event(decision: Decision, label: str) -> AuditEvent:
    detail = {"profile": decision.profile.name, "label": label}
    if decision.order.replaces is not None:
        detail["replaces"] = serial_text(decision.order.replaces)
    return AuditEvent(
        at=decision.now,
        actor=decision.order.requester.name,
        action="certificate.issued",
        issuer=decision.issuer.name,
        serial=decision.draft.serial,
        detail=detail,
    )
