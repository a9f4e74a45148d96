"""Postfix on loopback, an instance of its own, visited in SMTP (RFC 5321, RFC 3207). It runs as root only."""

import os
import socket
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from handfast.errors import Unavailable
from handfast.prove.log import LogReader
from handfast.prove.other_user import give
from handfast.prove.process import Process, run, start, wait_listening, wait_until
from handfast.prove.program import Program, Running, Stage, find_program
from handfast.prove.visit import PATIENCE, Answer, Door
from handfast.targets.postfix import CONFIG, DENIED

_MAIN = """compatibility_level = 3.6
queue_directory = {at}/queue
data_directory = {at}/data
maillog_file = {at}/mail.log
maillog_file_prefixes = {at}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = localhost.localdomain
mydestination =
mynetworks =
relay_domains = example.test
default_transport = discard
relay_transport = discard
alias_maps =
in_flow_delay = 0
"""
_MASTER = """127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
discard unix - - n - - discard
postlog unix-dgram n - n - 1 postlogd
"""


def run_postfix(stage: Stage) -> Running:
    """Start its master in the foreground and wait until it answers."""
    if os.geteuid() != 0:
        raise Unavailable("postfix runs as root only", hint="run this as root, or trust the proof of others")
    at = stage.directory
    at.chmod(0o755)
    rendered = Path(stage.setting.file(CONFIG)).read_text(encoding="utf-8")
    (at / "main.cf").write_text(_MAIN.format(at=at) + rendered, encoding="utf-8")
    (at / "master.cf").write_text(_MASTER.format(port=stage.setting.port), encoding="utf-8")
    for name in ("queue", "data"):
        (at / name).mkdir(mode=0o755)
    give(at / "data", "postfix")
    log = at / "mail.log"
    log.touch()
    postfix = find_program("postfix") or "postfix"
    process = start([postfix, "-c", str(at), "start-fg"], output=at / "output.log", directory=at)
    try:
        wait_listening(process, stage.address)
    except BaseException:
        _stop(process, at, postfix)
        raise
    door = Door(stage.address, stage.pki.server_name, stage.pki.root, _deliver, prelude=_ask_for_tls)
    return Running(
        visit=door.visit,
        reload=lambda: _reload(at, postfix, log),
        stop=lambda: _stop(process, at, postfix),
        alive=process.alive,
        log=log,
        deny=lambda serials: _deny(stage, serials, at, postfix),
    )


def _stop(process: Process, at: Path, postfix: str) -> None:
    run([postfix, "-c", str(at), "stop"], directory=at)
    process.stop()


def _reload(at: Path, postfix: str, log: Path) -> None:
    reader = LogReader.at_end(log)
    run([postfix, "-c", str(at), "reload"], directory=at)
    wait_until(lambda: "reload" in reader.text(), "postfix has read its files again")


def _deny(stage: Stage, serials: tuple[int, ...], at: Path, postfix: str) -> None:
    """As the operator does: the fingerprints onto the list, and a reload."""
    chains = [visitor.chain for visitor in stage.pki.visitors.values() if visitor.serial in serials and visitor.chain]
    leaves = [x509.load_pem_x509_certificate(chain.encode()) for chain in chains]
    lines = [f"{leaf.fingerprint(hashes.SHA256()).hex(':').upper()} REJECT revoked\n" for leaf in leaves]
    Path(stage.setting.file(DENIED)).write_text("".join(lines), encoding="ascii")
    _reload(at, postfix, at / "mail.log")


def _ask_for_tls(raw: socket.socket) -> None:
    """Greeting and STARTTLS in the clear."""
    raw.settimeout(PATIENCE)
    for say in (b"", b"EHLO client.example.test\r\n", b"STARTTLS\r\n"):
        raw.sendall(say)
        answer = _reply(raw)
        if answer[:1] != "2":
            raise ValueError(answer)


def _deliver(secured: ssl.SSLSocket) -> Answer:
    """Whoever may name a recipient is in."""
    answer = ""
    for say in ("EHLO client.example.test", "MAIL FROM:<a@example.test>", "RCPT TO:<b@example.test>"):
        secured.sendall(f"{say}\r\n".encode())
        answer = _reply(secured)
        if answer[:1] != "2":
            return Answer(admitted=False, words=answer)
    secured.sendall(b"QUIT\r\n")
    return Answer(admitted=True, words=answer)


def _reply(connection: socket.socket) -> str:
    """The last line of a reply."""
    data = b""
    while not (data.endswith(b"\r\n") and data.splitlines()[-1][3:4] == b" "):
        piece = connection.recv(4096)
        if not piece:
            raise EOFError
        data += piece
    return data.splitlines()[-1].decode("utf-8", "replace")


program = Program("postfix", ("postfix",), "postfix", run_postfix)
