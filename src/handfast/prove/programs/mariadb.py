"""MariaDB on loopback: a data directory of its own, visited in the client/server protocol (version 10)."""

import socket
import ssl
import struct
from dataclasses import dataclass, field
from pathlib import Path

from handfast.errors import Unavailable
from handfast.prove.other_user import as_user, give
from handfast.prove.process import run, start, wait_listening
from handfast.prove.program import Observation, Program, Running, Stage, Visit, find_program
from handfast.prove.visit import PATIENCE, Answer, Dialogue, Door
from handfast.targets.mariadb import CONFIG, OPENSSL

_USER = "mysql"
# PROTOCOL_41, SSL, SECURE_CONNECTION, PLUGIN_AUTH; then the largest packet, utf8mb4, and 23 reserved bytes.
_HELLO = struct.pack("<IIB23x", 0x200 | 0x800 | 0x8000 | 0x80000, 1 << 24, 45)


@dataclass(frozen=True, slots=True)
class Database:
    """A data directory and its server. accounts: those that exist."""

    directory: Path
    accounts: set[str] = field(default_factory=set)

    @property
    def socket(self) -> Path:
        """Where the administrator comes in."""
        return self.directory / "m.sock"

    @property
    def temporary(self) -> Path:
        """Its own, since a server that starts deletes what it takes for left behind, also when it is another's."""
        return self.directory / "tmp"

    def create(self) -> None:
        """The system tables."""
        (self.directory / "data").mkdir(mode=0o700)
        self.temporary.mkdir(mode=0o700)
        give(self.directory, _USER)
        made = run(
            [*as_user(_USER), find_program("mariadb-install-db") or "mariadb-install-db", "--no-defaults",
             f"--datadir={self.directory / 'data'}", f"--tmpdir={self.temporary}",
             "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"],
            directory=self.directory, patience=120,
        )  # fmt: skip
        if made.returncode != 0:
            raise Unavailable(f"mariadb-install-db: {made.stdout.strip()}", hint="the last line says why")

    def tell(self, sql: str) -> None:
        """As root through the socket."""
        told = run(
            ["mariadb", "--no-defaults", "-S", str(self.socket), "-u", "root", "-e", sql], directory=self.directory
        )
        if told.returncode != 0:
            raise Unavailable(f"mariadb: {told.stdout.strip()}", hint="the server's log may say why")

    def have(self, name: str) -> None:
        """The account exists, and demands the certificate of that name."""
        if name not in self.accounts:
            self.tell(f"create user '{name}'@'%' identified by '' require subject '/CN={name}'")
            self.accounts.add(name)


def start_server(stage: Stage) -> Running:
    """Start it in the foreground and wait until it answers."""
    at = stage.directory
    database = Database(at)
    database.create()
    main = at / "my.cnf"
    main.write_text(
        f"[mariadbd]\ndatadir = {at}/data\nsocket = {database.socket}\npid_file = {at}/m.pid\n"
        f"tmpdir = {database.temporary}\nskip_name_resolve\n"
        f"!include {stage.setting.file(CONFIG)}\n",
        encoding="utf-8",
    )
    give(at, _USER)
    process = start(
        [*as_user(_USER), find_program("mariadbd") or "mariadbd", f"--defaults-file={main}"],
        output=at / "output.log",
        directory=at,
        environment={"OPENSSL_CONF": stage.setting.file(OPENSSL)},
    )
    try:
        wait_listening(process, stage.address)
    except BaseException:
        process.stop()
        raise
    return Running(
        visit=lambda visit: _visit(stage, database, visit),
        reload=lambda: database.tell("flush ssl"),
        stop=process.stop,
        alive=process.alive,
        log=at / "output.log",
        kick=lambda: database.tell("; ".join(f"kill user '{name}'" for name in sorted(database.accounts))),
    )


def _visit(stage: Stage, database: Database, visit: Visit) -> Observation:
    name = visit.visitor.name
    database.have(name)
    door = Door(stage.address, stage.pki.server_name, stage.pki.root, login(name), prelude=ask_for_tls)
    return door.visit(visit)


def ask_for_tls(raw: socket.socket) -> None:
    """The server greets in the clear; the answer is a request for TLS."""
    raw.settimeout(PATIENCE)
    length = int.from_bytes(_exactly(raw, 4)[:3], "little")
    if _exactly(raw, length)[0] != 10:
        message = "the server refuses to talk"
        raise ValueError(message)
    raw.sendall(_packet(1, _HELLO))


def login(name: str) -> Dialogue:
    """Take the account, and ask the server who we are."""

    def talk(secured: ssl.SSLSocket) -> Answer:
        secured.sendall(_packet(2, _HELLO + name.encode() + b"\0\0mysql_native_password\0"))
        verdict = _body(secured)
        if verdict[0] != 0:
            words = verdict[9:].decode("utf-8", "replace")
            return Answer(admitted=False, words=f"ERROR {int.from_bytes(verdict[1:3], 'little')}: {words}")
        secured.sendall(_packet(0, b"\x03select current_user()"))
        for _ in range(3):  # how many columns, what they are, the end of that
            _body(secured)
        return Answer(admitted=True, words="logged in", identity=_body(secured)[1:].decode("utf-8", "replace"))

    return talk


def _packet(number: int, body: bytes) -> bytes:
    return len(body).to_bytes(3, "little") + bytes([number]) + body


def _body(connection: socket.socket) -> bytes:
    return _exactly(connection, int.from_bytes(_exactly(connection, 4)[:3], "little"))


def _exactly(connection: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        piece = connection.recv(length - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


program = Program("mariadb", ("mariadbd", "mariadb-install-db", "mariadb"), "mariadb-server", start_server)
