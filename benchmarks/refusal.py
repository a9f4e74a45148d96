"""From a revocation that is acknowledged to its refusal: at the service itself, by OCSP, and at who follows the feed.

Clients enroll all the while. Each row is the slowest of a hundred, and the slowest of all, in milliseconds."""

import json
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPSConnection
from pathlib import Path

from cryptography import x509
from cryptography.x509 import ocsp

from benchmarks._measure import handfast
from benchmarks._report import Table
from benchmarks.service import Server, ask_all, est_requests, ours
from handfast.ca.order import Order
from handfast.client.follow import Follower
from handfast.keys.generate import generate_key
from handfast.keys.passphrase import no_passphrase
from handfast.pki.keys import KeyKind
from handfast.pki.ocsp import build_request, cert_id, issuer_keys
from handfast.pki.pem import certificates, to_pem
from handfast.pki.subject import parse_subject
from handfast.server.assembly import open_authority, utc_now

_CLIENTS = 4
_PATIENCE = 60.0
_SHOWN_TO = "/.well-known/est/cacerts"


@dataclass(slots=True)
class Following:
    """A follower of the feed, and when it first refused which serial."""

    follower: Follower
    refused: dict[int, float] = field(default_factory=dict)
    stopping: threading.Event = field(default_factory=threading.Event)

    def has_refused(self, serial: int) -> bool:
        return serial in self.refused

    def run(self) -> None:
        while not self.stopping.is_set():
            news = self.follower.wait(utc_now(), seconds=1)
            self.follower.revocations()
            for one in news:
                self.refused.setdefault(one.serial, time.perf_counter())


def measure(folder: Path, *, quick: bool) -> list[Table]:
    """One service on SQLite, while others enroll."""
    count = 20 if quick else 250
    table = Table("Milliseconds from the acknowledged revocation", ("who refuses", "median", "99 of 100", "slowest"))
    with ours(folder, 0) as (server, header):
        victims = _victims(folder, count)
        secret = _officer(folder / "ca")
        with _load(server, folder, header), _following(server, folder) as following:
            times = _Trial(server, folder, secret, following).times(victims)
    for name, found in times.items():
        ordered = sorted(1000 * one for one in found)
        places = (len(ordered) // 2, -1 - len(ordered) // 100, -1)
        table.add(name, *(f"{ordered[place]:,.1f}" for place in places))
    table.notes.append(f"{count} revocations by the REST API, while {_CLIENTS} clients enroll over EST without pause.")
    table.notes.append("Each was admitted, and called good, right before. The time of the answer that refuses counts.")
    return [table]


@dataclass(frozen=True, slots=True)
class _Trial:
    server: Server
    folder: Path
    secret: str
    following: Following

    def times(self, victims: list[x509.Certificate]) -> dict[str, list[float]]:
        found: dict[str, list[float]] = {"the service, connection open": [], "OCSP": [], "who follows the feed": []}
        officer = self._connection(None)
        with ThreadPoolExecutor(2) as pool:
            for number, victim in enumerate(victims):
                client, responder = self._connection(self.folder / f"{number}.pem"), self._connection(None)
                request = self._request(victim)
                looks = (partial(_shut_out, client), partial(_called_revoked, responder, request))
                if any(look() for look in looks):
                    raise SystemExit("a certificate is refused before it was revoked")
                began = self._revoke(officer, victim)
                for name, end in zip(found, pool.map(_first, looks), strict=False):
                    found[name].append(end - began)
                _first(partial(self.following.has_refused, victim.serial_number))
                end = self.following.refused[victim.serial_number]
                # It may hear of it before whoever revoked.
                found["who follows the feed"].append(max(end - began, 0.0))
                client.close()
                responder.close()
        officer.close()
        return found

    def _connection(self, identity: Path | None) -> HTTPSConnection:
        context = ssl.create_default_context(cafile=str(self.server.root))
        if identity is not None:
            context.load_cert_chain(identity)
        return HTTPSConnection("localhost", self.server.address[1], context=context, timeout=_PATIENCE)

    def _revoke(self, officer: HTTPSConnection, victim: x509.Certificate) -> float:
        headers = {"Authorization": f"Bearer {self.secret}", "Content-Type": "application/json"}
        officer.request("POST", f"/api/certificates/{victim.serial_number:x}/revoke", b"{}", headers)
        response = officer.getresponse()
        said = response.read()
        if response.status != 200:
            raise SystemExit(f"it was not revoked: {said!r}")
        return time.perf_counter()

    def _request(self, victim: x509.Certificate) -> bytes:
        ca = _issuing(self.folder)
        _, issuer, *_ = issuer_keys(ca.subject, ca.public_key())
        return build_request([cert_id(issuer, victim.serial_number)])


def _first(look: Callable[[], bool]) -> float:
    """When it is first so."""
    end = time.monotonic() + _PATIENCE
    while not look():
        if time.monotonic() > end:
            raise SystemExit("what was revoked is never refused")
        time.sleep(0.001)
    return time.perf_counter()


def _shut_out(connection: HTTPSConnection) -> bool:
    connection.request("GET", _SHOWN_TO)
    response = connection.getresponse()
    response.read()
    return response.status == 403


def _called_revoked(connection: HTTPSConnection, request: bytes) -> bool:
    connection.request("POST", "/ocsp", request, {"Content-Type": "application/ocsp-request"})
    answer = ocsp.load_der_ocsp_response(connection.getresponse().read())
    return next(iter(answer.responses)).certificate_status is ocsp.OCSPCertStatus.REVOKED


def _issuing(folder: Path) -> x509.Certificate:
    return certificates((folder / "ca" / "certificates" / "issuing.pem").read_bytes(), "issuing")[0]


def _victims(folder: Path, count: int) -> list[x509.Certificate]:
    """Client certificates, each in a file with its key."""
    key, found = generate_key(KeyKind.P256), []
    authority = open_authority(folder / "ca", passphrase=no_passphrase)
    for number in range(count):
        order = Order(profile="client", public_key=key.public_key(), subject=parse_subject(f"CN=client-{number}"))
        issued = authority.issue(order)
        text = "".join(map(to_pem, (key, issued.certificate, *issued.chain)))
        (folder / f"{number}.pem").write_text(text, encoding="ascii")
        found.append(issued.certificate)
    authority.store.close()
    return found


def _officer(ca: Path) -> str:
    """The secret of somebody who may revoke."""
    words = ("requester", "add", "officer", "--ca", str(ca), "--role", "registration-officer", "--token", "--json")
    told = subprocess.run(handfast(*words), capture_output=True, check=True)
    return str(json.loads(told.stdout)["secret"])


@contextmanager
def _load(server: Server, folder: Path, header: str) -> Iterator[None]:
    """Clients that enroll until the block ends."""
    requests, stopping = est_requests(400, header), threading.Event()

    def work() -> None:
        while not stopping.is_set():
            ask_all(server, folder, requests, _CLIENTS)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


@contextmanager
def _following(server: Server, folder: Path) -> Iterator[Following]:
    root = certificates(server.root.read_bytes(), "root")
    context = ssl.create_default_context(cafile=str(server.root))
    url = f"https://localhost:{server.address[1]}"
    cas = (*root, _issuing(folder))
    following = Following(Follower(url=url, issuers=("issuing",), cas=cas, context=context))
    following.follower.begin(utc_now())
    thread = threading.Thread(target=following.run)
    thread.start()
    try:
        yield following
    finally:
        following.stopping.set()
        thread.join()
