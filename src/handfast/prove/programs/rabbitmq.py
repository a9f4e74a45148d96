"""RabbitMQ under proof: an AMQP 0-9-1 client that comes in by certificate, and opens a virtual host."""

import json
import ssl
from dataclasses import dataclass, replace
from pathlib import Path

from handfast.errors import Unavailable
from handfast.prove.log import LogReader
from handfast.prove.namespace import contained
from handfast.prove.process import Process, free_port, run, start, tail, wait_until
from handfast.prove.program import Observation, Outcome, Program, Running, Stage, Visit
from handfast.prove.visit import Answer, Door

# The command on PATH is a wrapper that only root and the broker's own user may run.
_SCRIPT = "/usr/lib/rabbitmq/bin/rabbitmq-server"
_CONTROL = "/usr/lib/rabbitmq/bin/rabbitmqctl"
_VIRTUAL_HOST = "/"
# Users that the broker knows: everybody in the cast. Who else comes has no account, whatever certificate it has.
_ALSO = ("shortlived",)
_STARTED = b"Server startup complete"
_START, _TUNE, _OPEN_OK, _CLOSE = (10, 10), (10, 30), (10, 41), (10, 50)


def begin(stage: Stage) -> Running:
    """Start the broker with the rendered files; everything it writes goes below the stage's directory."""
    (stage.directory / "definitions.json").write_text(definitions(stage), encoding="utf-8")
    main = stage.directory / "rabbitmq.conf"
    main.write_text(f"load_definitions = {stage.directory}/definitions.json\nlog.console = true\n", encoding="ascii")
    around = environment(stage, main)
    process = start(
        contained((_SCRIPT,)),
        output=stage.directory / "rabbitmq.log",
        directory=stage.directory,
        environment=around,
    )

    def started() -> bool:
        if not process.alive():
            raise Unavailable(f"rabbitmq ended at once: {tail(process.output)}", hint="its configuration is wrong")
        return _STARTED in process.output.read_bytes()

    try:
        wait_until(started, "rabbitmq is started", patience=90.0)
    except Unavailable:
        process.stop()
        raise
    broker = Broker(stage, process, around)
    return Running(
        visit=broker.visit,
        reload=broker.reload,
        stop=process.stop,
        alive=process.alive,
        log=process.output,
        kick=broker.kick,
    )


program = Program("rabbitmq", ("rabbitmq-server", "unshare"), "rabbitmq-server", begin)


def environment(stage: Stage, main: Path) -> dict[str, str]:
    """The broker's settings that are no configuration: names, ports and directories of its own."""
    at = str(stage.directory)
    return {
        "HOME": at,
        "RABBITMQ_NODENAME": f"proof{stage.setting.port}@localhost",
        "RABBITMQ_DIST_PORT": str(free_port()),
        "ERL_EPMD_PORT": str(free_port()),
        "RABBITMQ_CONFIG_FILE": str(main),
        "RABBITMQ_ADVANCED_CONFIG_FILE": stage.setting.file("advanced.config"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": stage.setting.file("enabled_plugins"),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_MNESIA_BASE": f"{at}/mnesia",
        "RABBITMQ_LOG_BASE": f"{at}/log",
        "RABBITMQ_LOGS": "-",
    }


def definitions(stage: Stage) -> str:
    """Accounts without a password for the whole cast, with the right to do everything."""
    names = sorted({visitor.name for visitor in stage.pki.visitors.values()} | set(_ALSO))
    return json.dumps(
        {
            "users": [{"name": name, "password_hash": "", "tags": ""} for name in names],
            "vhosts": [{"name": _VIRTUAL_HOST}],
            "permissions": [
                {"user": name, "vhost": _VIRTUAL_HOST, "configure": ".*", "write": ".*", "read": ".*"} for name in names
            ],
        }
    )


@dataclass(frozen=True, slots=True)
class Broker:
    """The broker at work."""

    stage: Stage
    process: Process
    environment: dict[str, str]

    def kick(self) -> None:
        """End every connection."""
        told = run(
            [_CONTROL, "close_all_connections", "revoked"],
            directory=self.stage.directory,
            environment=self.environment,
            patience=60.0,
        )
        if told.returncode != 0:
            raise Unavailable(f"rabbitmqctl: {told.stdout.strip()}", hint="the broker's log may say why")

    def visit(self, visit: Visit) -> Observation:
        """Connect as an AMQP client; the log says as whom."""
        pki = self.stage.pki
        reader = LogReader.at_end(self.process.output)
        seen = Door(self.stage.address, pki.server_name, pki.root, amqp).visit(visit)
        if seen.outcome is not Outcome.ADMITTED:
            return seen
        line = reader.line_with("authenticated and granted access")
        return replace(seen, identity=line.partition("user '")[2].partition("'")[0])

    def reload(self) -> None:
        """Nothing to do: the CRL directory is read at each handshake."""


def amqp(secured: ssl.SSLSocket) -> Answer:
    """From the protocol header to Connection.OpenOk (AMQP 0-9-1, section 2.2.4), by SASL EXTERNAL."""
    try:
        secured.sendall(b"AMQP\x00\x00\x09\x01")
    except ssl.SSLError:
        raise
    except OSError:
        # The broker may have closed already, and have said why: that is still to be read.
        pass
    if read_method(secured)[0] != _START:
        raise ValueError("AMQP begins with another method than start")
    # Connection.StartOk: no properties, mechanism, empty response, locale.
    send_method(secured, 11, bytes(4) + short("EXTERNAL") + bytes(4) + short("en_US"))
    method, tuning = read_method(secured)
    if method != _TUNE:
        return Answer(admitted=False, words=f"AMQP login refused: {closing(method, tuning)}")
    send_method(secured, 31, tuning[:8])
    send_method(secured, 40, short(_VIRTUAL_HOST) + b"\x00\x00")
    method, body = read_method(secured)
    if method != _OPEN_OK:
        return Answer(admitted=False, words=f"AMQP virtual host refused: {closing(method, body)}")
    return Answer(admitted=True, words="AMQP connection open")


def closing(method: tuple[int, int], body: bytes) -> str:
    """The words of Connection.Close."""
    return body[3 : 3 + body[2]].decode("utf-8", "replace") if method == _CLOSE else f"method {method}"


def short(text: str) -> bytes:
    """A short string."""
    return bytes([len(text)]) + text.encode()


def send_method(secured: ssl.SSLSocket, number: int, arguments: bytes) -> None:
    """One method frame of class Connection on channel 0."""
    payload = (10).to_bytes(2, "big") + number.to_bytes(2, "big") + arguments
    secured.sendall(b"\x01\x00\x00" + len(payload).to_bytes(4, "big") + payload + b"\xce")


def read_method(secured: ssl.SSLSocket) -> tuple[tuple[int, int], bytes]:
    """Class and number of the next method, and its arguments. Raises EOFError when the broker closes."""
    head = exactly(secured, 7)
    payload = exactly(secured, int.from_bytes(head[3:7], "big") + 1)[:-1]
    return (int.from_bytes(payload[:2], "big"), int.from_bytes(payload[2:4], "big")), payload[4:]


def exactly(secured: ssl.SSLSocket, count: int) -> bytes:
    """So many bytes. Raises EOFError when fewer come."""
    data = b""
    while len(data) < count:
        piece = secured.recv(count - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data
