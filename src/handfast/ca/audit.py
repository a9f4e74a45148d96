"""The audit chain: each event's hash covers the one before, so that nothing can be changed or left out unseen."""

import hashlib
import json
from collections.abc import Iterable

from handfast.ca.records import AuditEvent
from handfast.findings import Finding, Severity

CODES = {
    "audit-chain-broken": "an audit event was changed, taken out or put in between",
}


_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode


def event_hash(previous: bytes, event: AuditEvent, number: int | None = None) -> bytes:
    """SHA-256 over the hash before and the event in canonical JSON. Does not cover event.hash itself.

    number: the event's id, where it has none yet.
    """
    content = [
        event.id if number is None else number,
        event.at.isoformat(),
        event.actor,
        event.action,
        event.issuer,
        None if event.serial is None else f"{event.serial:x}",
        dict(event.detail),
    ]
    return hashlib.sha256(previous + _canonical(content).encode()).digest()


def verify_chain(events: Iterable[AuditEvent]) -> tuple[Finding, ...]:
    """What is wrong with all events from the first on, in order; empty for an unbroken chain.

    Does not notice events cut off at the end: for that, keep the last hash somewhere else.
    """
    previous, expected = b"", 1
    for event in events:
        if event.id != expected:
            return (broken(f"the audit events from {expected} to {event.id - 1} are missing"),)
        if event_hash(previous, event) != event.hash:
            return (broken(f"the audit event {event.id}, or its place in the chain, was changed"),)
        previous, expected = event.hash, expected + 1
    return ()


def broken(message: str) -> Finding:
    """The finding that the chain is not what it was."""
    fix = "find out who wrote to the database, and compare it with a backup"
    return Finding("audit-chain-broken", Severity.ERROR, message, fix, "NIST SP 800-92 section 5.3")
