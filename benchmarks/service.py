"""Certificates from a running service over keep-alive HTTPS: how many durable issues one second of its CPU gives.

The bar: at least 1,500, ahead of everything that stores, and flat from 1,000 to 1,000,000 on record."""

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from benchmarks import _bare_service, _cfssl, _step
from benchmarks._clients import join
from benchmarks._measure import cost_of, handfast
from benchmarks._report import Table
from benchmarks.store import fill
from handfast.keys.generate import generate_key
from handfast.pki.csr import build_request
from handfast.pki.keys import KeyKind
from handfast.pki.names import parse_names
from handfast.pki.subject import parse_subject

_TICKS = os.sysconf("SC_CLK_TCK")
_WARMING = 200
_SYNCED = 200
_SYNC = re.compile(r"^\d+ +(?:fsync|fdatasync|msync|sync_file_range)\(", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Server:
    """A server under load. address: where it speaks TLS. root: what its clients trust, in PEM."""

    process: "subprocess.Popen[bytes]"
    address: tuple[str, int]
    root: Path

    def cpu(self) -> float:
        """Seconds of CPU so far, with all of its threads."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def memory(self) -> float:
        """The most that was resident so far, in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def measure(folder: Path, *, quick: bool) -> list[Table]:
    """Ours with a growing store, then the loop that one would write, and the peers that are on PATH."""
    count = 400 if quick else 4000
    columns = ("who", "on record", "1 client", "16 clients", "MiB", "syncs of one issue")
    table = Table("Issues per second of the server's CPU", columns)
    for stored in (0, 1000) if quick else (1_000, 10_000, 100_000, 1_000_000):
        place = folder / f"ours-{stored}"
        place.mkdir()
        with ours(place, stored) as (server, header):
            rates = [rate(server, place, est_requests(count, header), clients) for clients in (1, 16)]
            synced = _syncs(server, place, est_requests(_SYNCED, header))
            table.add("handfast serve, EST, SQLite", f"{stored:,}", *_whole(rates), _mib(server), synced)
    requests = [der for _, der in csrs(count)]
    bare = [_bare_service.rate(folder / f"bare-{group}.sqlite", requests, group) for group in (1, 16)]
    table.add("bare loop, 1 and 16 to a commit", "few", *_whole(bare), "", "1")
    for name, program, peer, ask in (
        ("CFSSL, SQLite", "cfssl", _cfssl.serving, _cfssl.requests),
        ("step-ca, Badger", "step-ca", _step.serving, _step.requests),
    ):
        if shutil.which(program) is None:
            table.notes.append(f"{program} is not on PATH: not measured.")
            continue
        place = folder / program
        place.mkdir()
        with peer(place) as (process, address, root):
            server = Server(process, address, root)
            rates = [rate(server, place, ask(place, csrs(count + _WARMING)), clients) for clients in (1, 16)]
            synced = _syncs(server, place, ask(place, csrs(_SYNCED + _WARMING)))
            table.add(name, "few", *_whole(rates), _mib(server), synced)
    table.notes.append(
        "The bare loop, of cryptography and SQLite, has no HTTP, asks nobody, checks and records nothing."
    )
    table.notes.append("Each client waits for its answer before it asks again. Keys are P-256, made before.")
    table.notes.append(
        "Syncs: how often it waits for the disk while one client gets one certificate (fsync, fdatasync, msync, "
        "as strace counts them). Where that is never, a loss of power takes certificates that clients have."
    )
    return [table]


def _whole(rates: list[float]) -> list[str]:
    return [f"{one:,.0f}" for one in rates]


def _syncs(server: Server, place: Path, requests: list[bytes]) -> str:
    """How often it waits for the disk for one certificate, as strace sees it."""
    if shutil.which("strace") is None:
        return "no strace"
    told = place / "strace"
    watching = ["strace", "-f", "-e", "trace=fsync,fdatasync,msync,sync_file_range", "-o", str(told)]
    with subprocess.Popen([*watching, "-p", str(server.process.pid)], stderr=subprocess.PIPE) as tracer:
        assert tracer.stderr is not None
        tracer.stderr.readline()  # it is attached
        ask_all(server, place, requests, 1)
        tracer.send_signal(signal.SIGINT)
    return f"{len(_SYNC.findall(told.read_text())) / len(requests):.1f}"


def _mib(server: Server) -> str:
    return f"{server.memory():.0f}"


def rate(server: Server, place: Path, requests: list[bytes], clients: int) -> float:
    """Answers per second of CPU; the first requests are for warming up."""
    ask_all(server, place, requests[:_WARMING], clients)
    before = server.cpu()
    done = ask_all(server, place, requests[_WARMING:], clients)
    spent = server.cpu() - before
    good = done["statuses"].get("200", 0) + done["statuses"].get("201", 0)
    if good != len(requests) - _WARMING:
        sys.exit(f"not every request was answered with a certificate: {done['statuses']}")
    return float(good) / spent


def ask_all(server: Server, place: Path, requests: list[bytes], clients: int) -> dict[str, dict[str, int]]:
    plan, data = place / "plan.json", place / "requests.bin"
    data.write_bytes(join(requests))
    plan.write_text(
        json.dumps({"address": server.address, "root": str(server.root), "requests": str(data), "clients": clients})
    )
    told = subprocess.run([sys.executable, "-m", "benchmarks._clients", str(plan)], capture_output=True, check=True)
    document: dict[str, dict[str, int]] = json.loads(told.stdout)
    return document


def csrs(count: int) -> Iterator[tuple[str, bytes]]:
    """A name and a CSR in DER for each."""
    stamp = time.time_ns()
    for number in range(count):
        name = f"d{stamp:x}-{number}.example.org"
        key = generate_key(KeyKind.P256)
        request = build_request(key, subject=parse_subject(f"CN={name}"), names=parse_names([name]))
        yield name, request.public_bytes(Encoding.DER)


def est_requests(count: int, header: str) -> list[bytes]:
    """As a client of EST sends them."""
    found = []
    for _, der in csrs(count + _WARMING):
        body = base64.b64encode(der)
        head = (
            "POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/pkcs10\r\n"
            f"Authorization: {header}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        found.append(head.encode() + body)
    return found


@contextmanager
def ours(place: Path, stored: int) -> Iterator[tuple[Server, str]]:
    """The service with so many certificates on record, and a requester's Authorization header."""
    ca = place / "ca"
    header = authority(ca)
    if stored:
        fill(ca / "ca.sqlite", stored)
    with serving(ca) as server:
        yield server, header


def authority(ca: Path, *options: str) -> str:
    """Make an authority with a requester; its Authorization header. options: of `handfast init`."""
    cost_of(handfast("init", str(ca), "--no-passphrase", "--name", "Benchmark CA", *options))
    told = subprocess.run(
        handfast("requester", "add", "fleet", "--ca", str(ca), "--role", "requester", "--profile", "device",
                 "--any-name", "--token", "--json"),
        capture_output=True, check=True,
    )  # fmt: skip
    secret = json.loads(told.stdout)["secret"]
    return "Basic " + base64.b64encode(f"fleet:{secret}".encode()).decode()


@contextmanager
def serving(ca: Path) -> Iterator[Server]:
    """`handfast serve` for the authority in this directory."""
    command = handfast("serve", "--ca", str(ca), "--listen", "127.0.0.1:0", "--http", "", "--json")
    with ca.with_name(f"{ca.name}.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
    try:
        port = int(_first_document(process)["https"].rpartition(":")[2])
        yield Server(process, ("127.0.0.1", port), ca / "certificates" / "root.pem")
    finally:
        process.terminate()
        process.wait()


def _first_document(process: "subprocess.Popen[bytes]") -> dict[str, str]:
    text = b""
    assert process.stdout is not None
    for line in process.stdout:
        text += line
        if line.startswith(b"}"):
            document: dict[str, str] = json.loads(text)
            return document
    sys.exit("the service did not start")
