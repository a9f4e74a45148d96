"""kill -9 of the service while clients enroll and revoke: it forgets nothing that it said, on either database.

HANDFAST_KILLS: how often; scripts/crash-service does it 200 times for each store.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import ocsp

from handfast.ca.authority import Authority
from handfast.ca.office import Proof
from handfast.ca.policy import RequesterRole
from handfast.ca.records import CertificateRecord, Listing
from handfast.ca.requesters import RequesterRecord
from handfast.keys.generate import new_secret
from handfast.pki.ocsp import build_request, cert_id, issuer_keys
from handfast.pki.pem import certificates
from handfast.server.assembly import utc_now
from handfast.server.founding import default_settings
from tests.databases import Server, postgresql
from tests.service_load import Load, requester_header
from tests.serving import PATIENCE, Running, authority_in, eventually, opened, running

KILLS = int(os.environ.get("HANDFAST_KILLS", "6"))
HANDFAST = Path(sys.executable).with_name("handfast")
# Of so many kills one takes the database along, as a machine that loses its power would.
DATABASE_EACH = 3


@dataclass(slots=True)
class World:
    """Replicas under load. directories: one for each replica; checked: how much of what was answered was looked at."""

    directories: Sequence[Path]
    database: Server | None
    replicas: list[Running] = field(default_factory=list)
    stacks: list[ExitStack] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    checked: int = 0

    def start(self, number: int) -> Running:
        """A replica, until its stack is closed."""
        directory, stack = self.directories[number], ExitStack()
        workplace = directory.with_name(f"{directory.name}-work")
        workplace.mkdir(exist_ok=True)
        started = stack.enter_context(running(directory, workplace=workplace))
        self.replicas[number : number + 1] = [started]
        self.stacks[number : number + 1] = [stack]
        return started

    def kill(self, number: int) -> None:
        """At once, and whatever it is at."""
        self.replicas[number].process.kill()
        self.stacks[number].close()


@contextmanager
def world_of(folder: Path, count: int, database: Server | None) -> Iterator[World]:
    """Services over one store, each with a directory of its own."""
    settings = "" if database is None else default_settings(database.new_database())
    directories = [folder / f"ca-{number}" for number in range(count)]
    authority_in(directories[0], settings)
    for other in directories[1:]:
        shutil.copytree(directories[0], other)
    world = World(directories, database)
    try:
        for number in range(count):
            world.start(number)
        yield world
    finally:
        for stack in world.stacks:
            stack.close()


def header_of(authority: Authority, name: str, role: RequesterRole) -> str:
    """A new requester's Authorization."""
    secret = new_secret("hfr_")
    record = RequesterRecord(name=name, role=role, profiles=None, patterns=None, created_at=utc_now())
    authority.office.add_requester(record, Proof(None, secret))
    return requester_header(name, secret)


def load_of(world: World) -> Load:
    """Clients of these services."""
    with opened(world.directories[0]) as authority:
        fleet = header_of(authority, "fleet", RequesterRole.REQUESTER)
        officer = header_of(authority, "officer", RequesterRole.OFFICER)
    ports = [one.https for one in world.replicas]
    return Load(ports=ports, context=world.replicas[0].context(), fleet=fleet, officer=officer)


def asked(service: Running, method: str, path: str, body: bytes | None = None) -> bytes:
    """The body of an answer over plain HTTP; nothing while the service cannot answer."""
    connection = HTTPConnection("127.0.0.1", service.http, timeout=PATIENCE)
    try:
        connection.request(method, path, body=body)
        response = connection.getresponse()
        content = response.read()
        return content if response.status == 200 else b""
    finally:
        connection.close()


def issuing(world: World) -> x509.Certificate:
    (certificate,) = certificates((world.directories[0] / "certificates" / "issuing.pem").read_bytes(), "issuing")
    return certificate


def listed(world: World, service: Running) -> set[int]:
    """The serials in the published list, whose number and signature are looked at."""
    body = asked(service, "GET", "/crl/issuing.crl")
    if not body:
        return set()
    crl = x509.load_der_x509_crl(body)
    assert crl.is_signature_valid(issuing(world).public_key())  # type: ignore[arg-type]  # a P-256 key
    world.numbers.append(crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number)
    return {one.serial_number for one in crl}


def not_refused(world: World, service: Running, serials: Sequence[int]) -> list[int]:
    """Those of the serials that OCSP does not call revoked."""
    ca = issuing(world)
    _, issuer, *_ = issuer_keys(ca.subject, ca.public_key())
    found: list[int] = []
    for begin in range(0, len(serials), 200):
        part = serials[begin : begin + 200]
        body = asked(service, "POST", "/ocsp", build_request([cert_id(issuer, one) for one in part]))
        answer = ocsp.load_der_ocsp_response(body)
        if answer.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            return list(serials)
        statuses = {one.serial_number: one.certificate_status for one in answer.responses}
        found += [one for one in part if statuses.get(one) is not ocsp.OCSPCertStatus.REVOKED]
    return found


def check(world: World, load: Load, service: Running) -> None:
    """What clients were told until now is so."""
    revoked = [one.serial_number for one in load.answered.revoked]
    received = load.answered.certificates[world.checked :]
    with opened(world.directories[0]) as authority:
        for one in received:
            assert authority.find_certificate(one).serial == one.serial_number
    world.checked += len(received)
    eventually(lambda: set(revoked) <= listed(world, service), "what was revoked is in the CRL")
    eventually(lambda: not not_refused(world, service, revoked[-200:]), "OCSP calls it revoked")


def everything(authority: Authority) -> Iterator[CertificateRecord]:
    """All records."""
    cursor: int | None = None
    while True:
        page = authority.store.search(Listing(now=utc_now(), limit=1000, before=cursor))
        yield from page.records
        cursor = page.cursor
        if cursor is None:
            return


def crl_numbers(authority: Authority) -> list[int]:
    """Of all lists of the issuing CA that were ever signed, in the order of the audit log."""
    found, after = [], 0
    while events := authority.store.events(after=after, limit=1000):
        found += [int(one.detail["number"]) for one in events if (one.action, one.issuer) == ("crl.signed", "issuing")]
        after = events[-1].id
    return found


def check_at_the_end(world: World, load: Load) -> None:
    """The whole store beside everything that clients were told."""
    check(world, load, world.replicas[0])
    revoked = [one.serial_number for one in load.answered.revoked]
    assert not_refused(world, world.replicas[-1], revoked) == []
    with opened(world.directories[0]) as authority:
        stored = [(one.serial, one.fingerprint) for one in everything(authority)]
        numbers = crl_numbers(authority)
    received = {(one.serial_number, one.fingerprint(SHA256())) for one in load.answered.certificates}
    assert len({serial for serial, _ in stored}) == len(stored)
    assert len(received) == len(load.answered.certificates)
    assert received <= set(stored)
    # Each number is taken once, and what is served never goes back.
    assert numbers == sorted(set(numbers))
    assert world.numbers == sorted(world.numbers)
    command = [str(HANDFAST), "audit-log", "verify", "--ca", str(world.directories[0])]
    verified = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def kill_again_and_again(world: World) -> None:
    """The whole trial."""
    chance = random.Random(KILLS)
    load = load_of(world)
    with load:
        for number in range(KILLS):
            seen = len(load.answered.certificates)
            eventually(lambda: len(load.answered.certificates) > seen + load.clients, "clients get certificates")  # noqa: B023  # called here
            time.sleep(chance.uniform(0.0, 1.0))
            victim = chance.randrange(len(world.replicas))
            world.kill(victim)
            if world.database is not None and number % DATABASE_EACH == DATABASE_EACH - 1:
                world.database.restart(how=signal.SIGQUIT)
            load.ports[victim] = world.start(victim).https
            check(world, load, world.replicas[chance.randrange(len(world.replicas))])
    check_at_the_end(world, load)
    answered = load.answered
    print(
        f"{KILLS} kills: {len(answered.certificates)} certificates, {len(answered.revoked)} revocations, "
        f"{len(world.numbers)} lists read, {answered.broken} connections broken, {answered.refused} answers of 503"
    )
    assert answered.surprises == []
    assert answered.broken
    assert answered.revoked


def test_a_service_that_is_killed_forgets_nothing_that_it_said(tmp_path: Path) -> None:
    with world_of(tmp_path, 1, None) as world:
        kill_again_and_again(world)


def test_a_replica_that_is_killed_and_a_database_too_forget_nothing_that_was_said(tmp_path: Path) -> None:
    with postgresql(durable=True) as database, world_of(tmp_path, 2, database) as world:
        kill_again_and_again(world)
