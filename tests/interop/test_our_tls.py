"""The context that rotates and the server that greets, visited over loopback; and a look at it from outside."""

import json
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from handfast.errors import ConfigError
from handfast.pki.pem import certificates
from handfast.prove.throw_away import throw_away_pki
from handfast.prove.visitors import Pair, ThrowAwayPki
from handfast.targets.contract import Case
from handfast.tls.context import Generation, Identity, RotatingContext, client_generation, server_generation
from handfast.tls.revocations import load_revocations
from handfast.tls.server import Greeter

HANDFAST = str(Path(sys.executable).parent / "handfast")
PKI = throw_away_pki(lambda: datetime.now(UTC))


@dataclass
class House:
    """A greeting server on loopback; `now` is its clock."""

    pki: ThrowAwayPki
    context: RotatingContext
    greeter: Greeter
    port: int
    lines: list[str]


def generation(pair: Pair, crls: str, minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2) -> Generation:
    cas = certificates((PKI.root + PKI.issuing).encode())
    identity = Identity(pair.chain, pair.key)
    return server_generation(identity, client_roots=PKI.root, revocations=load_revocations(crls, cas), minimum=minimum)


@pytest.fixture
def house() -> Iterator[House]:
    lines: list[str] = []
    context = RotatingContext(generation(PKI.server, PKI.crls))
    greeter = Greeter(context, lambda: datetime.now(UTC), lines.append)
    port = greeter.start("127.0.0.1", 0)
    yield House(PKI, context, greeter, port, lines)
    greeter.stop()


def client_context(case: Case, version: ssl.TLSVersion) -> ssl.SSLContext:
    visitor = PKI.visitors[case]
    identity = Identity(visitor.chain, visitor.key) if visitor.chain else None
    context = client_generation(identity, roots=PKI.root).context
    context.minimum_version = context.maximum_version = version
    return context


def ask(port: int, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> tuple[int, ssl.SSLSocket]:
    """The status that it answered, and the connection. Raises ssl.SSLError, OSError when it refuses."""
    raw = socket.create_connection(("127.0.0.1", port), timeout=20)
    secured = context.wrap_socket(raw, server_hostname="localhost", session=session)
    secured.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    answer = b""
    while piece := secured.recv(4096):
        answer += piece
    if not answer:
        msg = "no answer"
        raise ConnectionError(msg)
    return int(answer.split()[1]), secured


VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])


@VERSIONS
def test_a_user_is_let_in(house: House, version: ssl.TLSVersion) -> None:
    status, _ = ask(house.port, client_context(Case.USER, version))
    assert status == 200


@VERSIONS
@pytest.mark.parametrize("case", [Case.NO_CERTIFICATE, Case.SELF_SIGNED, Case.OTHER_CA, Case.EXPIRED])
def test_others_are_refused_in_the_handshake(house: House, case: Case, version: ssl.TLSVersion) -> None:
    with pytest.raises(OSError, match=r"alert|EOF|reset|no answer"):
        ask(house.port, client_context(case, version))


@VERSIONS
def test_revoked_means_refused_on_a_full_handshake_and_on_a_resumed_session(
    house: House, version: ssl.TLSVersion
) -> None:
    context = client_context(Case.USER, version)
    status, before = ask(house.port, context)
    assert status == 200
    context_before = house.context.generation.context
    cas = certificates((PKI.root + PKI.issuing).encode())
    revoked = load_revocations(PKI.revoke([PKI.visitors[Case.USER].serial or 0]), cas)
    # Only the list is new: the sessions of TLS 1.2 could still be resumed, as the context is the same.
    house.context.generation = Generation(context_before, revoked)

    resumed, connection = ask(house.port, context, before.session)
    full, _ = ask(house.port, client_context(Case.USER, version))

    assert (resumed, full) == (403, 403)
    if version is ssl.TLSVersion.TLSv1_3:
        assert not connection.session_reused


def test_a_new_generation_serves_the_next_connection_and_leaves_the_last_one_alone(house: House) -> None:
    context = client_context(Case.USER, ssl.TLSVersion.TLSv1_3)
    raw = socket.create_connection(("127.0.0.1", house.port), timeout=20)
    standing = context.wrap_socket(raw, server_hostname="localhost")
    before = standing.getpeercert(binary_form=True)
    other = next(iter(PKI.bad_servers.values()))
    house.context.generation = generation(other, PKI.crls)

    standing.sendall(b"GET / HTTP/1.1\r\n\r\n")
    assert standing.recv(12).startswith(b"HTTP/1.1 200")
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", house.port), timeout=20) as raw:
        after = context.wrap_socket(raw, server_hostname="localhost").getpeercert(binary_form=True)
    assert before == certificates(PKI.server.chain.encode())[0].public_bytes(Encoding.DER)
    assert after == certificates(other.chain.encode())[0].public_bytes(Encoding.DER)


def test_a_key_of_another_certificate_makes_no_generation_and_the_old_one_stays(house: House) -> None:
    other = next(iter(PKI.bad_servers.values()))
    with pytest.raises(ConfigError, match="certificate and key cannot be loaded"):
        house.context.generation = generation(replace(PKI.server, key=other.key), PKI.crls)

    status, _ = ask(house.port, client_context(Case.USER, ssl.TLSVersion.TLSv1_3))
    assert status == 200


def test_a_certificate_alone_gets_in_where_the_intermediates_are_known_and_nowhere_else(house: House) -> None:
    alone = client_context(Case.NO_INTERMEDIATE, ssl.TLSVersion.TLSv1_3)
    with pytest.raises(OSError, match=r"alert|EOF|reset|no answer"):
        ask(house.port, alone)

    identity = Identity(PKI.server.chain, PKI.server.key)
    revocations = house.context.generation.revocations
    house.context.generation = server_generation(
        identity, client_roots=PKI.root, intermediates=PKI.issuing, revocations=revocations
    )
    status, _ = ask(house.port, alone)
    assert status == 200

    # An intermediate is not an anchor: without its root nobody gets in.
    house.context.generation = server_generation(
        identity, client_roots=PKI.foreign_root, intermediates=PKI.issuing, revocations=revocations
    )
    with pytest.raises(OSError, match=r"alert|EOF|reset|no answer"):
        ask(house.port, client_context(Case.USER, ssl.TLSVersion.TLSv1_3))


def test_a_crl_that_ended_lets_nobody_in(house: House) -> None:
    """Fails closed: what a list said once is not what holds."""
    cas = certificates((PKI.root + PKI.issuing).encode())
    old = load_revocations(PKI.revoke_at(datetime.now(UTC) - timedelta(days=60), []), cas)
    house.context.generation = Generation(house.context.generation.context, old)

    status, _ = ask(house.port, client_context(Case.USER, ssl.TLSVersion.TLSv1_3))
    assert status == 403
    assert "ended" in house.lines[-1]


def handfast(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([HANDFAST, *arguments], capture_output=True, text=True, timeout=120, check=False)


def files_of(folder: Path, name: str, pair: tuple[str, str]) -> tuple[str, str]:
    chain, key = folder / f"{name}.pem", folder / f"{name}.key"
    chain.write_text(pair[0])
    key.write_text(pair[1])
    return str(chain), str(key)


def test_a_server_that_runs_already_is_proven_from_outside(house: House, tmp_path: Path) -> None:
    user, gone = PKI.visitors[Case.USER], PKI.visitors[Case.REVOKED]
    house.context.generation = generation(PKI.server, PKI.revoke([gone.serial or 0]))
    (tmp_path / "root.pem").write_text(PKI.root)
    cert, key = files_of(tmp_path, "user", (user.chain, user.key))
    revoked, revoked_key = files_of(tmp_path, "gone", (gone.chain, gone.key))
    words = ("prove", "--against", f"localhost:{house.port}", "--root", str(tmp_path / "root.pem"), "--json")

    done = handfast(*words, "--cert", cert, "--key", key, "--revoked-cert", revoked, "--revoked-key", revoked_key)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "revoked" in done.stdout
    # The other way round it must say so: the one who is revoked is presented as one who has to get in.
    done = handfast(*words, "--cert", revoked, "--key", revoked_key)
    assert done.returncode == 1
    assert json.loads(done.stdout)


def test_nothing_that_listens_and_what_is_not_tls_are_told_apart_from_refusals(tmp_path: Path) -> None:
    (tmp_path / "root.pem").write_text(PKI.root)
    root = ("--root", str(tmp_path / "root.pem"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    done = handfast("prove", "--against", f"127.0.0.1:{port}", *root)
    assert (done.returncode, done.stdout) == (3, "")
    assert "does not answer" in done.stderr

    with socket.create_server(("127.0.0.1", 0)) as plain:
        thread = threading.Thread(target=answer_in_plain_text, args=(plain,))
        thread.start()
        done = handfast("prove", "--against", f"127.0.0.1:{plain.getsockname()[1]}", *root)
        thread.join()
    assert (done.returncode, done.stdout) == (3, "")
    assert "does not speak TLS" in done.stderr


def answer_in_plain_text(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(1024)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
