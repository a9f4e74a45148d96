"""SQLite: the embedded store. WAL, synchronous=FULL, group commit when several threads write."""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TypeVar, cast

from handfast.errors import ConfigError, Conflict, HandfastError, Unavailable
from handfast.stores.database import Transaction
from handfast.stores.group_commit import Entry, GroupCommit
from handfast.stores.migrations import Dialect, Watch, begun, bring_up, latest, unwatched, watched
from handfast.stores.rows import Row
from handfast.stores.sql import SqlStore
from handfast.stores.triggers import for_sqlite

Result = TypeVar("Result")
# As long as the longest bulk transaction of another process takes on a slow disk, and much longer.
BUSY_TIMEOUT = timedelta(seconds=60)
_PIECE = 1024
DIALECT = Dialect(
    {"{id}": "INTEGER PRIMARY KEY", "{blob}": "BLOB", "{text}": "TEXT", "{clustered}": "WITHOUT ROWID"}, for_sqlite
)
_IN_MEMORY = ":memory:"


def open_store(location: str, watch: Watch = unwatched) -> SqlStore:
    """The store in this file, made when it is not there; `:memory:` for one that is forgotten.

    watch: told while one of an earlier handfast is brought up to date. Raises ConfigError for a file that is no
    database of ours or is from a later handfast, Unavailable for one that is locked for over a minute.
    """
    if location != _IN_MEMORY:
        _make_private(Path(location))
    database = SqliteDatabase(location)
    try:
        database.migrate(watch)
    except BaseException:
        database.close()
        raise
    return SqlStore(database)


def _make_private(path: Path) -> None:
    """The file, empty and only for its owner, when it is not there: SQLite's other files take its mode over."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except OSError as error:
        msg = f"the store {path} cannot be opened: {error.strerror}"
        raise ConfigError(msg, hint="check the path, and who owns the file and its directory") from None


@dataclass(frozen=True, slots=True)
class _Job:
    run: Callable[[Transaction], object]
    conflict: str


@dataclass(frozen=True, slots=True)
class _Cursor:
    connection: sqlite3.Connection

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        return self.connection.execute(sql, tuple(values)).fetchall()

    def many(self, sql: str, values: Iterable[Sequence[object]]) -> None:
        self.connection.executemany(sql, values)

    def load(self, table: str, found: Sequence[Row]) -> None:
        if found:
            self.many(f"INSERT INTO {table} VALUES ({', '.join('?' * len(found[0]))})", found)  # noqa: S608  # a name from our own schema


@dataclass(slots=True, eq=False)
class SqliteDatabase:
    """A Database (handfast.stores.sql) in one file. Each thread reads by a connection of its own."""

    location: str
    _writer: sqlite3.Connection = field(init=False)
    _group: GroupCommit[_Job] = field(init=False)
    _readers: threading.local = field(init=False, default_factory=threading.local)
    _opened: list[sqlite3.Connection] = field(init=False, default_factory=list)
    _watcher: sqlite3.Connection | None = field(init=False, default=None)
    _watching: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._writer = self._connect()
        self._group = GroupCommit(self._commit)

    @property
    def now_sql(self) -> str:
        return "unixepoch()"

    @property
    def is_local(self) -> bool:
        return True

    def write(self, job: Callable[[Transaction], Result], *, conflict: str = "it is on record already") -> Result:
        return cast("Result", self._group.submit(_Job(job, conflict)))

    def read(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        # Each request reads: without the context managers of _reading() it takes half the time.
        connection = getattr(self._readers, "connection", None)
        if connection is None:
            with self._reading() as first:
                return first.execute(sql, tuple(values)).fetchall()
        try:
            found: list[Row] = connection.execute(sql, tuple(values)).fetchall()
        except sqlite3.DatabaseError as error:
            raise self._refusal(error) from None
        return found

    def stream(self, sql: str, values: Sequence[object] = ()) -> Iterator[list[Row]]:
        with self._reading() as connection:
            cursor = connection.execute(sql, tuple(values))
            while piece := cursor.fetchmany(_PIECE):
                yield piece

    def copy_to(self, location: str) -> None:
        with self._reading() as source, closing(sqlite3.connect(location)) as target:
            # All pages in one step: it reads one moment of the write-ahead log, and keeps no writer waiting.
            source.backup(target)

    def change_mark(self) -> int:
        if self.location == _IN_MEMORY:
            return self._writer.total_changes
        # What data_version says of two connections cannot be compared, so one connection watches for all threads.
        with self._watching, self._translated():
            if self._watcher is None:
                self._watcher = self._connect()
            return int(self._watcher.execute("PRAGMA data_version").fetchone()[0])

    def close(self) -> None:
        for connection in self._opened:
            connection.close()

    def migrate(self, watch: Watch = unwatched) -> None:
        """Bring the schema to this handfast's version, or leave it as it is. A new one is made unwatched."""
        version = self._version()
        if version > latest():
            msg = f"{self.location} has the schema version {version}; this handfast knows up to {latest()}"
            raise ConfigError(msg, hint="upgrade handfast: pip install --upgrade handfast")
        if version < latest():
            watched(begun(self.location, version), self._write_up, watch)

    def _version(self) -> int:
        with self._translated():
            return int(self._writer.execute("PRAGMA user_version").fetchone()[0])

    def _write_up(self, watch: Watch) -> None:
        self.write(lambda transaction: self._bring_up(transaction, watch))

    def _bring_up(self, transaction: Transaction, watch: Watch) -> None:
        version = self._version()
        if version < latest():  # else another process was faster
            bring_up(transaction, DIALECT, begun(self.location, version), watch)
            transaction.rows(f"PRAGMA user_version = {latest()}")

    def _connect(self) -> sqlite3.Connection:
        with self._translated():
            connection = sqlite3.connect(
                self.location,
                timeout=BUSY_TIMEOUT.total_seconds(),
                isolation_level=None,
                check_same_thread=False,
                cached_statements=256,
            )
            self._opened.append(connection)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA cache_size = -16000")
            return connection

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        if self.location == _IN_MEMORY:
            with self._group.alone(), self._translated():
                yield self._writer
            return
        connection = getattr(self._readers, "connection", None)
        if connection is None:
            connection = self._readers.connection = self._connect()
        with self._translated():
            yield connection

    def _commit(self, entries: list[Entry[_Job]]) -> None:
        try:
            with self._translated():
                if len(entries) > 1 and self._all_at_once(entries):
                    return
                self._writer.execute("BEGIN IMMEDIATE")
                for entry in entries:
                    self._one(entry, alone=len(entries) == 1)
                self._writer.execute("COMMIT")
        except HandfastError as error:
            for entry in entries:
                entry.error = entry.error or error
        finally:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            for entry in entries:
                entry.is_done = True

    def _all_at_once(self, entries: list[Entry[_Job]]) -> bool:
        """All jobs without savepoints, which nearly always goes well; False, and nothing done, when one has failed."""
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            for entry in entries:
                entry.result = entry.job.run(_Cursor(self._writer))
            self._writer.execute("COMMIT")
        except (sqlite3.IntegrityError, HandfastError):
            self._writer.execute("ROLLBACK")
            return False
        return True

    def _one(self, entry: Entry[_Job], *, alone: bool) -> None:
        """One job of a transaction: what it did is undone when it fails, and the others go on."""
        if not alone:
            self._writer.execute("SAVEPOINT job")
        try:
            entry.result = entry.job.run(_Cursor(self._writer))
        except sqlite3.IntegrityError:
            entry.error = Conflict(
                entry.job.conflict, hint="look at what is on record: handfast list, handfast requester list"
            )
        except HandfastError as error:
            entry.error = error
        if entry.error is not None:
            self._writer.execute("ROLLBACK" if alone else "ROLLBACK TO job")
            if alone:
                raise entry.error
        if not alone:
            self._writer.execute("RELEASE job")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise self._refusal(error) from None

    def _refusal(self, error: sqlite3.DatabaseError) -> HandfastError:
        if not isinstance(error, sqlite3.OperationalError):
            msg = f"{self.location} is damaged, or no database of handfast: {error}"
            return ConfigError(msg, hint="restore the file from a backup; keep the damaged one for a look")
        if error.sqlite_errorcode == sqlite3.SQLITE_CANTOPEN:
            return ConfigError(f"{self.location} cannot be opened", hint="check the path, and who owns the directory")
        msg = f"the store {self.location} does not answer: {error}"
        return Unavailable(msg, hint="end what else uses it, check the space on the disk, and try again")
