"""Stores as earlier handfasts left them."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from handfast.stores import postgresql, rows, sqlite
from handfast.stores.copying import tables
from handfast.stores.database import Transaction
from handfast.stores.migrations import script
from tests.contract.test_store import a_record

# Before the words of searches (0009), which are filled in certificate by certificate.
WORDLESS = 8


def make_old(kind: str, place: str, *, version: int = WORDLESS, count: int = 0) -> None:
    """A new store of that version, with so many issued certificates, the seventh of which is unfinished."""
    database = sqlite.SqliteDatabase(place) if kind == "sqlite" else postgresql.PostgresqlDatabase(f"{kind}:{place}")
    dialect = sqlite.DIALECT if kind == "sqlite" else postgresql.DIALECT

    def job(transaction: Transaction) -> None:
        for number in range(1, version + 1):
            for statement in script(number, dialect):
                transaction.rows(statement)
        transaction.load("certificate", [rows.record_row(a_record(one), one) for one in range(1, count + 1)])
        transaction.rows("INSERT INTO issued SELECT id, serial, serial, serial FROM certificate WHERE id != 7")
        if kind == "sqlite":
            transaction.rows(f"PRAGMA user_version = {version}")
        else:
            transaction.rows("CREATE TABLE schema_version (version INTEGER NOT NULL)")
            transaction.rows(f"INSERT INTO schema_version VALUES ({version})")

    with closing(database):
        database.write(job)


def set_back(path: Path, *, version: int = WORDLESS) -> None:
    """Make a SQLite store one of that version, with the rows that it has."""
    old = path.with_name("old.sqlite")
    make_old("sqlite", str(old), version=version)
    with closing(sqlite3.connect(old)) as connection:
        connection.execute("ATTACH ? AS new", [str(path)])
        for table in tables(connection):
            columns = ", ".join(row[1] for row in connection.execute(f"PRAGMA table_info({table})"))
            connection.execute(f"DELETE FROM {table}")
            connection.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM new.{table}")
        connection.commit()
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    shutil.move(old, path)
