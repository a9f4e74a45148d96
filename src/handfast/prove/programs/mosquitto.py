"""Mosquitto under proof: an MQTT 5 client connects, writes to its own topic, and tries one of somebody else's."""

import signal
import ssl
from collections.abc import Callable

from handfast.prove.process import Process, start, wait_listening, wait_until
from handfast.prove.program import Observation, Program, Running, Stage, Visit
from handfast.prove.visit import Answer, Dialogue, Door
from handfast.targets.contract import RenderedFile

# What Debian's own mosquitto.conf does around the rendered files; `user root` because the files are a proof's.
_MAIN = """\
log_dest stderr
log_type all
user root
include_dir {directory}
"""


def begin(stage: Stage) -> Running:
    """Start the broker with the rendered files."""
    main = stage.directory / "main"
    main.write_text(_MAIN.format(directory=stage.setting.directory), encoding="ascii")
    return _Broker(stage).running()


program = Program("mosquitto", ("mosquitto",), "mosquitto", begin)


class _Broker:
    """The process of the moment: a kick is a restart."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.process = self.start()

    def start(self) -> Process:
        """Start it, with the environment that the rendered systemd drop-in sets."""
        process = start(
            ("mosquitto", "-c", str(self.stage.directory / "main")),
            output=self.stage.directory / "mosquitto.log",
            directory=self.stage.directory,
            environment=environment(self.stage.files),
        )
        wait_listening(process, self.stage.address)
        return process

    def running(self) -> Running:
        """What the matrix works with."""
        return Running(
            visit=self.visit,
            reload=self.reload,
            stop=self.stop,
            alive=self.alive,
            log=self.process.output,
            kick=self.restart,
        )

    def stop(self) -> None:
        """End it."""
        self.process.stop()

    def alive(self) -> bool:
        """Whether it runs."""
        return self.process.alive()

    def visit(self, visit: Visit) -> Observation:
        """Connect as an MQTT client."""
        pki = self.stage.pki
        return Door(self.stage.address, pki.server_name, pki.root, mqtt(visit.visitor.name)).visit(visit)

    def reload(self) -> None:
        """SIGHUP. The broker has one thread, so what connects after this line of the log meets the new files."""
        offset = self.process.output.stat().st_size
        self.process.signal(signal.SIGHUP)
        wait_until(lambda: b"Reloading config" in self.process.output.read_bytes()[offset:], "mosquitto reloads")

    def restart(self) -> None:
        """As `systemctl restart`: every session ends."""
        self.stop()
        self.process = self.start()


def environment(files: tuple[RenderedFile, ...]) -> dict[str, str]:
    """The variables that a rendered systemd drop-in sets."""
    lines = (line for file in files if file.path.endswith(".dropin") for line in file.content.splitlines())
    settings = (line.removeprefix("Environment=") for line in lines if line.startswith("Environment="))
    return dict(setting.split("=", 1) for setting in settings)


def mqtt(name: str) -> Dialogue:
    """CONNECT, then publish to one's own topic (allowed) and to another's (not). name: the client's common name."""

    def talk(secured: ssl.SSLSocket) -> Answer:
        # CONNECT (MQTT 5, section 3.1): clean start, keep alive 60 s, and a user name that must not count.
        packet(secured, 0x10, text("MQTT") + bytes([5, 0x82, 0, 60, 0]) + text("proof") + text("admin"))
        kind, body = read_packet(secured)
        if kind != 0x20 or body[1] != 0:
            return Answer(admitted=False, words=f"MQTT connect refused, reason {body[1]:#04x}")
        own, foreign = publish(secured, f"devices/{name}/state", 1), publish(secured, "devices/somebody-else/state", 2)
        if own or not foreign:
            return Answer(admitted=False, words=f"MQTT topics not as configured: own {own:#04x}, other {foreign:#04x}")
        return Answer(admitted=True, words="MQTT connected", identity=name)

    return talk


def publish(secured: ssl.SSLSocket, topic: str, number: int) -> int:
    """PUBLISH with quality of service 1; the reason of the PUBACK: 0 when it was taken (MQTT 5, section 3.4)."""
    packet(secured, 0x32, text(topic) + number.to_bytes(2, "big") + b"\x00on")
    kind, body = read_packet(secured)
    if kind != 0x40:
        raise ValueError(f"MQTT packet {kind:#04x} in place of PUBACK")
    no_subscriber = 0x10
    reason = body[2] if len(body) > 2 else 0
    return 0 if reason == no_subscriber else reason


def text(value: str) -> bytes:
    """A string as MQTT has it: two bytes of length first."""
    return len(value).to_bytes(2, "big") + value.encode()


def packet(secured: ssl.SSLSocket, kind: int, body: bytes) -> None:
    """Send one packet of less than 128 bytes. What the broker said before it closed is left to be read."""
    try:
        secured.sendall(bytes([kind, len(body)]) + body)
    except ssl.SSLError:
        raise
    except OSError:
        pass


def read_packet(secured: ssl.SSLSocket) -> tuple[int, bytes]:
    """Read one packet of less than 128 bytes. Raises EOFError when the broker closes."""
    kind, length = exactly(secured.recv, 2)
    return kind, exactly(secured.recv, length)


def exactly(receive: Callable[[int], bytes], count: int) -> bytes:
    """So many bytes. Raises EOFError when fewer come."""
    data = b""
    while len(data) < count:
        piece = receive(count - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data
