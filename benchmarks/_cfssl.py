"""CFSSL as a service, with its SQLite, over TLS."""

import json
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

_SCHEMA = """
CREATE TABLE certificates (serial_number blob NOT NULL, authority_key_identifier blob NOT NULL, ca_label blob,
  status blob NOT NULL, reason int, expiry timestamp, revoked_at timestamp, pem blob NOT NULL, issued_at timestamp,
  not_before timestamp, metadata text, sans text, common_name text,
  PRIMARY KEY (serial_number, authority_key_identifier));
"""


@contextmanager
def serving(place: Path) -> Iterator[tuple["subprocess.Popen[bytes]", tuple[str, int], Path]]:
    """A CA of its own, and a server that signs for everybody."""
    made = subprocess.run(
        ["cfssl", "gencert", "-initca", "-"],
        input=json.dumps({"CN": "Benchmark", "key": {"algo": "ecdsa", "size": 256}}).encode(),
        capture_output=True, check=True,
    )  # fmt: skip
    ca = json.loads(made.stdout)
    (place / "ca.pem").write_text(ca["cert"])
    (place / "ca-key.pem").write_text(ca["key"])
    usages = ["signing", "client auth"]
    config = {"signing": {"default": {"usages": [*usages, "server auth"], "expiry": "2160h"}}}
    (place / "config.json").write_text(json.dumps(config))
    own = subprocess.run(
        ["cfssl", "gencert", "-ca", "ca.pem", "-ca-key", "ca-key.pem", "-config", "config.json", "-"],
        input=json.dumps({"CN": "localhost", "hosts": ["localhost"], "key": {"algo": "ecdsa", "size": 256}}).encode(),
        capture_output=True, check=True, cwd=place,
    )  # fmt: skip
    server = json.loads(own.stdout)
    (place / "server.pem").write_text(server["cert"])
    (place / "server-key.pem").write_text(server["key"])
    with closing(sqlite3.connect(place / "certs.db")) as database:
        database.executescript(_SCHEMA)
    (place / "db.json").write_text(json.dumps({"driver": "sqlite3", "data_source": str(place / "certs.db")}))
    port = _free_port()
    with (place / "log").open("wb") as log:
        process = subprocess.Popen(
            ["cfssl", "serve", "-address", "127.0.0.1", "-port", str(port), "-ca", "ca.pem", "-ca-key", "ca-key.pem",
             "-config", "config.json", "-db-config", "db.json", "-tls-cert", "server.pem", "-tls-key",
             "server-key.pem", "-loglevel", "4"],
            stdout=log, stderr=log, cwd=place,
        )  # fmt: skip
    try:
        _wait_for(port, process)
        yield process, ("127.0.0.1", port), place / "ca.pem"
    finally:
        process.terminate()
        process.wait()


def requests(_place: Path, csrs: Iterable[tuple[str, bytes]]) -> list[bytes]:
    """As its API wants them."""
    found = []
    for name, der in csrs:
        pem = x509.load_der_x509_csr(der).public_bytes(Encoding.PEM).decode()
        body = json.dumps({"certificate_request": pem, "hosts": [name]}).encode()
        head = (
            "POST /api/v1/cfssl/sign HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        found.append(head.encode() + body)
    return found


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(200):
        if process.poll() is not None:
            break
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit("the peer did not start: see its log")
