"""A witness by https: a live server that demands a token or a certificate, one that is down, and one that refuses."""

import asyncio
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from handfast.ca.audit_head import parse_heads
from handfast.errors import ConfigError, Refused, Unavailable
from handfast.keys.passphrase import no_passphrase
from handfast.pki.pem import to_pem
from handfast.server import jobs as jobs_module
from handfast.server.assembly import Parts, open_parts
from handfast.server.founding import Plan, create_authority
from handfast.server.health import Health
from handfast.server.jobs import JOBS, keep_running
from handfast.server.service import service_of
from handfast.server.witness import give, new_head, witness_if_due
from tests.pki_factory import new_authority, new_key

TOKEN = "a-long-random-token"  # of this test
OFTEN = timedelta(milliseconds=10)


@dataclass(slots=True)
class Witness:
    """port: where it listens, also when it is started again. status: of its answer to who has the token."""

    folder: Path
    port: int = 0
    status: int = 204
    asks_for_certificate: bool = False
    lines: list[str] = field(default_factory=list)
    refused: int = 0

    def __post_init__(self) -> None:
        ours, key = new_authority(now=datetime.now(UTC)), new_key()
        leaf = ours.issue("server", names=("localhost",), subject="CN=localhost", key=key)
        (self.folder / "chain.pem").write_text(to_pem(leaf) + to_pem(ours.issuing))
        (self.folder / "key.pem").write_text(to_pem(key))
        (self.folder / "roots.pem").write_text(to_pem(ours.root))
        client = ours.issue("client", subject="CN=ca", key=key)
        (self.folder / "client.pem").write_text(to_pem(key) + to_pem(client) + to_pem(ours.issuing))
        (self.folder / "client.pem").chmod(0o600)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}/heads"

    @contextmanager
    def listening(self) -> Iterator[None]:
        http = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.folder / "chain.pem", self.folder / "key.pem")
        if self.asks_for_certificate:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.folder / "roots.pem")
        http.socket = context.wrap_socket(http.socket, server_side=True)
        self.port = http.server_port
        thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            http.shutdown()
            http.server_close()
            thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        witness = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                line = self.rfile.read(int(self.headers["Content-Length"])).decode()
                is_known = self.headers["Authorization"] == f"Bearer {TOKEN}"
                if is_known and witness.status < 300:
                    witness.lines.append(line)
                witness.refused += not is_known
                self.send_response(witness.status if is_known else 401)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name that http.server gives it
                return

        return Handler


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    found = Witness(tmp_path)
    with found.listening():
        pass  # from here on it has a port, and is down
    return found


@pytest.fixture
def parts(tmp_path: Path, witness: Witness) -> Iterator[Parts]:
    ca = tmp_path / "ca"
    settings = f'[audit]\nwitness = "{witness.url}"\nwitness_token = "token"\nwitness_roots = "{tmp_path}/roots.pem"\n'
    create_authority(ca, Plan(name="Trial", settings=settings), passphrase=no_passphrase).store.close()
    (ca / "token").write_text(TOKEN + "\n")
    (ca / "token").chmod(0o600)
    opened = open_parts(ca, passphrase=no_passphrase)
    yield opened
    opened.store.close()


@pytest.mark.parametrize("status", [200, 201, 204])
def test_a_head_reaches_a_witness_that_demands_a_token(parts: Parts, witness: Witness, status: int) -> None:
    witness.status = status
    with witness.listening():
        head = witness_if_due(parts)
        assert witness_if_due(parts) is None
    assert parse_heads("".join(witness.lines), "the witness") == (head,) == parts.store.heads.all()


def test_the_token_is_for_the_witness_of_the_settings_only(parts: Parts, witness: Witness) -> None:
    head = new_head(parts)
    with witness.listening(), pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
        give(head, witness.url)
    (parts.directory / "token").chmod(0o644)
    parts.store.append(parts.record("test.more"))
    with witness.listening(), pytest.raises(ConfigError, match="open to others"):
        witness_if_due(parts)
    assert witness.lines == []


@pytest.mark.parametrize(("status", "error"), [(403, Refused), (500, Refused), (307, Unavailable)])
def test_a_head_that_was_not_taken_is_given_again(
    parts: Parts, witness: Witness, status: int, error: type[Exception]
) -> None:
    witness.status = status
    with witness.listening():
        with pytest.raises(error, match="localhost"):
            witness_if_due(parts)
        assert parts.store.heads.all() == ()
        witness.status = 200
        assert witness_if_due(parts) is not None
    assert len(witness.lines) == 1


def test_a_witness_that_demands_a_certificate_gets_it_and_nobody_passes_without(
    parts: Parts, witness: Witness, tmp_path: Path
) -> None:
    witness.asks_for_certificate = True
    with witness.listening(), pytest.raises(Unavailable, match="localhost"):
        witness_if_due(parts)
    assert witness.lines == []
    audit = replace(parts.settings.audit, witness_certificate=str(tmp_path / "client.pem"))
    known = replace(parts, settings=replace(parts.settings, audit=audit))
    with witness.listening():
        assert witness_if_due(known) is not None
    assert len(witness.lines) == 1


@pytest.mark.parametrize(("mode", "why"), [(0o600, "cannot be presented"), (0o644, "open to others")])
def test_a_certificate_that_cannot_be_presented_is_named(
    parts: Parts, witness: Witness, tmp_path: Path, mode: int, why: str
) -> None:
    path = tmp_path / "client.pem"
    path.write_text("")
    path.chmod(mode)
    audit = replace(parts.settings.audit, witness_certificate=str(path))
    with witness.listening(), pytest.raises(ConfigError, match=why):
        witness_if_due(replace(parts, settings=replace(parts.settings, audit=audit)))


def test_a_wrong_token_is_refused(parts: Parts, witness: Witness) -> None:
    (parts.directory / "token").write_text("another")
    with witness.listening(), pytest.raises(Refused, match="401"):
        witness_if_due(parts)
    assert (witness.lines, witness.refused) == ([], 1)


def test_a_witness_that_is_down_is_named_and_tried_again_until_it_answers(
    parts: Parts, witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_module, "_PAUSE", OFTEN)
    monkeypatch.setattr(jobs_module, "_AGAIN", OFTEN)
    told: list[tuple[str, dict[str, object]]] = []
    service = service_of(parts, log=lambda event, **fields: told.append((event, fields)))
    health = Health(service)
    job = next(replace(job, every=timedelta(hours=1)) for job in JOBS if job.name == "keep-house")

    async def running() -> None:
        keeping = asyncio.create_task(keep_running([job], service, health))
        async with asyncio.timeout(60):
            while not told:
                await asyncio.sleep(0.005)
            (event, fields) = told[0]
            assert (event, fields["job"]) == ("job.failed", "keep-house")
            assert witness.url in str(fields["why"])
            assert TOKEN not in str(told)
            await asyncio.sleep(0.005)
            assert json.loads(health.ready().body)["failing_jobs"] == ["keep-house"]
            with witness.listening():
                while told[-1][0] != "job.recovered":
                    await asyncio.sleep(0.005)
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)

    asyncio.run(running())
    assert [event for event, _ in told] == ["job.failed", "house.kept", "job.recovered"]
    assert len(witness.lines) == 1
    assert "failing_jobs" not in json.loads(health.ready().body)
