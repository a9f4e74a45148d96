"""Two services over one PostgreSQL: no serial twice, no CRL number twice, each job once, a revocation known to both."""

import shutil
import subprocess
import sys
import threading
from http.client import HTTPConnection
from pathlib import Path

from cryptography import x509

from handfast.ca.audit import verify_chain
from handfast.ca.order import Issued, Order
from handfast.ca.records import Reason
from handfast.keys.generate import generate_key
from handfast.pki.keys import KeyKind
from handfast.pki.subject import parse_subject
from handfast.server.founding import default_settings
from tests.databases import Server
from tests.serving import PATIENCE, Running, authority_in, eventually, opened, running

_HANDFAST = Path(sys.executable).with_name("handfast")


def _serials_listed(service: Running) -> set[int]:
    connection = HTTPConnection("127.0.0.1", service.http, timeout=PATIENCE)
    try:
        connection.request("GET", "/crl/issuing.crl")
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    if response.status != 200:
        return set()
    return {entry.serial_number for entry in x509.load_der_x509_crl(body)}


def _issue(directory: Path, count: int, issued: list[Issued]) -> None:
    key = generate_key(KeyKind.P256).public_key()
    with opened(directory) as authority:
        for number in range(count):
            subject = parse_subject(f"CN=client-{number}")
            issued.append(authority.issue(Order(profile="client", public_key=key, subject=subject)))


def test_replicas_share_an_authority(tmp_path: Path, postgresql_server: Server) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    authority_in(one, default_settings(postgresql_server.new_database()))
    shutil.copytree(one, other)
    places = [tmp_path / "place-one", tmp_path / "place-other"]
    for place in places:
        place.mkdir()
    issued: list[Issued] = []
    with running(one, workplace=places[0]) as first, running(other, workplace=places[1]) as second:
        threads = [threading.Thread(target=_issue, args=(directory, 20, issued)) for directory in (one, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        serials = {each.certificate.serial_number for each in issued}
        gone = min(serials)
        with opened(one) as authority:
            authority.revoke(authority.store.by_serial(gone)[0], Reason.KEY_COMPROMISE)
        for service in (first, second):
            eventually(lambda service=service: gone in _serials_listed(service), "the revocation is in the CRL")  # type: ignore[misc]  # service is bound where the lambda is made
    with opened(other) as authority:
        events = authority.store.events(limit=10_000)
    listed = [(one.action, one.issuer, one.detail["number"]) for one in events if one.action.startswith("crl.")]
    assert len(serials) == len(issued) == 40
    assert verify_chain(events) == ()
    assert len(listed) == len(set(listed))


def _handfast(directory: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [str(_HANDFAST), words[0], "--ca", str(directory), *words[1:]]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=directory.parent)


def test_commands_work_over_postgresql_and_a_database_holds_one_authority(
    tmp_path: Path, postgresql_server: Server
) -> None:
    directory, url = tmp_path / "ca", postgresql_server.new_database()
    for words in (
        ["init", "--no-passphrase", "--store", url],
        ["issue", "alice", "--profile", "client"],
        ["list"],
        ["revoke", "alice", "--yes"],
        ["crl"],
    ):
        told = _handfast(directory, *words)
        assert told.returncode == 0, (words, told.stdout, told.stderr)
    assert "alice" in _handfast(directory, "list", "--state", "revoked").stdout
    assert not (directory / "ca.sqlite").exists()
    again = _handfast(tmp_path / "again", "init", "--no-passphrase", "--store", url)
    assert again.returncode == 1
    assert "error: " in again.stderr
    assert not (tmp_path / "again").exists()
