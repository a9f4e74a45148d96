"""Quotas in SQL: one row for each scope and window."""

from dataclasses import dataclass

from handfast.ca.claims import QuotaUse
from handfast.stores import claims
from handfast.stores.database import Database, Transaction
from handfast.stores.rows import seconds


@dataclass(frozen=True, slots=True)
class SqlQuotas:
    """Quotas (handfast.ca.limits) over a Database."""

    database: Database

    def taken(self, use: QuotaUse) -> int:
        sql = "SELECT taken FROM quota WHERE scope = ? AND start_at = ?"
        found = self.database.read(sql, [use.scope, seconds(use.start)])
        return int(found[0][0]) if found else 0

    def take(self, uses: tuple[QuotaUse, ...]) -> None:
        def job(transaction: Transaction) -> None:
            claims.settle(transaction, uses)

        if uses:
            self.database.write(job)
