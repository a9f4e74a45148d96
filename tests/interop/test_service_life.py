"""`handfast serve` over its life: slow clients, too many of them, a new certificate under them, and a graceful stop."""

import http.client
import json
import resource
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path

import pytest

from handfast.ca.records import Listing, Reason
from handfast.stores.migrations import latest
from tests.old_store import WORDLESS, set_back
from tests.programs import required_program
from tests.serving import PATIENCE, Running, authority_in, client_files, eventually, get, opened, rest_of, running

# Long enough for three requests on a loaded machine, short enough to wait for.
_SHORT = timedelta(seconds=15)
_IMPATIENT = """
[serve]
handshake_timeout = "6s"
request_timeout = "6s"
idle_timeout = "6s"
"""


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    workplace = tmp_path_factory.mktemp("impatient")
    authority_in(workplace / "ca", _IMPATIENT)
    with running(workplace / "ca", workplace=workplace) as one:
        yield one


@pytest.fixture
def lenient(tmp_path: Path) -> Iterator[Running]:
    authority_in(tmp_path / "ca", '[serve]\ntls_minimum = "1.2"\n')
    with running(tmp_path / "ca", workplace=tmp_path) as one:
        yield one


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Running]:
    authority_in(tmp_path / "ca")
    with running(tmp_path / "ca", workplace=tmp_path) as one:
        yield one


def _secured(service: Running) -> ssl.SSLSocket:
    raw = socket.create_connection(("localhost", service.https), timeout=PATIENCE)
    return service.context().wrap_socket(raw, server_hostname="localhost")


def test_whoever_is_slow_is_cut_off_with_an_answer_where_one_can_be_given(impatient: Running) -> None:
    # All at once, so that the waiting is done once.
    with ExitStack() as stack:
        address = ("localhost", impatient.https)
        no_handshake = stack.enter_context(socket.create_connection(address, timeout=PATIENCE))
        silent, half_head, empty_lines, half_body = (stack.enter_context(_secured(impatient)) for _ in range(4))
        half_head.sendall(b"GET /trial/whoami HTTP/1.1\r\nHost: local")
        empty_lines.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        empty_lines.recv(65536)
        empty_lines.sendall(b"\r\n")
        half_body.sendall(b"POST /trial/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf of it")

        assert rest_of(no_handshake) == b""
        assert rest_of(silent) == b""
        assert rest_of(half_head).startswith(b"HTTP/1.1 408 ")
        assert rest_of(half_body).startswith(b"HTTP/1.1 408 ")
        rest_of(empty_lines)


def test_who_takes_nothing_of_a_large_answer_is_cut_off(impatient: Running) -> None:
    with socket.create_connection(("localhost", impatient.http), timeout=PATIENCE) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.sendall(b"GET /trial/large HTTP/1.1\r\nHost: localhost\r\n\r\n" * 4)

        eventually(lambda: "answer.not-taken" in impatient.log(), "the service gave up")


def test_a_revoked_client_that_resumes_its_session_is_refused(lenient: Running, tmp_path: Path) -> None:
    issued = client_files(lenient.directory, "alice", tmp_path / "alice")
    context = lenient.context(tmp_path / "alice", version=ssl.TLSVersion.TLSv1_2)
    first, session = _asked(lenient, context, None)
    again, _ = _asked(lenient, context, session)

    with opened(lenient.directory) as authority:
        authority.revoke(issued.record, Reason.KEY_COMPROMISE)
    status, _ = _asked(lenient, context, session)

    assert first.endswith('"is_resumed": false, "binding": true}')
    assert '"is_resumed": true' in again
    assert '"chain": 3' in again
    assert status.startswith("HTTP/1.1 403 ")


def test_an_expired_client_is_refused_on_its_next_request_however_it_comes(lenient: Running, tmp_path: Path) -> None:
    # All at once, so that the waiting is done once.
    issued = client_files(lenient.directory, "alice", tmp_path / "alice", lifetime=_SHORT)
    standing = lenient.connection(tmp_path / "alice")
    context = lenient.context(tmp_path / "alice", version=ssl.TLSVersion.TLSv1_2)
    before = get(standing, "/trial/whoami")[0]
    taken = standing.sock
    _, session = _asked(lenient, context, None)
    again, _ = _asked(lenient, context, session)

    eventually(lambda: datetime.now(UTC) > issued.certificate.not_valid_after_utc, "the certificate is expired")

    assert (before, '"is_resumed": true' in again) == (200, True)
    status, body = get(standing, "/trial/whoami")
    assert (status, standing.sock is taken) == (403, True)
    assert "expired" in body
    resumed, _ = _asked(lenient, context, session)
    assert resumed.startswith("HTTP/1.1 403 ")
    assert "expired" in resumed
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        # The client may see no more than an end of the connection: the reason is in the log.
        with pytest.raises((ssl.SSLError, ConnectionError)):
            get(lenient.connection(tmp_path / "alice", version=version), "/trial/whoami")
    eventually(lambda: lenient.log().count("certificate has expired") == 2, "both reasons are in the log")


def test_where_the_system_gives_no_more_descriptors_those_that_idle_make_room(service: Running) -> None:
    taken = len(list(Path(f"/proc/{service.process.pid}/fd").iterdir()))
    resource.prlimit(service.process.pid, resource.RLIMIT_NOFILE, (taken + 20, taken + 20))
    with ExitStack() as stack:
        for _ in range(40):
            connection = http.client.HTTPConnection("localhost", service.http, timeout=PATIENCE / 2)
            stack.callback(connection.close)
            assert get(connection, "/health/live")[0] == 200

    assert "accept.failed" in service.log()


def test_it_may_have_as_many_descriptors_as_connections(tmp_path: Path) -> None:
    authority_in(tmp_path / "ca")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        with running(tmp_path / "ca", workplace=tmp_path) as service:
            allowed, _ = resource.prlimit(service.process.pid, resource.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert allowed == 1200


@pytest.mark.parametrize(("soft", "hard", "allowed"), [(64, 300, 300), (64, 3000, 1200), (2000, 3000, 2000)])
def test_no_more_descriptors_are_wanted_than_are_needed_or_the_system_gives(soft: int, hard: int, allowed: int) -> None:
    program = (
        "import resource; from handfast.server.descriptors import make_room_for; "
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard})); make_room_for(1000); "
        "print(resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == str((allowed, hard))


def test_tls_1_3_gives_nothing_to_resume_with(impatient: Running) -> None:
    with _secured(impatient) as secured:
        secured.sendall(b"GET /trial/whoami HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        rest_of(secured)

        assert secured.session is None or not secured.session.has_ticket


def _asked(service: Running, context: ssl.SSLContext, session: ssl.SSLSession | None) -> tuple[str, ssl.SSLSession]:
    raw = socket.create_connection(("localhost", service.https), timeout=PATIENCE)
    with context.wrap_socket(raw, server_hostname="localhost", session=session) as secured:
        secured.sendall(b"GET /trial/whoami HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = rest_of(secured).decode()
        assert secured.session is not None
        return answer, secured.session


def test_a_new_certificate_is_served_and_nobody_is_cut_off(service: Running) -> None:
    standing = service.connection()
    assert get(standing, "/trial/whoami")[0] == 200
    before = _serial(service)

    service.signal(signal.SIGHUP)
    eventually(lambda: _serial(service) != before, "a new certificate")

    assert get(standing, "/trial/whoami")[0] == 200
    assert standing.sock is not None
    with opened(service.directory) as authority:
        records = authority.search(Listing(now=authority.clock(), profile="server")).records
    assert [record.requester for record in records] == ["service", "service"]


def test_the_certificate_is_kept_over_a_restart_with_its_key_for_nobody_else(tmp_path: Path) -> None:
    authority_in(tmp_path / "ca")
    with running(tmp_path / "ca", workplace=tmp_path) as one:
        before = _serial(one)
    with running(tmp_path / "ca", workplace=tmp_path) as one:
        assert _serial(one) == before
    with running(tmp_path / "ca", "--name", "other.example.org", "--name", "localhost", workplace=tmp_path) as one:
        assert _serial(one) != before

    keys = list((tmp_path / "ca" / "server").glob("*.key"))
    assert keys
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in keys)


def _serial(service: Running) -> str:
    with _secured(service) as secured:
        shown = secured.getpeercert()
    assert shown
    return str(shown["serialNumber"])


def test_a_stop_lets_what_is_being_answered_finish(service: Running, tmp_path: Path) -> None:
    answers: list[tuple[int, str]] = []
    idle, busy = service.connection(), service.connection()
    assert get(idle, "/health/live")[0] == 200
    asking = threading.Thread(target=lambda: answers.append(get(busy, "/trial/wait", **{"x-folder": str(tmp_path)})))
    asking.start()
    eventually((tmp_path / "begun").exists, "the request is being answered")

    service.signal(signal.SIGTERM)
    eventually(lambda: _refuses(service), "no new connections")
    assert service.process.poll() is None
    (tmp_path / "go").touch()
    asking.join(PATIENCE)

    assert answers == [(200, "done")]
    assert service.process.wait(PATIENCE) == 0
    assert json.loads(service.log().splitlines()[-1])["event"] == "service.stopped"


def _refuses(service: Running) -> bool:
    try:
        socket.create_connection(("127.0.0.1", service.https), timeout=PATIENCE).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_stop_waits_for_what_somebody_has_begun_to_ask(service: Running) -> None:
    address = ("localhost", service.http)
    asked = [
        (b"GET /trial/ready/r1 HTTP/1.1\r\nHos", b"t: a\r\n\r\n"),
        (b"GET /trial/label/2/end HTTP/1.1\r\nHos", b"t: a\r\n\r\n"),
        (b"POST /trial/ready HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\no", b"3"),
        (
            b"POST /trial/ready HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\no4GET /trial/label/5/end HTTP",
            b"/1.1\r\n\r\n",
        ),
    ]
    with ExitStack() as stack:
        connections = [stack.enter_context(socket.create_connection(address, timeout=PATIENCE)) for _ in asked]
        for connection, (begun, _) in zip(connections, asked, strict=True):
            connection.sendall(begun)
        # All of it has been read once a later connection was answered.
        get(service.connection(), "/health/live")

        service.signal(signal.SIGTERM)
        eventually(lambda: "service.stopping" in service.log(), "it stops")
        for connection, (_, rest) in zip(connections, asked, strict=True):
            connection.sendall(rest)

        answers = [rest_of(connection) for connection in connections]
    assert [one.count(b"HTTP/1.1 200") for one in answers] == [1, 1, 1, 2]
    assert all(b"connection: close" in one for one in answers)
    assert service.process.wait(PATIENCE) == 0


def test_a_connection_that_is_answered_from_what_lies_ready_idles_from_its_last_answer_on(impatient: Running) -> None:
    asked = b"GET /trial/ready/r HTTP/1.1\r\nHost: a\r\n\r\n"
    with socket.create_connection(("localhost", impatient.http), timeout=PATIENCE) as connection:
        begin = time.monotonic()
        while time.monotonic() < begin + 8:  # longer than it may idle
            connection.sendall(asked)
            assert connection.recv(65536).endswith(b"ready:r")
            time.sleep(0.5)
        assert rest_of(connection) == b""


def test_when_all_places_are_taken_an_idle_connection_makes_room(tmp_path: Path) -> None:
    authority_in(tmp_path / "ca", "[serve]\nconnections = 4\n")
    with running(tmp_path / "ca", workplace=tmp_path) as service:
        standing = [http.client.HTTPConnection("localhost", service.http, timeout=PATIENCE) for _ in range(4)]
        assert [get(one, "/health/live")[0] for one in standing] == [200] * 4

        newcomers = [http.client.HTTPConnection("localhost", service.http, timeout=PATIENCE) for _ in range(4)]

        assert [get(one, "/health/live")[0] for one in newcomers] == [200] * 4
        first = standing[0].sock
        assert first is not None
        assert first.recv(1) == b""


def test_when_all_places_are_taken_by_unfinished_handshakes_the_oldest_makes_room(tmp_path: Path) -> None:
    authority_in(tmp_path / "ca", '[serve]\nconnections = 4\nhandshake_timeout = "1h"\n')
    with running(tmp_path / "ca", workplace=tmp_path) as service, ExitStack() as stack:
        for _ in range(8):
            stack.enter_context(socket.create_connection(("localhost", service.https), timeout=PATIENCE))

        assert get(service.connection(), "/health/live")[0] == 200


def test_systemd_is_told_of_each_state(short_path: Path, tmp_path: Path) -> None:
    authority_in(tmp_path / "ca")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(short_path / "notify"))
        systemd.settimeout(PATIENCE)
        with running(tmp_path / "ca", workplace=tmp_path, NOTIFY_SOCKET=str(short_path / "notify")) as service:
            told = [systemd.recv(1000)]
            service.signal(signal.SIGHUP)
            told += [systemd.recv(1000), systemd.recv(1000)]
            service.signal(signal.SIGTERM)
            told.append(systemd.recv(1000))

    assert [one.partition(b"\n")[0] for one in told] == [b"READY=1", b"RELOADING=1", b"READY=1", b"STOPPING=1"]


def test_a_service_whose_store_is_brought_up_to_date_says_so_and_asks_systemd_for_time(
    short_path: Path, tmp_path: Path
) -> None:
    authority_in(tmp_path / "ca")
    set_back(tmp_path / "ca" / "ca.sqlite")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(short_path / "notify"))
        systemd.settimeout(PATIENCE)
        with running(tmp_path / "ca", workplace=tmp_path, NOTIFY_SOCKET=str(short_path / "notify")) as service:
            told = [systemd.recv(1000).decode() for _ in range(3)]
            log = [json.loads(line) for line in service.log().splitlines()]

    begin = f"bringing the store up to date: step {WORDLESS + 1} of {latest()}"
    assert told == [f"EXTEND_TIMEOUT_USEC=600000000\nSTATUS={begin}", "STATUS=", "READY=1"]
    first, second = log[:2]
    assert (first["event"], first["since"], first["until"]) == ("store.migrating", WORDLESS, latest())
    assert (second["event"], second["store"]) == ("store.migrated", str(tmp_path / "ca" / "ca.sqlite"))
    assert second["seconds"] >= 0


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    analyze = required_program("systemd-analyze")
    text = (Path(__file__).parent.parent.parent / "packaging" / "handfast.service").read_text()
    unit = tmp_path / "handfast.service"
    unit.write_text(text.replace("/opt/handfast/bin/handfast", sys.executable).replace("=handfast\n", "=root\n"))

    done = subprocess.run([analyze, "verify", unit], capture_output=True, text=True, timeout=PATIENCE, check=False)

    assert "handfast.service" not in done.stderr


def test_without_its_packages_the_command_says_how_to_get_them(tmp_path: Path) -> None:
    code = "import sys; sys.modules['httptools'] = None; from handfast.cli import run; sys.exit(run(['serve']))"

    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "pip install 'handfast[server]'" in done.stderr


def test_without_fastapi_all_but_the_api_is_served(tmp_path: Path) -> None:
    authority_in(tmp_path / "ca")
    code = "import sys; sys.modules['fastapi'] = None; from handfast.cli import run; sys.exit(run(sys.argv[1:]))"
    options = ["serve", "--ca", str(tmp_path / "ca"), "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"]

    with subprocess.Popen([sys.executable, "-c", code, *options], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = [line.strip() for line in takewhile(lambda line: "Ctrl-C" not in line, process.stdout)]
        process.terminate()

    assert ("/feed" in told, "/api" in told) == (True, False)
    assert process.returncode == 0


def test_without_uvloop_it_serves_and_stops_in_the_same_way(tmp_path: Path) -> None:
    authority_in(tmp_path / "ca")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "uvloop.py").write_text("raise ImportError\n")
    with running(tmp_path / "ca", workplace=tmp_path) as service, ExitStack() as stack:
        idle = stack.enter_context(_secured(service))
        idle.sendall(b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n")
        assert idle.recv(65536).startswith(b"HTTP/1.1 200 ")
        asked = stack.enter_context(socket.create_connection(("localhost", service.http), timeout=PATIENCE))
        asked.sendall(b"GET /trial/label/1/end HTTP/1.1\r\nHost: a\r\n\r\n")
        asked.shutdown(socket.SHUT_WR)
        assert rest_of(asked).startswith(b"HTTP/1.1 200 ")

        service.signal(signal.SIGTERM)

        assert rest_of(idle) == b""
        assert service.process.wait(PATIENCE) == 0
    last = json.loads(service.log().splitlines()[-1])
    assert (last["event"], last["cut_off"]) == ("service.stopped", 0)
    assert "library.warned" not in service.log()
