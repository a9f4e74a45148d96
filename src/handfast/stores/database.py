"""What the SQL of the store runs on: a database that brings connections and transactions."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

from handfast.stores.rows import Row

Result = TypeVar("Result")


class Transaction(Protocol):
    """An open transaction that writes."""

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """Run a statement, with `?` for each value; what it returns."""
        ...

    def many(self, sql: str, values: Iterable[Sequence[object]]) -> None:
        """Run a statement once for each of the tuples."""
        ...

    def load(self, table: str, found: Sequence[Row]) -> None:
        """Add many rows to a table, each with all of its columns: the fastest way that the database has."""
        ...


class Database(Protocol):
    """Connections. A duplicate of something unique raises Conflict with the message that the job gives it."""

    @property
    def now_sql(self) -> str:
        """The database's own clock as an expression: whole seconds since 1970."""
        ...

    @property
    def is_local(self) -> bool:
        """Whether a read waits for nobody but this machine."""
        ...

    def write(self, job: Callable[[Transaction], Result], *, conflict: str = "it is on record already") -> Result:
        """Run the job in a transaction; when this returns, it is on the disk."""
        ...

    def read(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """All rows of a query."""
        ...

    def stream(self, sql: str, values: Sequence[object] = ()) -> Iterator[list[Row]]:
        """The rows of a query in pieces of some thousands."""
        ...

    def copy_to(self, location: str) -> None:
        """Everything as it was at one moment, into a new SQLite file, while others write (handfast.stores.copying)."""
        ...

    def change_mark(self) -> int:
        """A number that is another one after any commit that may have been a revocation, also by other processes."""
        ...

    def close(self) -> None:
        """Close all connections."""
        ...
