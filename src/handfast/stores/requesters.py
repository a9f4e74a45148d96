"""Requesters and their credentials in SQL; a certificate, its revocation and whose it is in one read."""

import json
from dataclasses import dataclass
from functools import lru_cache

from handfast.ca.name_patterns import parse_pattern
from handfast.ca.policy import RequesterRole
from handfast.ca.records import AuditEvent
from handfast.ca.requesters import CredentialKind, CredentialRecord, Presented, RequesterRecord
from handfast.errors import NotFound
from handfast.stores import rows
from handfast.stores.auditing import append_events
from handfast.stores.database import Database, Transaction
from handfast.stores.rows import Row, moment, seconds

_COLUMNS = "q.name, q.role, q.profiles, q.patterns, q.created_at"
_BY_CERTIFICATE = (
    f"SELECT {rows.RECORD_COLUMNS}, {_COLUMNS} FROM issued i JOIN certificate c ON c.id = i.certificate "  # noqa: S608  # constants
    "LEFT JOIN revocation r ON r.serial = c.serial AND r.issuer = c.issuer AND NOT EXISTS (SELECT 1 FROM revocation l "
    "WHERE l.serial = c.serial AND l.issuer = c.issuer AND l.sequence > r.sequence) "
    "LEFT JOIN credential k ON k.digest = i.sha256 AND k.kind = 'certificate' "
    "LEFT JOIN requester q ON q.name = k.requester WHERE i.sha256 = ?"
)
_BY_SECRET = (
    f"SELECT {_COLUMNS} FROM credential k JOIN requester q ON q.name = k.requester "  # noqa: S608  # constants
    "WHERE k.digest = ? AND k.kind = 'secret'"
)
# What somebody left behind goes too: tokens, and what they asked for or agreed to and was not issued yet.
_FORGET = (
    "DELETE FROM credential WHERE requester = ?",
    "DELETE FROM token WHERE creator = ?",
    "DELETE FROM pending WHERE requester = ? AND serial IS NULL",
    "DELETE FROM approval WHERE approver = ?",
)
_RECORD_SIZE = rows.RECORD_COLUMNS.count(",") + 1


@dataclass(frozen=True, slots=True)
class SqlRequesters:
    """Requesters (handfast.ca.requesters) over a Database."""

    database: Database

    def add(self, record: RequesterRecord, credentials: tuple[CredentialRecord, ...], event: AuditEvent) -> None:
        def job(transaction: Transaction) -> None:
            transaction.many("INSERT INTO requester VALUES (?, ?, ?, ?, ?)", [_row(record)])
            transaction.many("INSERT INTO credential VALUES (?, ?, ?, ?, ?)", map(_credential_row, credentials))
            append_events(transaction, [event])

        self.database.write(
            job, conflict=f"there is a requester {record.name!r} already, or the credential is another's"
        )

    def add_credential(self, credential: CredentialRecord, event: AuditEvent) -> None:
        def job(transaction: Transaction) -> None:
            if not transaction.rows("SELECT 1 FROM requester WHERE name = ?", [credential.requester]):
                raise NotFound(f"there is no requester {credential.requester!r}", hint="handfast requester list")
            transaction.many("INSERT INTO credential VALUES (?, ?, ?, ?, ?)", [_credential_row(credential)])
            append_events(transaction, [event])

        self.database.write(job, conflict="it is somebody's credential already")

    def remove(self, name: str, event: AuditEvent) -> bool:
        def job(transaction: Transaction) -> bool:
            for statement in _FORGET:
                transaction.rows(statement, [name])
            if not transaction.rows("DELETE FROM requester WHERE name = ? RETURNING name", [name]):
                return False
            append_events(transaction, [event])
            return True

        return self.database.write(job)

    def find(self, name: str) -> RequesterRecord | None:
        return self._one(f"SELECT {_COLUMNS} FROM requester q WHERE q.name = ?", name)  # noqa: S608  # constants

    def all(self) -> tuple[RequesterRecord, ...]:
        found = self.database.read(f"SELECT {_COLUMNS} FROM requester q ORDER BY q.name")  # noqa: S608  # constants
        return tuple(map(_requester_of, found))

    def count(self) -> int:
        return int(self.database.read("SELECT COUNT(*) FROM requester")[0][0])

    def credentials(self, name: str | None = None) -> tuple[CredentialRecord, ...]:
        where, values = ("", []) if name is None else ("WHERE requester = ?", [name])
        sql = (
            f"SELECT digest, kind, requester, label, created_at FROM credential {where} ORDER BY requester, created_at"  # noqa: S608  # constants
        )
        return tuple(map(_credential_of, self.database.read(sql, values)))

    def by_secret(self, digest: bytes) -> RequesterRecord | None:
        return self._one(_BY_SECRET, digest)

    def by_certificate(self, fingerprint: bytes) -> Presented | None:
        found = self.database.read(_BY_CERTIFICATE, [fingerprint])
        if not found:
            return None
        row = found[0]
        owner = row[_RECORD_SIZE:]
        return Presented(rows.record_of(row), None if owner[0] is None else _requester_of(owner))

    def _one(self, sql: str, value: object) -> RequesterRecord | None:
        found = self.database.read(sql, [value])
        return _requester_of(found[0]) if found else None


def _row(record: RequesterRecord) -> tuple[object, ...]:
    profiles = None if record.profiles is None else json.dumps(sorted(record.profiles))
    patterns = None if record.patterns is None else json.dumps([str(pattern) for pattern in record.patterns])
    return (record.name, record.role.value, profiles, patterns, seconds(record.created_at))


# The row is read each time; what it says is worked out once.
@lru_cache(maxsize=1024)
def _requester_of(row: Row) -> RequesterRecord:
    return RequesterRecord(
        name=row[0],
        role=RequesterRole(row[1]),
        profiles=None if row[2] is None else frozenset(json.loads(row[2])),
        patterns=None if row[3] is None else tuple(parse_pattern(text) for text in json.loads(row[3])),
        created_at=moment(row[4]),
    )


def _credential_row(credential: CredentialRecord) -> tuple[object, ...]:
    kind, at = credential.kind.value, seconds(credential.created_at)
    return (credential.digest, kind, credential.requester, credential.label, at)


def _credential_of(row: Row) -> CredentialRecord:
    return CredentialRecord(
        digest=bytes(row[0]),
        kind=CredentialKind(row[1]),
        requester=row[2],
        label=row[3],
        created_at=moment(row[4]),
    )
