"""PostgreSQL on loopback: a database cluster of its own, visited in the wire protocol (version 3)."""

import signal
import socket
import ssl
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from handfast.errors import Unavailable
from handfast.prove.other_user import as_user, give, name_of_user
from handfast.prove.process import Process, run, start, wait_until
from handfast.prove.program import Observation, Program, Running, Stage, Visit
from handfast.prove.visit import PATIENCE, Answer, Dialogue, Door
from handfast.targets.postgresql import CONFIG

_USER = "postgres"
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
_VERSION_3 = 196608


def _binaries() -> Path | None:
    """Debian keeps one directory a version, off PATH: the newest."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    return found[-1] if found else None


def _binary(name: str) -> str:
    at = _binaries()
    return str(at / name) if at else name


@dataclass(frozen=True, slots=True)
class Cluster:
    """A database cluster in a directory. roles: those that exist, beside the superuser."""

    directory: Path
    port: int
    roles: set[str] = field(default_factory=set)

    @property
    def data(self) -> Path:
        """Where the cluster's files are."""
        return self.directory / "data"

    def create(self, config: str) -> None:
        """initdb, and the rendered settings included as an operator would."""
        self.data.mkdir(mode=0o700)
        give(self.directory, _USER)
        made = run(
            [*as_user(_USER), _binary("initdb"), "-D", str(self.data), "-U", name_of_user(_USER), "--no-sync"],
            directory=self.directory,
            patience=120,
        )
        if made.returncode != 0:
            raise Unavailable(f"initdb: {made.stdout.strip()}", hint="the last line says why")
        with (self.data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(f"include '{config}'\nunix_socket_directories = '{self.directory}'\nfsync = off\n")

    def query(self, sql: str) -> str:
        """As the superuser through the socket, who is who the operating system says."""
        told = run(
            [*as_user(_USER), _binary("psql"), "-h", str(self.directory), "-p", str(self.port),
             "-U", name_of_user(_USER), "-d", "postgres", "-Atqc", sql],
            directory=self.directory,
        )  # fmt: skip
        if told.returncode != 0:
            raise Unavailable(f"psql: {told.stdout.strip()}", hint="the server's log may say why")
        return told.stdout.strip()

    def have(self, role: str) -> None:
        """The role exists, as it must for everybody who may come."""
        if role not in self.roles:
            self.query(f'create role "{role}" login')
            self.roles.add(role)


def start_cluster(stage: Stage) -> Running:
    """Start it in the foreground and wait until it answers."""
    cluster = Cluster(stage.directory, stage.setting.port)
    cluster.create(stage.setting.file(CONFIG))
    log = stage.directory / "output.log"
    process = start(
        [*as_user(_USER), _binary("postgres"), "-D", str(cluster.data)], output=log, directory=stage.directory
    )
    try:
        wait_until(lambda: _ready(process, log), "postgresql accepts connections")
    except BaseException:
        _stop(process)
        raise
    return Running(
        visit=lambda visit: _visit(stage, cluster, visit),
        reload=lambda: _reload(cluster, log),
        stop=lambda: _stop(process),
        alive=process.alive,
        log=log,
        kick=lambda: _kick(cluster),
    )


def _ready(process: Process, log: Path) -> bool:
    said = log.read_text(encoding="utf-8", errors="replace")
    if not process.alive():
        raise Unavailable(f"postgresql ended at once: {said.strip()}", hint="its configuration is wrong")
    return "ready to accept connections" in said


def _stop(process: Process) -> None:
    """SIGINT is its fast shutdown: sessions are ended, shared memory is given back."""
    if process.alive():
        process.signal(signal.SIGINT)
        try:
            wait_until(lambda: not process.alive(), "postgresql ends")
        except Unavailable:
            pass
    process.stop()


def _reload(cluster: Cluster, log: Path) -> None:
    """In force for connections from the moment that the postmaster says it has read the files, or why it did not."""
    size = log.stat().st_size
    cluster.query("select pg_reload_conf()")
    # Our own later connection is forked by the postmaster after it has handled the signal: its load time tells.
    wait_until(lambda: "received SIGHUP" in _since(log, size), "postgresql has read its files again")
    before = cluster.query("select pg_conf_load_time()")
    wait_until(lambda: cluster.query("select pg_conf_load_time()") >= before, "postgresql has its new settings")


def _since(log: Path, offset: int) -> str:
    with log.open("rb") as file:
        file.seek(offset)
        return file.read().decode("utf-8", "replace")


def _kick(cluster: Cluster) -> None:
    cluster.query("select pg_terminate_backend(pid, 20000) from pg_stat_ssl where client_serial is not null")


def _visit(stage: Stage, cluster: Cluster, visit: Visit) -> Observation:
    role = visit.visitor.name
    cluster.have(role)
    door = Door(stage.address, stage.pki.server_name, stage.pki.root, login(role), prelude=ask_for_tls)
    return door.visit(visit)


def ask_for_tls(raw: socket.socket) -> None:
    """PostgreSQL begins in the clear (SSLRequest)."""
    raw.sendall(_SSL_REQUEST)
    if raw.recv(1) != b"S":
        message = "the server has no TLS"
        raise ValueError(message)


def login(role: str, *, leave: bool = True) -> Dialogue:
    """Take the role, and ask the server who we are; then leave, or stay."""

    def talk(secured: ssl.SSLSocket) -> Answer:
        secured.settimeout(PATIENCE)
        body = struct.pack("!i", _VERSION_3) + f"user\0{role}\0database\0postgres\0\0".encode()
        secured.sendall(struct.pack("!i", len(body) + 4) + body)
        if refusal := _until(secured, b"R", read=_words):
            return Answer(admitted=False, words=refusal)
        _until(secured, b"Z", read=_words)
        query = b"select session_user\0"
        secured.sendall(b"Q" + struct.pack("!i", len(query) + 4) + query)
        identity = _until(secured, b"D", read=_words, wanted=_column)
        if leave:
            secured.sendall(b"X" + struct.pack("!i", 4))
        return Answer(admitted=True, words="logged in", identity=identity)

    return talk


Reader = Callable[[bytes], str]


def _until(secured: ssl.SSLSocket, kind: bytes, *, read: Reader, wanted: Reader = lambda _: "") -> str:
    """Read messages up to one of this kind; an error ends it sooner."""
    while True:
        found, length = struct.unpack("!ci", _exactly(secured, 5))
        body = _exactly(secured, length - 4)
        if found == b"E":
            return read(body)
        if found == kind:
            return wanted(body)


def _exactly(secured: ssl.SSLSocket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        piece = secured.recv(length - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def _words(body: bytes) -> str:
    """Severity and message of an ErrorResponse."""
    fields = {field[:1]: field[1:].decode("utf-8", "replace") for field in body.split(b"\0") if field}
    return f"{fields.get(b'S', 'ERROR')}: {fields.get(b'M', '')}"


def _column(body: bytes) -> str:
    """The first column of a DataRow."""
    length = int.from_bytes(body[2:6])
    return body[6 : 6 + length].decode("utf-8", "replace")


program = Program("postgresql", (_binary("initdb"), _binary("postgres"), _binary("psql")), "postgresql", start_cluster)
