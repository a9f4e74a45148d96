"""The statuses of certificates in SQL: two look-ups by index for some, one walk for all."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from handfast.ca.records import Reason
from handfast.ca.statuses import Status
from handfast.stores.database import Database
from handfast.stores.rows import SERIAL_SIZE, Row, moment, seconds, serial_bytes

_AT_ONCE = 500
_LAST = (
    "NOT EXISTS (SELECT 1 FROM revocation l "
    "WHERE l.serial = r.serial AND l.issuer = r.issuer AND l.sequence > r.sequence)"
)
_ISSUED = (
    "SELECT c.serial FROM certificate c JOIN issued i ON i.certificate = c.id "
    "WHERE c.serial IN ({marks}) AND c.issuer = ? "
    "UNION ALL SELECT serial FROM archive WHERE serial IN ({marks}) AND issuer = ? AND der IS NOT NULL"
)
_REVOKED = (
    "SELECT serial, revoked_at, reason, sequence FROM revocation WHERE serial IN ({marks}) AND issuer = ? UNION ALL "
    "SELECT serial, revoked_at, reason, sequence FROM archived_revocation WHERE serial IN ({marks}) AND issuer = ? "
    "ORDER BY sequence"
)
_ALL = (
    "SELECT c.serial, r.revoked_at, r.reason, 1 FROM certificate c JOIN issued i ON i.certificate = c.id "  # noqa: S608  # constants
    f"LEFT JOIN revocation r ON r.serial = c.serial AND r.issuer = c.issuer AND {_LAST} "
    "WHERE c.issuer = ? AND c.not_after >= ?"
)
_WITHOUT_RECORD = (
    "SELECT r.serial, r.revoked_at, r.reason, 0 FROM revocation r "  # noqa: S608  # constants
    f"WHERE r.issuer = ? AND r.not_after >= ? AND {_LAST} AND NOT EXISTS (SELECT 1 FROM certificate c "
    "JOIN issued i ON i.certificate = c.id WHERE c.serial = r.serial AND c.issuer = r.issuer)"
)


@dataclass(frozen=True, slots=True)
class SqlStatuses:
    """Statuses (handfast.ca.statuses) over any Database."""

    database: Database

    def of(self, issuer: str, serials: Iterable[int]) -> Mapping[int, Status]:
        keys = [serial_bytes(one) for one in dict.fromkeys(serials) if 0 < one < 1 << 8 * SERIAL_SIZE]
        found: dict[int, Status] = {}
        for start in range(0, len(keys), _AT_ONCE):
            found.update(self._some(issuer, keys[start : start + _AT_ONCE]))
        return found

    def all(self, issuer: str, *, alive_at: datetime) -> Iterator[tuple[int, Status]]:
        for sql in (_ALL, _WITHOUT_RECORD):
            for piece in self.database.stream(sql, [issuer, seconds(alive_at)]):
                for serial, revoked_at, reason, is_issued in piece:
                    yield int.from_bytes(serial, "big"), _status(bool(is_issued), revoked_at, reason)

    def _some(self, issuer: str, keys: list[bytes]) -> Iterator[tuple[int, Status]]:
        issued = {bytes(row[0]) for row in self._read(_ISSUED, issuer, keys)}
        # Read after the certificates: what is revoked in between is answered as revoked.
        revoked = {bytes(row[0]): row[1:3] for row in self._read(_REVOKED, issuer, keys)}
        for key in issued | revoked.keys():
            yield int.from_bytes(key, "big"), _status(key in issued, *revoked.get(key, (None, None)))

    def _read(self, sql: str, issuer: str, keys: list[bytes]) -> list[Row]:
        return self.database.read(sql.replace("{marks}", ", ".join("?" * len(keys))), [*keys, issuer] * 2)


def _status(is_issued: bool, revoked_at: int | None, reason: str | None) -> Status:  # a row's columns in order
    if revoked_at is None or reason is None or reason == Reason.REMOVE_FROM_CRL:
        return Status(is_issued)
    return Status(is_issued, moment(revoked_at), Reason(reason))
