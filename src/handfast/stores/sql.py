"""The store in SQL that SQLite and PostgreSQL share, over a database that brings connections and transactions."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from handfast.ca.claims import Claim
from handfast.ca.journal import Journal, NoJournal
from handfast.ca.published import Which
from handfast.ca.records import (
    AuditEvent,
    CertificateRecord,
    CrlRecord,
    Finished,
    IssuerRecord,
    Listing,
    Page,
    Revocation,
)
from handfast.stores import rows, searching, words
from handfast.stores.answers import SqlAnswers
from handfast.stores.approvals import SqlApprovals
from handfast.stores.archive import Archive
from handfast.stores.auditing import allocate, append_events
from handfast.stores.claims import settle
from handfast.stores.database import Database, Transaction
from handfast.stores.heads import SqlHeads
from handfast.stores.leases import SqlLeases
from handfast.stores.list_memory import ListMemory
from handfast.stores.listing import RECORDS
from handfast.stores.notices import SqlNotices
from handfast.stores.published import SqlPublications, note_revocation
from handfast.stores.quotas import SqlQuotas
from handfast.stores.requesters import SqlRequesters
from handfast.stores.rows import serial_bytes
from handfast.stores.statuses import SqlStatuses
from handfast.stores.tokens import SqlTokens

_REVOCATIONS = f"SELECT {rows.REVOCATION_COLUMNS} FROM revocation"  # noqa: S608  # a constant


@dataclass(frozen=True, slots=True)
class SqlStore:
    """A Store (handfast.ca.ports) over any Database.

    The journal hears of what has been committed: so whatever stands in it before a backup is in that backup.
    """

    database: Database
    journal: Journal = field(default_factory=NoJournal)
    lists: ListMemory = field(default_factory=ListMemory)

    def with_journal(self, journal: Journal) -> "SqlStore":
        return replace(self, journal=journal)

    @property
    def requesters(self) -> SqlRequesters:
        return SqlRequesters(self.database)

    @property
    def tokens(self) -> SqlTokens:
        return SqlTokens(self.database)

    @property
    def approvals(self) -> SqlApprovals:
        return SqlApprovals(self.database)

    @property
    def answers(self) -> SqlAnswers:
        return SqlAnswers(self.database)

    @property
    def quotas(self) -> SqlQuotas:
        return SqlQuotas(self.database)

    def begin(
        self,
        records: Sequence[CertificateRecord],
        *,
        snapshots: Iterable[tuple[str, str]] = (),
        claims: Sequence[Claim] = (),
    ) -> list[int]:
        known = list(snapshots)
        word_lists = [words.words_of(record) for record in records]

        def job(transaction: Transaction) -> list[int]:
            settle(transaction, claims)
            last = allocate(transaction, "certificate", len(records))
            identifiers = list(range(last - len(records) + 1, last + 1))
            pairs = list(zip(records, identifiers, strict=True))
            transaction.many("INSERT INTO profile VALUES (?, ?) ON CONFLICT DO NOTHING", known)
            transaction.many(_INSERT_CERTIFICATE, [rows.record_row(record, number) for record, number in pairs])
            shards = [(number, record.shard) for record, number in pairs if record.shard]
            transaction.many("INSERT INTO certificate_shard VALUES (?, ?)", shards)
            names = [row for record, number in pairs for row in rows.name_rows(record, number)]
            transaction.many("INSERT INTO certificate_name VALUES (?, ?)", names)
            listed = zip(word_lists, identifiers, strict=True)
            transaction.many(words.INSERT, [(word, number) for some, number in listed for word in some])
            transaction.many("INSERT INTO unfinished VALUES (?)", [(number,) for number in identifiers])
            return identifiers

        identifiers = self.database.write(job, conflict="the serial or the row of the batch is on record already")
        self.journal.begun(records, known)
        return identifiers

    def finish(self, finished: Sequence[Finished], events: Sequence[AuditEvent] = ()) -> None:
        def job(transaction: Transaction) -> None:
            values = [(one.id, one.certificate, one.fingerprint, one.sha1_fingerprint) for one in finished]
            transaction.many("INSERT INTO issued VALUES (?, ?, ?, ?)", values)
            transaction.many("DELETE FROM unfinished WHERE certificate = ?", [(one.id,) for one in finished])
            append_events(transaction, events)

        self.database.write(job, conflict="the certificate was finished already")
        self.journal.finished(finished)

    def by_serial(self, serial: int) -> tuple[CertificateRecord, ...]:
        found = self._records("WHERE c.serial = ?", [serial_bytes(serial)])
        return (*found, *self._with_revocations(self.archive.by_serial(serial)))

    def by_fingerprint(self, prefix: bytes) -> tuple[CertificateRecord, ...]:
        above = _above(prefix)
        found = self._with_revocations(self.archive.by_fingerprint(prefix, above))
        for column in ("sha256", "sha1"):
            condition, values = f"i.{column} >= ?", [prefix]
            if above is not None:
                condition, values = f"{condition} AND i.{column} < ?", [prefix, above]
            found += self._records(f"WHERE {condition} LIMIT 10", values)
        return tuple({record.id: record for record in found}.values())

    def by_name(self, name: str) -> tuple[CertificateRecord, ...]:
        rest = "JOIN certificate_name n ON n.certificate = c.id WHERE n.name = ? ORDER BY n.certificate DESC LIMIT 100"
        return self._records(rest, [name.lower()])

    def by_batch(self, batch: str, rows: Sequence[str]) -> tuple[CertificateRecord, ...]:
        found: list[CertificateRecord] = []
        for start in range(0, len(rows), 500):
            some = rows[start : start + 500]
            marks = ", ".join("?" for _ in some)
            found += self._records(f"WHERE c.batch = ? AND c.batch_row IN ({marks})", [batch, *some])
            found += self._with_revocations(self.archive.by_batch(batch, some))
        return tuple(found)

    def search(self, listing: Listing) -> Page:
        return searching.search(self.database, listing)

    def revocation(self, issuer: str, serial: int) -> Revocation | None:
        sql = f"{_REVOCATIONS} WHERE serial = ? AND issuer = ? ORDER BY sequence DESC LIMIT 1"
        found = self.database.read(sql, [serial_bytes(serial), issuer])
        return rows.revocation_of(found[0]) if found else self.archive.revocation(issuer, serial)

    def append_revocation(self, revocation: Revocation, event: AuditEvent) -> None:
        def job(transaction: Transaction) -> None:
            identifier = allocate(transaction, "revocation", 1)
            values = (
                identifier,
                serial_bytes(revocation.serial),
                revocation.issuer,
                revocation.sequence,
                revocation.reason.value,
                rows.seconds(revocation.revoked_at),
                rows.seconds(revocation.not_after),
                revocation.requester,
            )
            transaction.many("INSERT INTO revocation VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [values])
            note_revocation(transaction, identifier, values[1], revocation.issuer)
            append_events(transaction, [event])

        self.database.write(job, conflict="somebody else revoked, held or released this certificate just now")
        self.journal.revoked(revocation)

    def tell_again(self, known: Revocation | CertificateRecord) -> None:
        if isinstance(known, Revocation):
            self.journal.revoked(known)
        elif known.certificate is not None:
            self.journal.begun([known])
            # Of a finished one, the journal keeps the certificate only.
            self.journal.finished([Finished(known.id, known.certificate, known.fingerprint or b"", b"")])

    def changes(self, issuer: str, *, after: int, until: int) -> Iterator[Revocation]:
        return self.publications.changes(Which(issuer), after=after, until=until)

    def last_crl(self, issuer: str) -> CrlRecord | None:
        found = self.database.read("SELECT * FROM crl WHERE issuer = ? ORDER BY number DESC LIMIT 1", [issuer])
        return rows.crl_of(found[0]) if found else None

    def begin_crl(self, record: CrlRecord, event: AuditEvent) -> None:
        def job(transaction: Transaction) -> None:
            transaction.many("INSERT INTO crl VALUES (?, ?, ?, ?, ?, ?)", [rows.crl_row(record)])
            append_events(transaction, [event])

        self.database.write(job, conflict=f"the CRL {record.number} of {record.issuer} is being made by somebody else")
        self.journal.listed(record)

    def change_mark(self) -> int:
        return self.database.change_mark()

    @property
    def is_local(self) -> bool:
        return self.database.is_local

    @property
    def statuses(self) -> SqlStatuses:
        return SqlStatuses(self.database)

    def last_revocation_id(self) -> int:
        return int(self.database.read("SELECT value FROM counter WHERE name = 'revocation'")[0][0])

    def issuers(self) -> tuple[IssuerRecord, ...]:
        sql = "SELECT name, role, certificate, chain, created_at, is_encrypted FROM issuer ORDER BY position"
        return tuple(map(rows.issuer_of, self.database.read(sql)))

    def add_issuer(self, record: IssuerRecord, event: AuditEvent) -> None:
        def job(transaction: Transaction) -> None:
            position = transaction.rows("SELECT COALESCE(MAX(position), 0) + 1 FROM issuer")[0][0]
            transaction.many("INSERT INTO issuer VALUES (?, ?, ?, ?, ?, ?, ?)", [(position, *rows.issuer_row(record))])
            append_events(transaction, [event])

        self.database.write(job, conflict=f"there is an issuer {record.name!r} already")
        self.journal.added(record)

    def append(self, *events: AuditEvent) -> None:
        self.database.write(lambda transaction: append_events(transaction, events))

    def events(self, *, after: int = 0, limit: int = 100) -> tuple[AuditEvent, ...]:
        return tuple(
            map(
                rows.event_of,
                self.database.read("SELECT * FROM audit WHERE id > ? ORDER BY id LIMIT ?", [after, limit]),
            )
        )

    def certificate_count(self) -> int:
        return int(self.database.read("SELECT value FROM counter WHERE name = 'certificate'")[0][0])

    def last_event_id(self) -> int:
        return int(self.database.read("SELECT value FROM counter WHERE name = 'audit'")[0][0])

    def note(self, key: str) -> str | None:
        found = self.database.read("SELECT value FROM note WHERE name = ?", [key])
        return found[0][0] if found else None

    def set_note(self, key: str, value: str, event: AuditEvent) -> None:
        def job(transaction: Transaction) -> None:
            sql = "INSERT INTO note VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = EXCLUDED.value"
            transaction.many(sql, [(key, value)])
            append_events(transaction, [event])

        self.database.write(job)

    @property
    def leases(self) -> SqlLeases:
        """Which replica does what."""
        return SqlLeases(self.database)

    @property
    def notices(self) -> SqlNotices:
        """What people are to be told."""
        return SqlNotices(self.database)

    @property
    def archive(self) -> Archive:
        """What ended long ago."""
        return Archive(self.database)

    @property
    def heads(self) -> SqlHeads:
        return SqlHeads(self.database)

    @property
    def publications(self) -> SqlPublications:
        """The published CRLs."""
        return SqlPublications(self.database, self.lists)

    def retire(self, *, ended_before: datetime, now: datetime, limit: int = 200) -> int:
        moved = self.archive.retire_certificates(ended_before=ended_before, limit=limit)
        return moved + self.archive.retire_revocations(ended_before=ended_before, now=now, limit=limit)

    def copy_to(self, location: str) -> None:
        self.database.copy_to(location)

    def close(self) -> None:
        self.database.close()
        self.journal.close()

    def _with_revocations(self, records: Sequence[CertificateRecord]) -> list[CertificateRecord]:
        return [replace(one, revocation=self.revocation(one.issuer, one.serial)) for one in records]

    def _records(self, rest: str, values: Sequence[object]) -> tuple[CertificateRecord, ...]:
        return tuple(map(rows.record_of, self.database.read(f"{RECORDS} {rest}", values)))


_INSERT_CERTIFICATE = f"INSERT INTO certificate VALUES ({', '.join('?' * 16)})"  # noqa: S608  # a constant


def _above(prefix: bytes) -> bytes | None:
    """The first bytes that sort after everything with this prefix; None when there are none."""
    number = int.from_bytes(prefix, "big") + 1
    return number.to_bytes(len(prefix), "big") if number < 1 << 8 * len(prefix) else None
