"""A running `handfast serve`, as a process of its own, with a trial protocol that comes from an installed package."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import Any

from handfast.ca.authority import Authority
from handfast.ca.order import Issued, Order
from handfast.keys.generate import generate_key
from handfast.keys.passphrase import no_passphrase
from handfast.pki.keys import KeyKind
from handfast.pki.pem import to_pem
from handfast.pki.subject import parse_subject
from handfast.server.assembly import open_authority
from handfast.server.founding import Plan, create_authority

# How long a loaded machine may take for what a free one does in a moment.
PATIENCE = 60.0
_HANDFAST = Path(sys.executable).with_name("handfast")
_TRIAL = Path(__file__).with_name("trial_protocol.py")


@dataclass(frozen=True, slots=True)
class Running:
    """A service that answers. https, http: its ports; metrics: that of the metrics, 0 when it has none.

    plain: by the path that it says it serves, whether it says that plain HTTP answers it too.
    """

    directory: Path
    https: int
    http: int
    process: "subprocess.Popen[str]"
    log_path: Path
    metrics: int
    plain: Mapping[str, bool]

    @property
    def root(self) -> Path:
        """What its clients trust."""
        return self.directory / "certificates" / "root.pem"

    def log(self) -> str:
        """What it logged so far."""
        return self.log_path.read_text()

    def context(self, client: Path | None = None, *, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
        """A client's TLS context. client: a folder that client_files() made."""
        context = ssl.create_default_context(cafile=str(self.root))
        if version is not None:
            context.maximum_version = version
        if client is not None:
            context.load_cert_chain(client / "chain.pem", client / "key.pem")
        return context

    def connection(self, client: Path | None = None, **options: ssl.TLSVersion) -> HTTPSConnection:
        """A connection that stays open from one request to the next."""
        context = self.context(client, **options)
        return HTTPSConnection("localhost", self.https, context=context, timeout=PATIENCE)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)


def authority_in(directory: Path, settings: str = "") -> None:
    """A new authority, without a passphrase."""
    plan = Plan(name="Trial", settings=settings)
    create_authority(directory, plan, passphrase=no_passphrase).store.close()


@contextmanager
def opened(directory: Path) -> Iterator[Authority]:
    """The authority of a running service, from another process than it."""
    authority = open_authority(directory, passphrase=no_passphrase)
    try:
        yield authority
    finally:
        authority.store.close()


def client_files(directory: Path, name: str, folder: Path, *, lifetime: timedelta | None = None) -> Issued:
    """A client's certificate of that authority, as key.pem and chain.pem in a folder of its own.

    lifetime: None for the profile's.
    """
    key = generate_key(KeyKind.P256)
    subject = parse_subject(f"CN={name}")
    with opened(directory) as authority:
        issued = authority.issue(
            Order(profile="client", public_key=key.public_key(), subject=subject, lifetime=lifetime)
        )
    folder.mkdir()
    (folder / "key.pem").write_text(to_pem(key))
    (folder / "chain.pem").write_text("".join(map(to_pem, (issued.certificate, *issued.chain))))
    return issued


@contextmanager
def running(directory: Path, *options: str, workplace: Path, **variables: str) -> Iterator[Running]:
    """The service of the authority in that directory; it is stopped when this ends."""
    environment = {**os.environ, **variables, "PYTHONPATH": str(_installed_trial(workplace))}
    log_path = workplace / "service.log"
    command = [_HANDFAST, "serve", "--ca", directory, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--json"]
    with log_path.open("w") as log:
        process = subprocess.Popen(
            [*map(str, command), *options], stdout=subprocess.PIPE, stderr=log, env=environment, text=True
        )
    try:
        told = _first_document(process, log_path)
        metrics = _port(told["metrics"]) if told["metrics"] else 0
        plain = {route["path"]: route["is_plain"] for route in told["routes"]}
        yield Running(directory, _port(told["https"]), _port(told["http"]), process, log_path, metrics, plain)
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Wait until the condition holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.02)


def get(connection: HTTPConnection, path: str, **headers: str) -> tuple[int, str]:
    """Status and body of a GET."""
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    return response.status, response.read().decode()


def _first_document(process: "subprocess.Popen[str]", log_path: Path) -> dict[str, Any]:
    text = ""
    assert process.stdout is not None
    for line in process.stdout:
        text += line
        if line.startswith("}"):
            return json.loads(text)  # type: ignore[no-any-return]  # what print_json wrote
    raise AssertionError(f"it did not start: {log_path.read_text()}")


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])


def _installed_trial(workplace: Path) -> Path:
    """A folder as pip makes it: the module, and the metadata with its entry point."""
    folder = workplace / "site"
    information = folder / "handfast_trial-1.0.dist-info"
    information.mkdir(parents=True, exist_ok=True)
    (folder / "handfast_trial.py").write_text(_TRIAL.read_text())
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: handfast-trial\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[handfast.protocols]\ntrial = handfast_trial\n")
    return folder


def rest_of(connection: socket.socket) -> bytes:
    """What comes until the other end closes; fails when it does not."""
    data = b""
    try:
        while piece := connection.recv(65536):
            data += piece
    except ConnectionResetError:
        pass
    return data


def curl(running: Running, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """curl, trusting the service's authority."""
    command: Sequence[str] = [str(one) for one in ("curl", "-sS", "--cacert", running.root, *arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
