"""The archive: what ended long ago leaves the tables that lists, searches and CRLs read, and is still found."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from handfast.ca.publishing import MARGIN
from handfast.ca.records import CertificateRecord, RecordStatus, Revocation
from handfast.stores import rows, words
from handfast.stores.database import Database, Transaction
from handfast.stores.frames import certificate_content, read_certificate
from handfast.stores.rows import Row, seconds

_COLUMNS = "a.id, a.record, a.der, a.sha256"
_INSERT = "INSERT INTO archive VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_DER, _SHA256 = 16, 17
# Of each issuer: what ended before is on none of its lists that live; without any, what its last list was made after.
# A list that ended a while ago is not made anew from its entries (Publisher).
_ON_NO_LIST = (
    "SELECT n.issuer, COALESCE("
    "(SELECT MIN(p.alive_at) FROM published p WHERE p.issuer = n.issuer AND p.next_update >= ?), "
    "(SELECT c.this_update FROM crl c WHERE c.issuer = n.issuer ORDER BY c.number DESC LIMIT 1)) "
    "FROM newest_revocation n WHERE n.shard = 0"
)


@dataclass(frozen=True, slots=True)
class Archive:
    """What it finds comes without the revocation: that has a table of its own."""

    database: Database

    def by_serial(self, serial: int) -> tuple[CertificateRecord, ...]:
        """The archived records with this serial."""
        return self._records("a.serial = ?", [rows.serial_bytes(serial)])

    def by_fingerprint(self, prefix: bytes, above: bytes | None) -> tuple[CertificateRecord, ...]:
        """At most ten archived records whose SHA-256 fingerprint begins so. above: what comes after all of them."""
        if above is None:
            return self._records("a.sha256 >= ?", [prefix])
        return self._records("a.sha256 >= ? AND a.sha256 < ?", [prefix, above])

    def by_batch(self, batch: str, some: Sequence[str]) -> tuple[CertificateRecord, ...]:
        """The archived records that were made for these rows of a bulk issue."""
        marks = ", ".join("?" for _ in some)
        return self._records(f"a.batch = ? AND a.batch_row IN ({marks})", [batch, *some], limit=len(some))

    def revocation(self, issuer: str, serial: int) -> Revocation | None:
        """The last archived revocation of a certificate."""
        sql = (
            f"SELECT {rows.REVOCATION_COLUMNS} FROM archived_revocation "  # noqa: S608  # a constant
            "WHERE serial = ? AND issuer = ? ORDER BY sequence DESC LIMIT 1"
        )
        found = self.database.read(sql, [rows.serial_bytes(serial), issuer])
        return rows.revocation_of(found[0]) if found else None

    def retire_certificates(self, *, ended_before: datetime, limit: int) -> int:
        """Move certificates that ended before, at most so many, in one transaction; how many it moved.

        Not those that were begun and never finished: they are few, and somebody may ask why.
        """
        # No revocation has the id 0: without any, and without a look at them all.
        sql = (
            f"SELECT {rows.RECORD_COLUMNS} FROM certificate c JOIN issued i ON i.certificate = c.id "  # noqa: S608  # a constant
            "LEFT JOIN revocation r ON r.id = 0 WHERE c.not_after < ? ORDER BY c.not_after LIMIT ?"
        )

        def job(transaction: Transaction) -> int:
            found = transaction.rows(sql, [seconds(ended_before), limit])
            records = [rows.record_of(row) for row in found]
            transaction.many(_INSERT, [_archive_row(record, row) for record, row in zip(records, found, strict=True)])
            names = [one for record in records for one in rows.name_rows(record, record.id)]
            transaction.many("DELETE FROM certificate_name WHERE name = ? AND certificate = ?", names)
            transaction.many(words.DELETE, [one for record in records for one in words.word_rows(record, record.id)])
            numbers = [(record.id,) for record in records]
            transaction.many("DELETE FROM issued WHERE certificate = ?", numbers)
            transaction.many("DELETE FROM certificate_shard WHERE certificate = ?", numbers)
            transaction.many("DELETE FROM certificate WHERE id = ?", numbers)
            return len(records)

        return self.database.write(job, conflict="something that is still needed was about to leave")

    def retire_revocations(self, *, ended_before: datetime, now: datetime, limit: int) -> int:
        """Move revocations whose certificates ended before, a margin ago, and that are on no list any more."""
        latest = seconds(min(ended_before, now - MARGIN))
        found = self.database.read(_ON_NO_LIST, [seconds(now - MARGIN)])
        return sum(self._retire_revocations(issuer, min(latest, bound or 0), limit) for issuer, bound in found)

    def _retire_revocations(self, issuer: str, before: int, limit: int) -> int:
        sql = (
            "SELECT r.id, r.serial, r.issuer, r.sequence, r.reason, r.revoked_at, r.not_after, r.requester "
            "FROM revocation r WHERE r.issuer = ? AND r.not_after < ? "
            "AND NOT EXISTS (SELECT 1 FROM certificate c WHERE c.serial = r.serial AND c.issuer = r.issuer) "
            "ORDER BY r.not_after, r.sequence LIMIT ?"
        )

        def job(transaction: Transaction) -> int:
            found = transaction.rows(sql, [issuer, before, limit])
            transaction.many("INSERT INTO archived_revocation VALUES (?, ?, ?, ?, ?, ?, ?, ?)", found)
            numbers = [(row[0],) for row in found]
            transaction.many("DELETE FROM revocation_shard WHERE revocation = ?", numbers)
            transaction.many("DELETE FROM revocation WHERE id = ?", numbers)
            return len(found)

        return self.database.write(job, conflict="a revocation that is still needed was about to leave")

    def _records(self, condition: str, values: Sequence[object], limit: int = 10) -> tuple[CertificateRecord, ...]:
        sql = f"SELECT {_COLUMNS} FROM archive a WHERE {condition} LIMIT {limit}"  # noqa: S608  # constants, a number
        return tuple(map(_record_of, self.database.read(sql, values)))


def _archive_row(record: CertificateRecord, row: Row) -> tuple[object, ...]:
    batch = record.batch_row
    return (
        record.id,
        row[1],
        record.issuer,
        seconds(record.not_after),
        None if batch is None else batch.batch,
        None if batch is None else batch.row,
        json.dumps(certificate_content(record), separators=(",", ":")),
        row[_DER],
        row[_SHA256],
    )


def _record_of(row: Row) -> CertificateRecord:
    record = replace(read_certificate(json.loads(row[1])), id=row[0])
    if row[2] is None:
        return record
    return replace(record, status=RecordStatus.ISSUED, certificate=bytes(row[2]), fingerprint=bytes(row[3]))
