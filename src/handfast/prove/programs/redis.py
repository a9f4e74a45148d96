"""Redis on loopback, visited in its own protocol (RESP)."""

import ssl
from pathlib import Path

from handfast.prove.process import run, start, wait_listening
from handfast.prove.program import Program, Running, Stage
from handfast.prove.visit import Answer, Dialogue, Door
from handfast.targets.redis import CONFIG


def run_redis(stage: Stage) -> Running:
    """Start it in the foreground and wait until it answers."""
    at = stage.directory
    main, log = at / "redis.conf", at / "output.log"
    main.write_text(
        f'dir {at}\nsave ""\nloglevel verbose\nunixsocket {at}/redis.sock\ninclude {stage.setting.file(CONFIG)}\n',
        encoding="utf-8",
    )
    process = start(["redis-server", str(main)], output=log, directory=at)
    try:
        wait_listening(process, stage.address)
    except BaseException:
        process.stop()
        raise
    door = Door(stage.address, stage.pki.server_name, stage.pki.root, ping())
    return Running(
        visit=door.visit,
        reload=lambda: _tell(at, "config", "set", "tls-ca-cert-file", stage.setting.client_ca),
        stop=process.stop,
        alive=process.alive,
        log=log,
        kick=lambda: _tell(at, "client", "kill", "type", "normal"),
    )


def _tell(at: Path, *command: str) -> None:
    """Over its socket, which no certificate guards: it is in our directory."""
    run(["redis-cli", "-s", str(at / "redis.sock"), *command], directory=at)


def ping() -> Dialogue:
    """PING is answered to everybody who got in."""

    def talk(secured: ssl.SSLSocket) -> Answer:
        secured.sendall(b"PING\r\n")
        answer = secured.recv(100)
        if not answer:
            raise EOFError
        return Answer(answer == b"+PONG\r\n", answer.decode("ascii", "replace").strip())

    return talk


program = Program("redis", ("redis-server", "redis-cli"), "redis-server", run_redis)
