"""A whole, consistent copy of a store as a SQLite file, and back: the schema is one, so the file fits any database."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from handfast.ca.audit_head import Head
from handfast.ca.records import AuditEvent
from handfast.errors import ConfigError, Conflict
from handfast.stores import rows
from handfast.stores.database import Database, Transaction
from handfast.stores.heads import head_of
from handfast.stores.rows import Row
from handfast.stores.sqlite import open_store

Stream = Callable[[str], Iterator[list[Row]]]
_PIECE = 1000
_EMPTY = "audit"
# More revocations than there are between a backup and its restore.
_AHEAD = 10_000_000


def fill(location: str, stream: Stream) -> None:
    """A new SQLite file with all rows of a database. stream: runs a query, in a transaction that sees one moment."""
    open_store(location).close()
    with closing(sqlite3.connect(location, isolation_level=None)) as target:
        target.execute("BEGIN IMMEDIATE")
        for table in tables(target):
            target.execute(f"DELETE FROM {table}")  # noqa: S608  # a name from our own schema
            for piece in stream(f"SELECT * FROM {table} ORDER BY 1"):  # noqa: S608  # likewise
                target.executemany(_insert(table, len(piece[0])), piece)
        target.execute("COMMIT")


def load(location: str, database: Database) -> None:
    """All rows of a SQLite file into a database that is empty, whole or not at all. Raises Conflict when it is not."""

    def job(transaction: Transaction) -> None:
        if transaction.rows(f"SELECT 1 FROM {_EMPTY} LIMIT 1"):  # noqa: S608  # a constant
            hint = "give an empty database in the setting `store`"
            raise Conflict("there is an authority in the database already", hint=hint)
        with closing(sqlite3.connect(location)) as source:
            for table in tables(source):
                transaction.rows(f"DELETE FROM {table}")  # noqa: S608  # a name from our own schema
                cursor = source.execute(f"SELECT * FROM {table} ORDER BY 1")  # noqa: S608  # likewise
                while piece := cursor.fetchmany(_PIECE):
                    transaction.load(table, piece)

    database.write(job, conflict="the database does not take the rows of the backup")


def _insert(table: str, columns: int) -> str:
    return f"INSERT INTO {table} VALUES ({', '.join('?' * columns)})"  # noqa: S608  # a name from our own schema


def tables(connection: sqlite3.Connection) -> list[str]:
    """The tables of a SQLite file of ours, in the order in which they were made: none refers to a later one."""
    sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY rowid"
    return [name for (name,) in connection.execute(sql)]


def audit_of(location: str) -> tuple[Iterator[AuditEvent], tuple[Head, ...]]:
    """The audit events and heads in a SQLite file, without changing it. Raises ConfigError for what is none of ours."""
    try:
        connection = sqlite3.connect(f"{Path(location).absolute().as_uri()}?mode=ro", uri=True)
        names = tables(connection)
        if "audit" not in names:
            raise sqlite3.DatabaseError("it has no audit log")
        sql = "SELECT id, hash, at, key, signature FROM audit_head ORDER BY id"
        heads = tuple(map(head_of, connection.execute(sql))) if "audit_head" in names else ()
        return map(rows.event_of, connection.execute("SELECT * FROM audit ORDER BY id")), heads
    except sqlite3.Error as error:
        raise ConfigError(f"{location} cannot be read: {error}", hint="give a SQLite database of handfast") from None


def age(location: str) -> int:
    """Make a SQLite file ready for a world that is ahead of it; how many one-time tokens it made void.

    A token that was used since would be good for another certificate, and an approval too: requests that are not
    issued by now wait for approval again. Whoever follows the revocations from an id on
    shall hear of those that are appended from now on.
    """
    with closing(sqlite3.connect(location, isolation_level=None)) as connection:
        connection.execute(f"UPDATE counter SET value = value + {_AHEAD} WHERE name = 'revocation'")  # noqa: S608  # a number
        if "token" not in tables(connection):
            return 0
        connection.execute("DELETE FROM approval")
        return connection.execute("DELETE FROM token").rowcount


def require_sound(path: Path) -> None:
    """Raise ConfigError when the file is no whole SQLite database. Reads all of it."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as connection:
            told = connection.execute("PRAGMA quick_check").fetchone()[0]
    except sqlite3.DatabaseError as error:
        told = str(error)
    if told != "ok":
        raise ConfigError(
            f"the copy of the database is damaged: {told}", hint="check the disk, and make another backup"
        )
