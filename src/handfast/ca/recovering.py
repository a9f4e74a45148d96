"""Bring a restored store up to date: what the journal and published CRLs tell of the time since the backup.

A revocation is only ever added here: whatever a source says, what is revoked in another source stays revoked.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from cryptography import x509

from handfast.ca.journal import Entry, Signed, Snapshot
from handfast.ca.ports import Store
from handfast.ca.records import (
    AuditEvent,
    CertificateRecord,
    CrlRecord,
    Finished,
    IssuerRecord,
    Reason,
    Revocation,
)
from handfast.errors import Conflict

_TOGETHER = 256
# When it is not known how many CRLs were made since: more than anybody makes before the next backup.
CRL_NUMBER_JUMP = 1_000_000


@dataclass(slots=True, kw_only=True)
class Recovery:
    """Fills a store. actor: for the audit log. The counts are of what the store did not know."""

    store: Store
    now: datetime
    actor: str
    begun: int = 0
    finished: int = 0
    revoked: int = 0
    issuers: int = 0
    numbers: dict[str, CrlRecord] = field(default_factory=dict)
    unknown: list[int] = field(default_factory=list)
    _profiles: dict[str, str] = field(default_factory=dict)
    _revocations: list[Revocation] = field(default_factory=list)

    def replay(self, entries: Iterable[Entry]) -> None:
        """Everything that a journal tells. What is known already is passed over. Raises Conflict for a stranger's."""
        early: list[bytes] = []
        for some in _pieces(entries):
            for one in some:
                self._remember(one)
            self._begin([one for one in some if isinstance(one, CertificateRecord)])
            early += self._finish([one.certificate for one in some if isinstance(one, Signed)])
        # Begun by one replica and finished by another: its beginning was told later.
        unknown = self._finish(early)
        self.unknown += [x509.load_der_x509_certificate(one).serial_number for one in unknown]
        for revocation in sorted(self._revocations, key=lambda one: one.sequence):
            self._revoke(revocation)
        self._revocations.clear()

    def hold(self, told: Iterable[Revocation]) -> list[int]:
        """Hold what damaged lines seem to revoke, until somebody looks into it. The serials of those that are held."""
        held = []
        for one in told:
            last = self.store.revocation(one.issuer, one.serial)
            if self._record(one.serial, one.issuer) is not None and (last is None or not last.is_in_force):
                self._append(replace(one, reason=Reason.CERTIFICATE_HOLD, revoked_at=self.now), last)
                held.append(one.serial)
        return held

    def assert_crl(self, issuer: IssuerRecord, crl: x509.CertificateRevocationList) -> None:
        """What a published CRL says, whose signature was verified: its number is taken, and its entries are revoked."""
        end = x509.load_der_x509_certificate(issuer.certificate).not_valid_after_utc
        for entry in crl:
            self._assert_entry(issuer.name, entry, end)
        number = crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        this_update = crl.last_update_utc
        next_update = crl.next_update_utc or this_update
        self._number(
            CrlRecord(
                issuer=issuer.name,
                number=number,
                this_update=this_update,
                next_update=next_update,
                covers=0,
                full_at=this_update,
            )
        )

    def take_numbers(self, *, jump: bool) -> dict[str, int]:
        """Put the highest CRL number of each CA on record, so that none is used again; what it is then.

        jump: leave room for those that nobody can tell of.
        """
        taken = {}
        for name in (one.name for one in self.store.issuers()):
            last, told = self.store.last_crl(name), self.numbers.get(name)
            highest = max((one for one in (last, told) if one is not None), key=lambda one: one.number, default=None)
            if highest is None:
                continue
            number = highest.number + (CRL_NUMBER_JUMP if jump else 0)
            if last is None or number > last.number:
                # A second on: which of the lists the last one was, nobody says.
                this_update = highest.this_update + timedelta(seconds=1)
                record = replace(highest, number=number, this_update=this_update, covers=0, full_at=this_update)
                self.store.begin_crl(record, self._event("crl.number-taken", issuer=name, number=str(number)))
            taken[name] = number
        return taken

    def _remember(self, entry: Entry) -> None:
        if isinstance(entry, Snapshot):
            self._profiles[entry.digest] = entry.text
        elif isinstance(entry, Revocation):
            self._revocations.append(entry)
        elif isinstance(entry, CrlRecord):
            self._number(entry)
        elif isinstance(entry, IssuerRecord):
            self._add(entry)

    def _add(self, issuer: IssuerRecord) -> None:
        known = {one.name: one.certificate for one in self.store.issuers()}.get(issuer.name)
        if known is None:
            self.store.add_issuer(issuer, self._event("issuer.recovered", issuer=issuer.name, role=issuer.role.value))
            self.issuers += 1
        elif known != issuer.certificate:
            msg = f"the journal is of another authority: its CA {issuer.name} is not the one of the backup"
            raise Conflict(msg, hint="give the journal of the authority that was backed up, and no other")

    def _number(self, record: CrlRecord) -> None:
        known = self.numbers.get(record.issuer)
        if known is None or record.number > known.number:
            self.numbers[record.issuer] = record

    def _begin(self, records: Sequence[CertificateRecord]) -> None:
        new = {(one.serial, one.issuer): one for one in records if self._record(one.serial, one.issuer) is None}
        if not new:
            return
        listed = list(new.values())
        snapshots = {one.profile_digest: self._profiles.get(one.profile_digest, "") for one in listed}
        known = [(digest, text) for digest, text in snapshots.items() if text]
        try:
            self.store.begin(listed, snapshots=known)
            self.begun += len(listed)
        except Conflict:
            self.begun += sum(self._begin_without_row(one) for one in listed)

    def _begin_without_row(self, record: CertificateRecord) -> bool:
        """A row of a bulk issue that has another certificate meanwhile: the certificate counts, not the row."""
        try:
            self.store.begin([record])
        except Conflict:
            self.store.begin([replace(record, batch_row=None)])
        return True

    def _finish(self, certificates: Sequence[bytes]) -> list[bytes]:
        """Those of which no beginning is known."""
        unknown = []
        finished: dict[int, Finished] = {}
        events = []
        for der in certificates:
            certificate = x509.load_der_x509_certificate(der)
            records = self.store.by_serial(certificate.serial_number)
            record = _unfinished(records, certificate)
            if not records:
                unknown.append(der)
            if record is None or record.id in finished:
                continue
            # SHA-1 only names the certificate for tools that still show it so; nothing relies on it.
            sha1 = hashlib.sha1(der, usedforsecurity=False).digest()
            finished[record.id] = Finished(record.id, der, hashlib.sha256(der).digest(), sha1)
            event = self._event("certificate.recovered", issuer=record.issuer, label=record.label)
            events.append(replace(event, serial=record.serial))
        if finished:
            self.store.finish(list(finished.values()), events)
            self.finished += len(finished)
        return unknown

    def _revoke(self, told: Revocation) -> None:
        last = self.store.revocation(told.issuer, told.serial)
        if last is not None and (_is_final(last) or last.sequence >= told.sequence):
            return
        if not told.is_in_force and (last is None or not last.is_in_force):
            return
        self._append(told, last)

    def _assert_entry(self, issuer: str, entry: x509.RevokedCertificate, end: datetime) -> None:
        reason = _reason_of(entry)
        last = self.store.revocation(issuer, entry.serial_number)
        if last is not None and last.is_in_force and (_is_final(last) or reason is Reason.CERTIFICATE_HOLD):
            return
        record = self._record(entry.serial_number, issuer)
        told = Revocation(
            serial=entry.serial_number,
            issuer=issuer,
            sequence=0,
            reason=reason,
            revoked_at=entry.revocation_date_utc,
            not_after=end if record is None else record.not_after,
            requester=self.actor,
        )
        self._append(told, last)

    def _append(self, told: Revocation, last: Revocation | None) -> None:
        event = self._event("revocation.recovered", issuer=told.issuer, reason=told.reason.value)
        sequence = 0 if last is None else last.sequence + 1
        self.store.append_revocation(replace(told, sequence=sequence, id=0), replace(event, serial=told.serial))
        self.revoked += 1

    def _record(self, serial: int, issuer: str) -> CertificateRecord | None:
        return next((one for one in self.store.by_serial(serial) if one.issuer == issuer), None)

    def _event(self, action: str, *, issuer: str = "", **detail: str) -> AuditEvent:
        return AuditEvent(at=self.now, actor=self.actor, action=action, issuer=issuer, detail=detail)


def _unfinished(records: Sequence[CertificateRecord], certificate: x509.Certificate) -> CertificateRecord | None:
    begun = (one for one in records if one.certificate is None)
    return next((one for one in begun if one.not_after == certificate.not_valid_after_utc), None)


def _is_final(revocation: Revocation) -> bool:
    return revocation.is_in_force and revocation.reason is not Reason.CERTIFICATE_HOLD


def _reason_of(entry: x509.RevokedCertificate) -> Reason:
    """Without a reason, and with one that only deltas have, it is revoked for ever: the safe side."""
    try:
        flag = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except x509.ExtensionNotFound:
        return Reason.UNSPECIFIED
    return Reason.UNSPECIFIED if flag is x509.ReasonFlags.remove_from_crl else Reason(flag.value)


def _pieces(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    piece: list[Entry] = []
    for entry in entries:
        piece.append(entry)
        if len(piece) == _TOGETHER:
            yield piece
            piece = []
    yield piece
