"""The audit log against the store: what was revoked for ever, as the log tells, is revoked there too."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from handfast.ca.ports import Store
from handfast.ca.records import REVOCATION_REASONS, AuditEvent, Reason
from handfast.findings import Finding, Severity
from handfast.pki.serial import serial_text

CODES = {
    "revocation-lost": "the audit log tells of a revocation that is not in the store any more",
}


@dataclass(slots=True)
class Audited:
    """lost: the events of revocations that the store does not know."""

    store: Store
    lost: list[AuditEvent] = field(default_factory=list)

    def through(self, events: Iterable[AuditEvent]) -> Iterator[AuditEvent]:
        """The same events, each looked at on its way; a point read for each revocation."""
        for event in events:
            if _is_final(event) and not self._is_known(event):
                self.lost.append(event)
            yield event

    def findings(self) -> tuple[Finding, ...]:
        """One for each revocation that was lost."""
        return tuple(map(_lost, self.lost))

    def _is_known(self, event: AuditEvent) -> bool:
        last = None if event.serial is None else self.store.revocation(event.issuer, event.serial)
        return last is not None and last.is_in_force and last.reason is not Reason.CERTIFICATE_HOLD


def _is_final(event: AuditEvent) -> bool:
    """Whether it tells of a revocation for ever, by somebody or by a restore."""
    if event.action == "revocation.recovered":
        return event.detail.get("reason") in {reason.value for reason in REVOCATION_REASONS}
    return event.action == "certificate.revoked"


def _lost(event: AuditEvent) -> Finding:
    serial = "" if event.serial is None else serial_text(event.serial)
    message = (
        f"{event.actor} revoked {serial} of {event.issuer}, as event {event.id} tells, and it is not revoked any more"
    )
    fix = f"revoke it again: handfast revoke {serial}; and find out who wrote to the database"
    return Finding("revocation-lost", Severity.ERROR, message, fix, "RFC 5280 section 3.3")
