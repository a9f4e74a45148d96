"""PostgreSQL: the store of many replicas. One writer at a time, as in SQLite, with group commit within each replica."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from handfast.errors import ConfigError, Conflict, HandfastError, Malformed, Unavailable
from handfast.stores.copying import fill
from handfast.stores.database import Transaction
from handfast.stores.group_commit import Entry, GroupCommit
from handfast.stores.listening import TRIGGER, Listener
from handfast.stores.migrations import Dialect, Watch, begun, bring_up, latest, unwatched, watched
from handfast.stores.rows import Row
from handfast.stores.sql import SqlStore
from handfast.stores.triggers import for_postgresql

if TYPE_CHECKING:
    import psycopg

Result = TypeVar("Result")
_PIECE = 2000


def _triggers(number: int) -> Iterable[str]:
    return (*for_postgresql(number), *(TRIGGER if number == 1 else ()))


DIALECT = Dialect(
    {"{id}": "BIGINT PRIMARY KEY", "{blob}": "BYTEA", "{text}": 'TEXT COLLATE "C"', "{clustered}": ""}, _triggers
)
# A lock for each schema: the number is the ASCII of "hand". It ends with the transaction, also when a replica dies.
_ONE_WRITER = "SELECT pg_advisory_xact_lock(1751215716, hashtext(current_schema()))"
_HAS_NO_VERSION = "SELECT to_regclass(quote_ident(current_schema()) || '.schema_version') IS NULL"
# A statement that waits longer than a minute would keep every replica waiting.
_SESSION = {
    "statement_timeout": "60s",
    "idle_in_transaction_session_timeout": "60s",
    "synchronous_commit": "on",
    "timezone": "UTC",
}
# A network that loses every packet is noticed in half a minute, not a quarter of an hour. Of several servers one that
# takes no writes may be behind: nothing is read from it. All as the location says, if it does.
_NETWORK = {
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "25000",
    "target_session_attrs": "read-write",
}
_TRY_AGAIN = "see that PostgreSQL runs and can be reached, and try again"


def open_store(location: str, watch: Watch = unwatched) -> SqlStore:
    """The store at `//user@host/database`, its tables made when they are not there.

    `?schema=NAME` keeps it in a schema of its own; whatever else stands there is for libpq. watch: told while
    one of an earlier handfast is brought up to date. Raises ConfigError for a location that cannot work, Unavailable
    when the server does not answer.
    """
    database = PostgresqlDatabase(*_conninfo(location))
    try:
        database.migrate(watch)
    except BaseException:
        database.close()
        raise
    return SqlStore(database)


def _conninfo(location: str) -> tuple[str, str]:
    """What libpq connects by, and the schema."""
    try:
        parts = urlsplit(f"postgresql:{location}")
        _ = parts.port  # looked at by urlsplit only when it is asked for
    except ValueError:
        # Whatever it says may be a part of the password.
        raise ConfigError("the store's location is no URL", hint=_EXAMPLE) from None
    query = dict(parse_qsl(parts.query))
    schema = query.pop("schema", "")
    if parts.netloc.count("@") > 1:
        # libpq would take what follows the first one for the host, and show it.
        raise ConfigError("the store's location has more than one @", hint=_EXAMPLE)
    if not location.startswith("//") or not parts.path.strip("/"):
        raise ConfigError("the store's location names no database", hint=_EXAMPLE)
    if schema and not schema.replace("_", "").isalnum():
        raise ConfigError(f"{schema!r} cannot be the name of a schema", hint="use letters, digits and _")
    conninfo = urlunsplit(parts._replace(query=urlencode(query)))
    psycopg = _psycopg()
    try:
        psycopg.conninfo.conninfo_to_dict(conninfo)
    except psycopg.ProgrammingError:
        raise ConfigError("the store's location is none that PostgreSQL understands", hint=_EXAMPLE) from None
    return conninfo, schema


_EXAMPLE = 'write store = "postgresql://handfast@db.example.org/handfast"; @ / # % in a password are %40 %2F %23 %25'


@dataclass(frozen=True, slots=True)
class _Job:
    run: Callable[[Transaction], object]
    conflict: str


@lru_cache(maxsize=1024)
def _translated(sql: str) -> str:
    return sql.replace("%", "%%").replace("?", "%s")


@dataclass(frozen=True, slots=True)
class _Cursor:
    cursor: "psycopg.Cursor[Any]"

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        # Schema statements are sent as they stand: they have no values, and several have a % or a ? of their own.
        self.cursor.execute(_translated(sql) if values else sql, tuple(values) or None)
        return self.cursor.fetchall() if self.cursor.description else []

    def many(self, sql: str, values: Iterable[Sequence[object]]) -> None:
        self.cursor.executemany(_translated(sql), list(values))

    def load(self, table: str, found: Sequence[Row]) -> None:
        with self.cursor.copy(f"COPY {table} FROM STDIN") as copy:
            for row in found:
                copy.write_row(row)


@dataclass(slots=True, eq=False)
class PostgresqlDatabase:
    """A Database (handfast.stores.database). Each thread reads by a connection of its own; one connection writes."""

    conninfo: str
    schema: str = ""
    _said: Mapping[str, object] = field(init=False)
    _writer: "psycopg.Connection[Any] | None" = None
    _group: GroupCommit[_Job] = field(init=False)
    _listener: Listener = field(init=False)
    _readers: threading.local = field(init=False, default_factory=threading.local)
    _opened: "list[psycopg.Connection[Any]]" = field(init=False, default_factory=list)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._said = _psycopg().conninfo.conninfo_to_dict(self.conninfo)
        self._group = GroupCommit(self._commit)
        self._listener = Listener(self._connect, _psycopg().Error, self._writer_process)

    @property
    def now_sql(self) -> str:
        return "EXTRACT(EPOCH FROM clock_timestamp())::BIGINT"

    @property
    def is_local(self) -> bool:
        return False

    def write(self, job: Callable[[Transaction], Result], *, conflict: str = "it is on record already") -> Result:
        return cast("Result", self._group.submit(_Job(job, conflict)))

    def read(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        for attempt in (1, 2):
            connection = self._reader()
            try:
                with self._errors_named():
                    return connection.execute(_translated(sql), tuple(values)).fetchall()
            except Unavailable:
                # After a restart of the server every connection is dead: a new one may do.
                if attempt == 2 or not connection.closed:
                    raise
        raise AssertionError("two attempts were made")

    def stream(self, sql: str, values: Sequence[object] = ()) -> Iterator[list[Row]]:
        with closing(self._connect()) as connection:
            yield from self._pieces(connection, sql, values)

    def copy_to(self, location: str) -> None:
        with closing(self._connect()) as connection, self._errors_named():
            connection.autocommit = False
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            fill(location, lambda sql: self._pieces(connection, sql, ()))

    def change_mark(self) -> int:
        return self._listener.mark()

    def _writer_process(self) -> int:
        writer = self._writer
        return writer.info.backend_pid if writer is not None and not writer.closed else 0

    def close(self) -> None:
        self._listener.stop()
        with self._lock:
            for connection in self._opened:
                connection.close()
            self._opened.clear()
            self._writer = None

    def migrate(self, watch: Watch = unwatched) -> None:
        """Bring the schema to this handfast's version, or leave it as it is. A new one is made unwatched."""
        # Who finds it there need not wait for whoever writes.
        if self.read(_HAS_NO_VERSION)[0][0]:
            if self.schema:
                self.write(lambda transaction: transaction.rows(f'CREATE SCHEMA IF NOT EXISTS "{self.schema}"'))
            self.write(_make_version_table)
        version = self._version(self.read)
        if version > latest():
            msg = f"{self._place()} has the schema version {version}; this handfast knows up to {latest()}"
            raise ConfigError(msg, hint="upgrade handfast: pip install --upgrade handfast")
        if version < latest():
            watched(begun(self._place(), version), self._write_up, watch)

    def _version(self, read: Callable[[str], list[Row]]) -> int:
        return int(read("SELECT COALESCE(MAX(version), 0) FROM schema_version")[0][0])

    def _write_up(self, watch: Watch) -> None:
        self.write(lambda transaction: self._bring_up(transaction, watch))

    def _bring_up(self, transaction: Transaction, watch: Watch) -> None:
        # An index over many millions of rows may take longer than any other statement.
        transaction.rows("SET LOCAL statement_timeout = 0")
        version = self._version(transaction.rows)
        if version < latest():  # else another replica was faster
            bring_up(transaction, DIALECT, begun(self._place(), version), watch)
            transaction.many("INSERT INTO schema_version VALUES (?)", [(latest(),)])

    def _connect(self) -> "psycopg.Connection[Any]":
        settings = dict(_SESSION)
        if self.schema:
            settings["search_path"] = self.schema
        with self._errors_named():
            connection: psycopg.Connection[Any] = _psycopg().connect(
                self.conninfo,
                autocommit=True,
                application_name="handfast",
                options=" ".join(f"-c {name}={value}" for name, value in settings.items()),
                **{name: value for name, value in _NETWORK.items() if name not in self._said},
            )
        with self._lock:
            self._opened = [one for one in self._opened if not one.closed]
            self._opened.append(connection)
        return connection

    def _reader(self) -> "psycopg.Connection[Any]":
        kept: psycopg.Connection[Any] | None = getattr(self._readers, "connection", None)
        if kept is not None and not kept.closed:
            return kept
        made = self._connect()
        self._readers.connection = made
        return made

    def _pieces(self, connection: "psycopg.Connection[Any]", sql: str, values: Sequence[object]) -> Iterator[list[Row]]:
        with self._errors_named(), connection.transaction(), connection.cursor(name="pieces") as cursor:
            cursor.execute(_translated(sql), tuple(values))
            while piece := cursor.fetchmany(_PIECE):
                yield piece

    def _commit(self, entries: list[Entry[_Job]]) -> None:
        """All jobs in one transaction; when one fails, once more with a savepoint around each."""
        try:
            with self._errors_named():
                if not self._all_at_once(entries):
                    self._one_by_one(entries)
        except HandfastError as error:
            for entry in entries:
                entry.error = entry.error or error
        finally:
            # Whatever it was: nobody is told of it before what lies ready counts as out of date.
            self._listener.changed()
            for entry in entries:
                entry.is_done = True

    def _all_at_once(self, entries: list[Entry[_Job]]) -> bool:
        connection = self._begun()
        try:
            with connection.cursor() as cursor:
                for entry in entries:
                    entry.result = entry.job.run(_Cursor(cursor))
            connection.execute("COMMIT")
        except (_psycopg().IntegrityError, _psycopg().DataError, HandfastError) as error:
            connection.execute("ROLLBACK")
            if len(entries) > 1:
                return False
            entries[0].error = self._error_of(entries[0].job, error)
        except _psycopg().Error:
            _end(connection)
            raise
        return True

    def _one_by_one(self, entries: list[Entry[_Job]]) -> None:
        connection = self._begun()
        try:
            with connection.cursor() as cursor:
                for entry in entries:
                    cursor.execute("SAVEPOINT job")
                    try:
                        entry.result = entry.job.run(_Cursor(cursor))
                    except (_psycopg().IntegrityError, _psycopg().DataError, HandfastError) as error:
                        cursor.execute("ROLLBACK TO job")
                        entry.error = self._error_of(entry.job, error)
                    cursor.execute("RELEASE job")
            connection.execute("COMMIT")
        except _psycopg().Error:
            _end(connection)
            raise

    def _begun(self) -> "psycopg.Connection[Any]":
        """The writer's connection in a transaction that no other replica writes beside. Nothing is written yet, so a
        connection that turns out to be dead is replaced by a new one, once."""
        if self._writer is not None and not self._writer.closed:
            try:
                return _begin(self._writer)
            except _psycopg().OperationalError:
                _end(self._writer)
        self._writer = self._connect()
        return _begin(self._writer)

    def _error_of(self, job: _Job, error: Exception) -> HandfastError:
        if isinstance(error, HandfastError):
            return error
        if isinstance(error, _psycopg().DataError):
            return _no_text(error)
        return Conflict(job.conflict, hint="look at what is on record: handfast list, handfast requester list")

    @contextmanager
    def _errors_named(self) -> Iterator[None]:
        psycopg = _psycopg()
        try:
            yield
        except psycopg.OperationalError as error:
            msg = f"the store {self._place()} does not answer: {_first_line(error)}"
            raise Unavailable(msg, hint=_TRY_AGAIN) from None
        except psycopg.DataError as error:
            raise _no_text(error) from None
        except psycopg.Error as error:
            msg = f"the store {self._place()} refuses: {_first_line(error)}"
            raise ConfigError(msg, hint="see that the user owns the tables, and that nobody changed them") from None

    def _place(self) -> str:
        """Where it is, without a password."""
        parts = urlsplit(self.conninfo)
        host = (parts.hostname or "") + (f":{parts.port}" if parts.port else "")
        return f"postgresql://{host}{parts.path}" + (f"?schema={self.schema}" if self.schema else "")


def _make_version_table(transaction: Transaction) -> None:
    transaction.rows("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)")


def _begin(connection: "psycopg.Connection[Any]") -> "psycopg.Connection[Any]":
    connection.execute("BEGIN")
    connection.execute(_ONE_WRITER)
    return connection


def _end(connection: "psycopg.Connection[Any]") -> None:
    """Whatever was going on in it: the server undoes what was not committed."""
    connection.close()


def _no_text(error: Exception) -> HandfastError:
    return Malformed(f"the store cannot keep this: {_first_line(error)}", hint="leave out the octet zero")


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _psycopg() -> Any:
    try:
        import psycopg
    except ImportError:
        msg = "a store in PostgreSQL needs the package psycopg, which is not installed"
        raise ConfigError(msg, hint="run: pip install 'handfast[postgresql]'") from None
    return psycopg
