"""A throw-away PostgreSQL for tests: one server for each test process, and a new database for whoever asks."""

import itertools
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from handfast.prove.other_user import as_user, give, name_of_user
from handfast.prove.process import Process, run, start, wait_until
from handfast.prove.programs.postgresql import _binary
from tests.programs import required_program

_USER = "postgres"


@dataclass(slots=True)
class Server:
    """It listens on a socket in its directory only. restart() keeps what was committed."""

    directory: Path
    process: Process
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def new_database(self) -> str:
        """An empty database; its URL."""
        name = f"d{next(self._numbers)}"
        self.tell(f"create database {name}")
        return self.url(name)

    def url(self, name: str) -> str:
        """Where a database is."""
        return f"postgresql://{name_of_user(_USER)}@/{name}?host={self.directory}"

    def tell(self, sql: str, database: str = "postgres") -> str:
        """As the superuser."""
        command = [_binary("psql"), "-h", str(self.directory), "-U", name_of_user(_USER), "-d", database, "-Atqc", sql]
        told = run([*as_user(_USER), *command], directory=self.directory)
        assert told.returncode == 0, told.stdout
        return told.stdout.strip()

    def restart(self, *, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it, at once or even by SIGQUIT, as a crash would, and start it again."""
        self.process.signal(how)
        wait_until(lambda: not self.process.alive(), "postgresql ends", patience=60)
        self.process = _start(self.directory)


@contextmanager
def postgresql(*, durable: bool = False) -> Iterator[Server]:
    """A server while the block runs. durable: it writes to the disk as a real one; else as fast as it can."""
    required_program("psql")
    directory = Path(tempfile.mkdtemp(prefix="hf-pg-"))
    try:
        give(directory, _USER)
        made = run(
            [*as_user(_USER), _binary("initdb"), "-D", str(directory / "data"), "-U", name_of_user(_USER), "--no-sync",
             "--auth=trust", "--encoding=UTF8", "--locale=C"],
            directory=directory, patience=120,
        )  # fmt: skip
        assert made.returncode == 0, made.stdout
        with (directory / "data" / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(f"listen_addresses = ''\nunix_socket_directories = '{directory}'\nmax_connections = 200\n")
            file.write("" if durable else "fsync = off\nfull_page_writes = off\n")
        server = Server(directory, _start(directory))
        try:
            yield server
        finally:
            # Nobody comes back for the data, so nothing need be written first.
            server.process.signal(signal.SIGQUIT)
            server.process.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _start(directory: Path) -> Process:
    log = directory / "output.log"
    log.unlink(missing_ok=True)
    command = [*as_user(_USER), _binary("postgres"), "-D", str(directory / "data")]
    process = start(command, output=log, directory=directory)
    wait_until(
        lambda: "ready to accept connections" in log.read_text(encoding="utf-8", errors="replace"),
        "postgresql accepts connections",
        patience=60,
    )
    return process
