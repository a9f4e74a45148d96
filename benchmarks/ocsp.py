"""OCSP answers over plain HTTP that stays open: how many one second of the server's CPU gives.

The bars: at least 20,000 from the service itself, and from published files within 10 % of what nginx serves of any
files of that size. Beside it `openssl ocsp -port`, which signs each and hangs up,
and nginx with the files of `handfast publish`. Each of 16 clients waits for its answer before it asks again."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks._clients import join
from benchmarks._measure import cost_of, handfast
from benchmarks._report import Table
from handfast.ca.authority import Authority
from handfast.ca.order import Order
from handfast.keys.generate import generate_key
from handfast.keys.passphrase import no_passphrase
from handfast.pki.keys import KeyKind
from handfast.pki.ocsp import build_request, cert_id, issuer_keys
from handfast.pki.subject import parse_subject
from handfast.protocols.ocsp import file_name, get_path
from handfast.server.assembly import open_authority

_TICKS = os.sysconf("SC_CLK_TCK")
_CERTIFICATES = 500
_CLIENTS = 16
_NGINX = """daemon off;
user root;
worker_processes 1;
pid {at}/nginx.pid;
error_log {at}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 10000000;
    open_file_cache max=10000;
    server {{
        listen 127.0.0.1:{port};
        root {at}/pki;
        location /ocsp/ {{ types {{}} default_type application/ocsp-response; }}
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A server under load."""

    process: "subprocess.Popen[bytes]"
    port: int

    def cpu(self) -> float:
        """Seconds of CPU so far, of it and of its children."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return sum(_cpu(one) for one in (self.process.pid, *map(int, children)))


def measure(folder: Path, *, quick: bool) -> list[Table]:
    """Ours by POST and GET, and the peers that are on PATH."""
    count = 2_000 if quick else 100_000
    ca = folder / "ca"
    cost_of(handfast("init", str(ca), "--no-passphrase", "--name", "Benchmark CA"))
    questions = certificates(ca)
    posts, gets = [_post(one) for one in questions], [_get(one) for one in questions]
    table = Table("OCSP answers per second of the server's CPU", ("who", "how", "answers"))
    with ours(ca, folder / "log") as server:
        for how, requests in (("POST", posts), ("GET", gets)):
            table.add("handfast serve", how, f"{rate(server, folder, requests, count):,.0f}")
    if shutil.which("nginx") is None:
        table.notes.append("nginx is not on PATH: not measured.")
    else:
        cost_of(handfast("publish", str(folder / "pki"), "--ca", str(ca)))
        plain = plain_files(folder / "pki", questions)
        with nginx(folder) as server:
            # By turns: what else the machine does meets both.
            rates = [(rate(server, folder, gets, count // 2), rate(server, folder, plain, count // 2)) for _ in "ab"]
        table.add("nginx, handfast publish", "GET", f"{sum(one for one, _ in rates) / 2:,.0f}")
        table.add("nginx, any files of that size", "GET", f"{sum(one for _, one in rates) / 2:,.0f}")
    if shutil.which("openssl") is None:
        table.notes.append("openssl is not on PATH: not measured.")
    else:
        with openssl(folder / "openssl") as (server, asked):
            few = [_post(one) for one in asked]
            table.add("openssl ocsp -port", "POST", f"{rate(server, folder, few, count // 20, anew=True):,.0f}")
    return [table]


def rate(server: Server, place: Path, requests: list[bytes], count: int, *, anew: bool = False) -> float:
    """Answers per second of CPU; every question is asked once before, for warming up."""
    _ask(server, place, requests, anew=anew)
    before = server.cpu()
    many = requests * max(1, count // len(requests))
    statuses = _ask(server, place, many, anew=anew)
    spent = server.cpu() - before
    if statuses != {"200": len(many)}:
        sys.exit(f"not every question was answered: {statuses}")
    return len(many) / spent


def certificates(ca: Path) -> list[bytes]:
    """Issue some; the requests about them."""
    authority = open_authority(ca, passphrase=no_passphrase)
    key = generate_key(KeyKind.P256).public_key()
    orders = [
        Order(profile="client", public_key=key, subject=parse_subject(f"CN=c{one}")) for one in range(_CERTIFICATES)
    ]
    serials = [one.record.serial for one in authority.carry_out([authority.decide(order) for order in orders])]
    found = _questions(authority, serials)
    authority.store.close()
    return found


def plain_files(folder: Path, questions: list[bytes]) -> list[bytes]:
    """The published answers once more, under numbers; the requests for them."""
    (folder / "ocsp" / "plain").mkdir()
    for number, question in enumerate(questions):
        answer = folder / "ocsp" / file_name(question)
        (folder / "ocsp" / "plain" / str(number)).write_bytes(answer.read_bytes())
    return [f"GET /ocsp/plain/{number} HTTP/1.1\r\nHost: a\r\n\r\n".encode() for number in range(len(questions))]


@contextmanager
def ours(ca: Path, log: Path) -> Iterator[Server]:
    """The service."""
    command = handfast("serve", "--ca", str(ca), "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--json")
    with log.open("wb") as stream:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stream)
    with _ending(process):
        text = b""
        assert process.stdout is not None
        for line in process.stdout:
            text += line
            if line.startswith(b"}"):
                break
        yield Server(process, int(json.loads(text)["http"].rpartition(":")[2]))


@contextmanager
def nginx(folder: Path) -> Iterator[Server]:
    """nginx with one worker over the published files."""
    port = _free_port()
    (folder / "nginx.conf").write_text(_NGINX.format(at=folder, port=port))
    process = subprocess.Popen(
        ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "log")]
    )
    with _ending(process):
        _await(port)
        yield Server(process, port)


@contextmanager
def openssl(folder: Path) -> Iterator[tuple[Server, list[bytes]]]:
    """OpenSSL's responder over an index.txt of as many certificates, and the requests about them."""
    folder.mkdir()
    cost_of(handfast("init", str(folder / "ca"), "--no-passphrase", "--name", "Peer"))
    authority = open_authority(folder / "ca", passphrase=no_passphrase)
    serials = [0x100000 + one for one in range(_CERTIFICATES)]
    asked = _questions(authority, serials)
    (folder / "index.txt").write_text("".join(f"V\t401231235959Z\t\t{one:X}\tunknown\t/CN={one}\n" for one in serials))
    key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    cost_of(["sh", "-c", f"openssl req -x509 {key} -keyout key.pem -out signer.pem -subj /CN=s"], directory=folder)
    port = _free_port()
    command = ["openssl", "ocsp", "-port", str(port), "-index", "index.txt", "-CA", "ca/certificates/issuing.pem"]
    command += ["-rsigner", "signer.pem", "-rkey", "key.pem", "-ndays", "1"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    authority.store.close()
    with _ending(process):
        # A connection that asks nothing would hold it up for ever.
        while b"waiting for" not in (folder / "log").read_bytes() and process.poll() is None:
            time.sleep(0.05)
        yield Server(process, port), asked


@contextmanager
def _ending(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _questions(authority: Authority, serials: list[int]) -> list[bytes]:
    identity = authority.issuers["issuing"].identity
    named = issuer_keys(identity.subject, identity.public_key)[0]
    return [build_request([cert_id(named, one)]) for one in serials]


def _post(question: bytes) -> bytes:
    head = "POST /ocsp HTTP/1.1\r\nHost: a\r\nContent-Type: application/ocsp-request\r\nContent-Length: "
    return f"{head}{len(question)}\r\n\r\n".encode() + question


def _get(question: bytes) -> bytes:
    return f"GET /ocsp/{get_path(question)} HTTP/1.1\r\nHost: a\r\n\r\n".encode()


def _ask(server: Server, place: Path, requests: list[bytes], *, anew: bool) -> dict[str, int]:
    plan, data = place / "plan.json", place / "requests.bin"
    data.write_bytes(join(requests))
    address = ("127.0.0.1", server.port)
    plan.write_text(
        json.dumps(
            {"address": address, "root": "", "requests": str(data), "clients": 1 if anew else _CLIENTS, "anew": anew}
        )
    )
    told = subprocess.run([sys.executable, "-m", "benchmarks._clients", str(plan)], capture_output=True, check=True)
    statuses: dict[str, int] = json.loads(told.stdout)["statuses"]
    return statuses


def _cpu(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def _await(port: int) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    sys.exit(f"nobody listens at port {port}")
