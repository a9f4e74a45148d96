"""Bulk issue at a running service: keys stay here, limits are kept to, and no row gets two certificates."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from handfast.ca.office import Proof
from handfast.ca.policy import RequesterRole
from handfast.ca.records import Listing
from handfast.ca.requesters import RequesterRecord
from handfast.cli import run
from handfast.pki.keys import key_identifier
from handfast.pki.pem import one_key
from tests.serving import Running, authority_in, client_files, eventually, opened, running

SETTINGS = """
[limits]
per_profile = "1000000/1h"
[profiles.badge]
like = "client"
approvals = 1
"""
LIMITED = """
[limits]
per_requester = "4/2s"
"""
HANDFAST = Path(sys.executable).with_name("handfast")


def officer_in(workplace: Path, settings: str) -> None:
    """An authority, and a registration officer's key.pem and chain.pem in the folder `officer`."""
    authority_in(workplace / "ca", settings)
    issued = client_files(workplace / "ca", "officer", workplace / "officer")
    with opened(workplace / "ca") as authority:
        record = RequesterRecord(
            name="officer",
            role=RequesterRole.OFFICER,
            profiles=None,
            patterns=None,
            created_at=authority.clock(),
        )
        authority.office.add_requester(record, Proof(issued.certificate))


def options(service: Running, port: int = 0) -> list[str]:
    folder = service.directory.parent / "officer"
    return [
        *("--server", f"https://localhost:{port or service.https}", "--server-ca", str(service.root)),
        *("--client-certificate", str(folder / "chain.pem"), "--client-key", str(folder / "key.pem")),
    ]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    workplace = tmp_path_factory.mktemp("bulk")
    officer_in(workplace, SETTINGS)
    with running(workplace / "ca", workplace=workplace) as one:
        yield one


@pytest.fixture
def bulk(service: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    monkeypatch.chdir(tmp_path)

    def issue(*arguments: str, status: int = 0, where: list[str] | None = None) -> dict[str, Any]:
        place = options(service) if where is None else where
        assert run([*place, "bulk", "rows.csv", "--json", *arguments]) == status, capsys.readouterr()
        # The report comes before the error that ends a run with refused rows.
        report: dict[str, Any] = json.JSONDecoder().raw_decode(capsys.readouterr().out)[0]
        return report

    return issue


def rows(*names: str, head: str = "name") -> None:
    Path("rows.csv").write_text("\n".join([head, *names]) + "\n")


def serials(directory: Path) -> dict[str, int]:
    found = directory.glob("*/fullchain.pem")
    return {one.parent.name: x509.load_pem_x509_certificate(one.read_bytes()).serial_number for one in found}


def on_record(service: Running, word: str) -> list[int]:
    with opened(service.directory) as authority:
        page = authority.search(Listing(now=authority.clock(), text=word, limit=1000))
    return sorted(one.serial for one in page.records)


def test_keys_are_made_here_and_openssl_trusts_what_comes_back(service: Running, bulk: Any) -> None:
    rows(*(f"cam-{number}" for number in range(40)))
    assert bulk() == {"issued": 40, "already": 0, "refused": [], "directory": "issued"}
    folder = Path("issued/cam-7")
    assert (folder / "key.pem").stat().st_mode & 0o777 == 0o600
    chain = (folder / "fullchain.pem").read_bytes()
    leaf = x509.load_pem_x509_certificate(chain)
    assert load_pem_private_key((folder / "key.pem").read_bytes(), None).public_key() == leaf.public_key()
    verify = ["openssl", "verify", "-CAfile", "issued/ca.pem", "-untrusted", str(folder / "fullchain.pem")]
    done = subprocess.run([*verify, str(folder / "fullchain.pem")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with opened(service.directory) as authority:
        assert authority.find(f"{leaf.serial_number:x}").requester == "officer"


def test_the_same_again_goes_on_and_rows_that_were_added_are_issued(bulk: Any) -> None:
    rows("a", "b")
    bulk()
    before = serials(Path("issued"))
    rows("a", "b", "c")
    assert bulk() == {"issued": 1, "already": 2, "refused": [], "directory": "issued"}
    assert before.items() <= serials(Path("issued")).items()


def test_an_answer_that_was_lost_is_given_again(service: Running, bulk: Any) -> None:
    rows(*(f"lost-{number}" for number in range(5)))
    bulk()
    before = serials(Path("issued"))
    for name in ("lost-1", "lost-3"):
        Path(f"issued/{name}/fullchain.pem").unlink()
    assert bulk() == {"issued": 2, "already": 3, "refused": [], "directory": "issued"}
    assert serials(Path("issued")) == before
    assert on_record(service, "lost") == sorted(before.values())


def test_a_row_whose_key_is_gone_gets_no_second_certificate(service: Running, bulk: Any) -> None:
    rows("gone-1")
    bulk()
    before = on_record(service, "gone")
    for name in ("fullchain.pem", "key.pem"):
        Path("issued/gone-1", name).unlink()
    (refused,) = bulk(status=1)["refused"]
    assert "is for another key" in refused["reason"]
    assert on_record(service, "gone") == before


def test_a_certificate_that_was_revoked_since_is_not_given_again(service: Running, bulk: Any) -> None:
    rows("bad-1")
    bulk()
    path = Path("issued/bad-1/fullchain.pem")
    serial = serials(Path("issued"))["bad-1"]
    path.unlink()
    with opened(service.directory) as authority:
        authority.revoke(authority.find(f"{serial:x}"))
    (refused,) = bulk(status=1)["refused"]
    assert "revoked" in refused["reason"]
    assert not path.exists()


def test_rows_are_refused_in_the_words_of_a_bulk_issue_at_the_machine(service: Running, bulk: Any) -> None:
    rows("ok-1,,", "long,,99y", "odd,nonsuch,", head="name,profile,lifetime")
    there = bulk("--out", "there", status=1)
    here = bulk("--out", "here", status=1, where=["--ca", str(service.directory)])
    for report in (there, here):
        report["refused"].sort(key=lambda one: one["name"])
    assert there == here | {"directory": "there"}
    assert [one["name"] for one in there["refused"]] == ["long", "odd"]
    # Mended, the same command issues the rest.
    rows("ok-1,,", "long,,9d", "odd,client,", head="name,profile,lifetime")
    assert bulk("--out", "there") == {"issued": 2, "already": 1, "refused": [], "directory": "there"}


def test_a_row_that_waits_for_approval_says_so_and_is_issued_later(service: Running, bulk: Any) -> None:
    rows("guest")
    (refused,) = bulk("--profile", "badge", status=1)["refused"]
    assert "waits for approval" in refused["reason"]
    with opened(service.directory) as authority:
        (waiting,) = authority.pending()
        approver = RequesterRecord(
            name="boss", role=RequesterRole.APPROVER, profiles=None, patterns=None, created_at=authority.clock()
        )
        authority.approve(waiting.transaction, approver.requester())
    assert bulk("--profile", "badge")["issued"] == 1


def test_the_directory_of_another_authority_is_not_gone_on_with(
    bulk: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    rows("a")
    authority_in(tmp_path / "other")
    bulk(where=["--ca", str(tmp_path / "other")])
    assert bulk(status=2)["error"]["message"].endswith("is of another authority than the service")


def test_limits_of_the_service_are_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    officer_in(tmp_path, LIMITED)
    monkeypatch.chdir(tmp_path)
    rows(*(f"cam-{number}" for number in range(10)))
    with running(tmp_path / "ca", workplace=tmp_path) as service:
        words = [str(HANDFAST), *options(service), "bulk", "rows.csv"]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        assert "issued 10 certificates" in done.stdout
        assert "has issued as many as it may for now" in done.stderr
        assert len(on_record(service, "cam")) == 10


def test_a_service_that_is_killed_and_started_again_issues_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    officer_in(tmp_path, SETTINGS)
    monkeypatch.chdir(tmp_path)
    rows(*(f"cam-{number}" for number in range(400)))
    with running(tmp_path / "ca", workplace=tmp_path) as first:
        port = first.https
        words = [str(HANDFAST), *options(first), "bulk", "rows.csv", "--out", "out"]
        child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        eventually(lambda: len(serials(Path("out"))) >= 20, "the first certificates")
        first.signal(signal.SIGKILL)
        first.process.wait()
    with running(tmp_path / "ca", "--listen", f"127.0.0.1:{port}", workplace=tmp_path) as second:
        told, _ = child.communicate(timeout=240)
        assert (child.returncode, "issued 400 certificates" in told) == (0, True), told
        made = serials(Path("out"))
        assert len(made) == 400
        assert on_record(second, "cam") == sorted(made.values())


def test_a_client_that_is_killed_left_no_certificate_without_its_key(
    service: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows(*(f"fallen-{number}" for number in range(600)))
    words = [str(HANDFAST), *options(service), "bulk", "rows.csv", "--out", "out"]
    child = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    # In the second chunk.
    eventually(lambda: len(serials(Path("out"))) >= 270, "the first certificates")
    child.kill()
    child.wait()
    keys = {key_identifier(one_key(path.read_bytes()).public_key()) for path in Path("out").glob("*/key.pem")}
    with opened(service.directory) as authority:
        found = [authority.find(f"{serial:x}") for serial in on_record(service, "fallen")]
    assert len(found) >= 270
    assert {one.key_id for one in found} <= keys
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    made = serials(Path("out"))
    assert len(made) == 600
    assert on_record(service, "fallen") == sorted(made.values())
