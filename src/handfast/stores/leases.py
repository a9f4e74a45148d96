"""Leases: which replica does a job, until when; by the clock of the database, which is one for all of them."""

from dataclasses import dataclass
from datetime import timedelta

from handfast.stores.database import Database, Transaction


@dataclass(frozen=True, slots=True)
class SqlLeases:
    """One row for each job. A replica that dies loses its leases by itself, when they end."""

    database: Database

    def claim(self, name: str, owner: str, length: timedelta) -> bool:
        """True when the lease is the owner's from now on for so long: it was free, had ended, or was its own."""
        now, seconds = self.database.now_sql, int(length.total_seconds())

        def job(transaction: Transaction) -> bool:
            taken = (
                f"UPDATE lease SET owner = ?, until = {now} + ? WHERE name = ? AND (owner = ? OR until <= {now}) "  # noqa: S608  # a constant
                "RETURNING name"
            )
            if transaction.rows(taken, [owner, seconds, name, owner]):
                return True
            made = f"INSERT INTO lease VALUES (?, ?, {now} + ?) ON CONFLICT DO NOTHING RETURNING name"  # noqa: S608  # a constant
            return bool(transaction.rows(made, [name, owner, seconds]))

        return self.database.write(job)

    def release(self, name: str, owner: str) -> None:
        """Give it back, so that another one need not wait for its end."""
        sql = "DELETE FROM lease WHERE name = ? AND owner = ?"
        self.database.write(lambda transaction: transaction.many(sql, [(name, owner)]))
