"""From a revocation that is acknowledged to its refusal: at the service itself, by OCSP, and at who follows the feed.

Clients enroll all the while. The bar: below a second for 99 of 100."""

import json
import shutil
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
from benchmarks.service import Server, ask_all, authority, est_requests, serving
from handfast.ca.order import Order
from handfast.client.follow import Follower
from handfast.keys.generate import generate_key
from handfast.keys.passphrase import no_passphrase
from handfast.pki.keys import KeyKind
from handfast.pki.ocsp import build_request, cert_id, issuer_keys
from handfast.pki.pem import certificates, to_pem
from handfast.pki.subject import parse_subject
from handfast.server.assembly import open_authority, utc_now
from tests.databases import postgresql as throw_away

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
    """One service on SQLite; then two on PostgreSQL, where one is told and the other one refuses."""
    count = 20 if quick else 250
    tables: list[Table] = []
    for name, place in (("one service, SQLite", _alone), ("two replicas, PostgreSQL", _replicated)):
        if place is _replicated and shutil.which("psql") is None:
            tables[-1].notes.append("psql is not on PATH: replicas were not measured.")
            continue
        with place(folder / name.partition(",")[0].replace(" ", "-")) as world:
            victims = _victims(world.folder, count)
            with _load(world), _following(world) as following:
                times = _Trial(world, following).times(victims)
        tables.append(_table(f"Milliseconds from the acknowledged revocation, {name}", times))
    notes = tables[-1].notes
    notes.append(f"{count} revocations by the REST API, while {_CLIENTS} clients enroll over EST without pause.")
    notes.append("Each was admitted, and called good, right before. The time of the answer that refuses counts.")
    notes.append("Of two replicas, one takes the revocations and half of the clients, and the other one is asked.")
    return tables


def _table(title: str, times: dict[str, list[float]]) -> Table:
    table = Table(title, ("who refuses", "median", "99 of 100", "slowest"))
    for name, found in times.items():
        ordered = sorted(1000 * one for one in found)
        places = (len(ordered) // 2, -1 - len(ordered) // 100, -1)
        table.add(name, *(f"{ordered[place]:,.1f}" for place in places))
    return table


@dataclass(frozen=True, slots=True)
class _World:
    """told: who is told of revocations; asked: who must refuse, perhaps the same. header, secret: of who enrolls, and
    of who may revoke."""

    folder: Path
    told: Server
    asked: Server
    header: str
    secret: str


@contextmanager
def _alone(folder: Path) -> Iterator[_World]:
    folder.mkdir()
    header = authority(folder / "ca")
    secret = _officer(folder / "ca")
    with serving(folder / "ca") as server:
        yield _World(folder, server, server, header, secret)


@contextmanager
def _replicated(folder: Path) -> Iterator[_World]:
    folder.mkdir()
    with throw_away(durable=True) as database:
        header = authority(folder / "ca", "--store", database.new_database())
        secret = _officer(folder / "ca")
        shutil.copytree(folder / "ca", folder / "other", ignore=shutil.ignore_patterns("journal"))
        with serving(folder / "ca") as told, serving(folder / "other") as asked:
            yield _World(folder, told, asked, header, secret)


@dataclass(frozen=True, slots=True)
class _Trial:
    world: _World
    following: Following

    def times(self, victims: list[x509.Certificate]) -> dict[str, list[float]]:
        found: dict[str, list[float]] = {"the service, connection open": [], "OCSP": [], "who follows the feed": []}
        officer, asked = _connection(self.world.told), self.world.asked
        with ThreadPoolExecutor(2) as pool:
            for number, victim in enumerate(victims):
                client, responder = _connection(asked, self.world.folder / f"{number}.pem"), _connection(asked)
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

    def _revoke(self, officer: HTTPSConnection, victim: x509.Certificate) -> float:
        headers = {"Authorization": f"Bearer {self.world.secret}", "Content-Type": "application/json"}
        officer.request("POST", f"/api/certificates/{victim.serial_number:x}/revoke", b"{}", headers)
        response = officer.getresponse()
        said = response.read()
        if response.status != 200:
            raise SystemExit(f"it was not revoked: {said!r}")
        return time.perf_counter()

    def _request(self, victim: x509.Certificate) -> bytes:
        ca = _issuing(self.world.folder)
        _, issuer, *_ = issuer_keys(ca.subject, ca.public_key())
        return build_request([cert_id(issuer, victim.serial_number)])


def _connection(server: Server, identity: Path | None = None) -> HTTPSConnection:
    context = ssl.create_default_context(cafile=str(server.root))
    if identity is not None:
        context.load_cert_chain(identity)
    return HTTPSConnection("localhost", server.address[1], context=context, timeout=_PATIENCE)


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
    opened = open_authority(folder / "ca", passphrase=no_passphrase)
    for number in range(count):
        order = Order(profile="client", public_key=key.public_key(), subject=parse_subject(f"CN=client-{number}"))
        issued = opened.issue(order)
        text = "".join(map(to_pem, (key, issued.certificate, *issued.chain)))
        (folder / f"{number}.pem").write_text(text, encoding="ascii")
        found.append(issued.certificate)
    opened.store.close()
    return found


def _officer(ca: Path) -> str:
    """The secret of somebody who may revoke."""
    words = ("requester", "add", "officer", "--ca", str(ca), "--role", "registration-officer", "--token", "--json")
    told = subprocess.run(handfast(*words), capture_output=True, check=True)
    return str(json.loads(told.stdout)["secret"])


@contextmanager
def _load(world: _World) -> Iterator[None]:
    """Clients that enroll until the block ends, at each service."""
    requests, stopping = est_requests(400, world.header), threading.Event()
    servers = [world.told] if world.told is world.asked else [world.told, world.asked]

    def work(number: int) -> None:
        place = world.folder / f"load-{number}"
        place.mkdir()
        while not stopping.is_set():
            ask_all(servers[number], place, requests, _CLIENTS // len(servers))

    with ThreadPoolExecutor(len(servers)) as pool:
        working = [pool.submit(work, number) for number in range(len(servers))]
        try:
            yield
        finally:
            stopping.set()
            for one in working:
                one.result()


@contextmanager
def _following(world: _World) -> Iterator[Following]:
    server = world.asked
    root = certificates(server.root.read_bytes(), "root")
    context = ssl.create_default_context(cafile=str(server.root))
    url = f"https://localhost:{server.address[1]}"
    cas = (*root, _issuing(world.folder))
    following = Following(Follower(url=url, issuers=("issuing",), cas=cas, context=context))
    following.follower.begin(utc_now())
    thread = threading.Thread(target=following.run)
    thread.start()
    try:
        yield following
    finally:
        following.stopping.set()
        thread.join()
