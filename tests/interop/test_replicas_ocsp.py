"""What was revoked at one replica is revoked at the other, whatever becomes of the connection by which it hears of it.

openssl makes each question and reads each answer. curl carries them by HTTP/1.1, for which alone answers lie ready.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509

from handfast.ca.office import Proof
from handfast.ca.policy import RequesterRole
from handfast.ca.requesters import SECRET_PREFIX, RequesterRecord
from handfast.keys.generate import new_secret
from handfast.server.founding import default_settings
from tests.databases import Server, postgresql
from tests.interop.test_service_metrics import scrape
from tests.programs import required_program
from tests.serving import PATIENCE, Running, authority_in, client_files, curl, eventually, opened, running

# The second replica's user in the database, whom the test can lock out.
OTHER = "other"
_TIMED_OUT = 28
_LISTENS = "query in ('LISTEN handfast_revoked', 'SELECT pg_backend_pid()')"


@dataclass(slots=True)
class World:
    """Two replicas on one database. secret: of an officer, who revokes at the first one."""

    database: Server
    name: str
    folder: Path
    replicas: list[Running]
    secret: str
    _names: list[str] = field(default_factory=list)

    def issue(self) -> Path:
        """A new client's certificate, in a file that openssl reads."""
        self._names.append(f"client-{len(self._names)}")
        folder = self.folder / self._names[-1]
        client_files(self.replicas[0].directory, self._names[-1], folder)
        return folder / "chain.pem"

    def revoke(self, certificate: Path) -> None:
        """By the API of the first replica, until it acknowledges it."""
        serial = x509.load_pem_x509_certificate(certificate.read_bytes()).serial_number
        url = f"https://localhost:{self.replicas[0].https}/api/certificates/{serial:x}/revoke"
        headers = ("-H", f"Authorization: Bearer {self.secret}", "-H", "Content-Type: application/json")

        def is_acknowledged() -> bool:
            return '"state":"revoked"' in curl(self.replicas[0], *headers, "--data", "{}", url).stdout

        eventually(is_acknowledged, "the revocation is acknowledged")

    def said(self, number: int, certificate: Path) -> str:
        """What a replica answers: `good`, `revoked`, `nothing` for five seconds, or openssl's word for a refusal."""
        ca, request, answer = (certificate.with_name(name) for name in ("issuing.pem", "request.der", "answer.der"))
        shutil.copy(self.replicas[0].directory / "certificates" / "issuing.pem", ca)
        asked = ["-issuer", str(ca), "-cert", str(certificate), "-no_nonce"]
        _openssl(*asked, "-reqout", str(request))
        url = f"http://127.0.0.1:{self.replicas[number].http}/ocsp"
        kind = "Content-Type: application/ocsp-request"
        sent = curl(
            self.replicas[number], "--max-time", "5", "--data-binary", f"@{request}", "-H", kind, "-o", answer, url
        )
        if sent.returncode == _TIMED_OUT:
            return "nothing"
        assert sent.returncode == 0, sent.stderr
        read = _openssl(*asked, "-respin", str(answer), "-CAfile", str(self.replicas[0].root))
        if "Responder Error" in read:
            return read.partition("Responder Error: ")[2].split()[0]
        assert "Response verify OK" in read, read
        return read.partition(f"{certificate}: ")[2].split()[0]

    def keep(self, number: int, certificate: Path) -> None:
        """Have the replica's good answer lie ready, so that nothing but the news of a revocation brings another one."""

        def lies_ready() -> bool:
            before = self._given_from_memory(number)
            assert self.said(number, certificate) == "good"
            return self._given_from_memory(number) > before

        eventually(lies_ready, "the answer lies ready")

    def _given_from_memory(self, number: int) -> float:
        return scrape(self.replicas[number])("answers_ready_total", tenant="", route="/ocsp")

    def processes(self, user: str, condition: str = "true") -> list[int]:
        """The server's processes for a replica."""
        condition = f"datname = '{self.name}' and usename = '{user}' and {condition}"
        told = self.database.tell(f"select pid from pg_stat_activity where {condition}")
        return [int(line) for line in told.splitlines()]


def _openssl(*words: str) -> str:
    command = [required_program("openssl"), "ocsp", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    tmp_path = tmp_path_factory.mktemp("replicas")
    with postgresql() as database:
        url = database.new_database()
        name = urlsplit(url).path.strip("/")
        owner, secret = url.partition("//")[2].partition("@")[0], new_secret(SECRET_PREFIX)
        directories = [tmp_path / "ca-0", tmp_path / "ca-1"]
        authority_in(directories[0], default_settings(url))
        shutil.copytree(directories[0], directories[1])
        database.tell(f"create role {OTHER} login in role {owner}")
        settings = directories[1] / "handfast.toml"
        settings.write_text(settings.read_text().replace(f"//{owner}@", f"//{OTHER}@"))
        with opened(directories[0]) as authority:
            record = RequesterRecord(
                name="officer", role=RequesterRole.OFFICER, profiles=None, patterns=None, created_at=authority.clock()
            )
            authority.office.add_requester(record, Proof(secret=secret))
        shown = ("--metrics", "127.0.0.1:0")
        places = [directory.with_name(f"{directory.name}-work") for directory in directories]
        for place in places:
            place.mkdir()
        with (
            running(directories[0], *shown, workplace=places[0]) as one,
            running(directories[1], *shown, workplace=places[1]) as other,
        ):
            yield World(database, name, tmp_path, [one, other], secret)


def test_a_revocation_at_one_replica_is_told_by_the_other_and_both_give_the_same_list(world: World) -> None:
    certificate = world.issue()
    for number in (0, 1):
        world.keep(number, certificate)
    world.revoke(certificate)
    assert world.said(0, certificate) == "revoked"
    eventually(lambda: world.said(1, certificate) == "revoked", "the other one knows")
    serial = x509.load_pem_x509_certificate(certificate.read_bytes()).serial_number

    def both_list_it() -> bool:
        lists = [fetched_list(replica) for replica in world.replicas]
        return lists[0] == lists[1] and serial in {one.serial_number for one in x509.load_der_x509_crl(lists[0])}

    eventually(both_list_it, "the same list from both, with the revocation")


def fetched_list(replica: Running) -> bytes:
    """The published CRL; its number is in the bytes."""
    path = replica.directory / "fetched.crl"
    told = curl(replica, "--fail", "-o", path, f"http://127.0.0.1:{replica.http}/crl/issuing.crl")
    assert told.returncode == 0, told.stderr
    return path.read_bytes()


def test_what_was_revoked_while_a_replica_could_not_listen_is_not_lost(world: World) -> None:
    certificate, later = world.issue(), world.issue()
    world.keep(1, certificate)
    eventually(lambda: len(world.processes(OTHER, _LISTENS)) == 1, "it listens")
    world.database.tell(f"alter role {OTHER} nologin")
    world.database.tell(f"select pg_terminate_backend({world.processes(OTHER, _LISTENS)[0]})")
    eventually(lambda: world.processes(OTHER, _LISTENS) == [], "it is cut off")
    world.revoke(certificate)
    # Whoever cannot hear looks for itself, or says that it cannot.
    eventually(lambda: world.said(1, certificate) != "good", "the old answer is given no more")
    assert world.said(1, certificate) in {"revoked", "trylater"}
    world.database.tell(f"alter role {OTHER} login")
    eventually(lambda: len(world.processes(OTHER, _LISTENS)) == 1, "it listens again")
    assert world.said(1, certificate) == "revoked"
    world.keep(1, later)
    world.revoke(later)
    eventually(lambda: world.said(1, later) == "revoked", "it hears again")


def test_a_database_that_has_fallen_silent_hides_no_revocation_and_stops_nothing_else(world: World) -> None:
    certificate, other = world.issue(), world.replicas[1]
    world.keep(1, certificate)
    silent = world.processes(OTHER, "state = 'idle'")
    # As a network that loses every packet: nothing comes, and nobody says that it ended.
    for process in silent:
        os.kill(process, signal.SIGSTOP)
    try:
        world.revoke(certificate)
        eventually(lambda: world.said(1, certificate) == "nothing", "the old answer is given no more")
        told = curl(other, "--max-time", "30", f"http://127.0.0.1:{other.http}/health/live")
        assert (told.returncode, told.stdout.strip()) == (0, '{"status": "live"}')
    finally:
        for process in silent:
            os.kill(process, signal.SIGCONT)
    eventually(lambda: world.said(1, certificate) == "revoked", "it goes on by itself")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
def test_a_restart_of_the_database_hides_no_revocation(world: World, how: signal.Signals) -> None:
    certificate = world.issue()
    world.keep(1, certificate)
    world.database.process.signal(how)
    eventually(lambda: world.said(1, certificate) == "trylater", "without the database the old answer is given no more")
    world.database.restart()
    world.revoke(certificate)
    eventually(lambda: world.said(1, certificate) == "revoked", "the other one knows")
