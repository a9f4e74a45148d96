"""The audit log of a running service, fetched and verified on another machine: whole, changed, cut off, made anew."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from handfast.ca.audit import event_hash
from handfast.ca.office import Proof
from handfast.ca.policy import RequesterRole
from handfast.ca.requesters import SECRET_PREFIX, RequesterRecord
from handfast.cli import run
from handfast.keys.generate import new_secret
from handfast.keys.passphrase import no_passphrase
from handfast.server.assembly import open_parts
from handfast.server.witness import give, new_head
from handfast.stores import rows
from tests.interposed import interposed
from tests.serving import Running, authority_in, client_files, opened, running

AUDITOR, ADMINISTRATOR, OFFICER = RequesterRole.AUDITOR, RequesterRole.ADMINISTRATOR, RequesterRole.OFFICER
# More than two pages.
EVENTS = 2100


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority with many events, a head that a witness has in `heads`, and the secrets of those who ask."""
    ca = tmp_path_factory.mktemp("audited") / "ca"
    authority_in(ca)
    with opened(ca) as authority:
        for role in (AUDITOR, ADMINISTRATOR, OFFICER):
            secret = new_secret(SECRET_PREFIX)
            (ca.parent / f"{role}.secret").write_text(secret)
            record = RequesterRecord(
                name=f"a-{role}", role=role, profiles=None, patterns=None, created_at=authority.clock()
            )
            authority.office.add_requester(record, Proof(secret=secret))
    parts = open_parts(ca, passphrase=no_passphrase)
    with closing(parts.store):
        parts.store.append(*(parts.record("test.event", number=str(one), note="ä\n") for one in range(EVENTS)))
        give(new_head(parts), str(ca.parent / "heads"))
    return ca


@dataclass(frozen=True, slots=True)
class World:
    """A service, and what its auditors have on another machine."""

    service: Running
    folder: Path
    captured: "pytest.CaptureFixture[str]"

    @property
    def heads(self) -> tuple[str, str]:
        return ("--heads", str(self.folder / "heads"))

    @property
    def key(self) -> tuple[str, str]:
        return ("--key", str(self.service.directory / "certificates" / "audit.pub"))

    def verify(
        self, *options: str, who: RequesterRole = AUDITOR, at: str | None = None, status: int = 0
    ) -> dict[str, Any]:
        """What `audit-log verify` over the network says. at: another address than the service's."""
        url = at or f"https://localhost:{self.service.https}"
        place = ["--server", url, "--server-ca", str(self.service.root)]
        secret = ["--secret-file", str(self.folder / f"{who}.secret")]
        assert run([*place, *secret, "audit-log", "verify", "--json", *options]) == status
        told: dict[str, Any] = json.loads(self.captured.readouterr().out)
        return told

    def codes(self, *options: str, at: str | None = None, status: int) -> set[str]:
        return {one["code"] for one in self.verify(*options, at=at, status=status)["findings"]}

    def tamper(self, *statements: str) -> None:
        """Who can write the database can also drop its triggers."""
        with closing(sqlite3.connect(self.service.directory / "ca.sqlite", isolation_level=None)) as raw:
            raw.execute("BEGIN IMMEDIATE")
            for table, verb in (("audit", "update"), ("audit", "delete"), ("audit_head", "delete")):
                raw.execute(f"DROP TRIGGER {table}_no_{verb}")
            for statement in statements:
                raw.execute(statement)
            raw.execute("COMMIT")


@pytest.fixture
def world(original: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[World]:
    shutil.copytree(original, tmp_path / "ca")
    with running(tmp_path / "ca", workplace=tmp_path) as service:
        yield World(service, original.parent, capsys)


@pytest.mark.parametrize("who", [AUDITOR, ADMINISTRATOR])
def test_a_whole_log_is_verified_by_whoever_may_read_it(world: World, who: RequesterRole) -> None:
    told = world.verify(*world.heads, *world.key, who=who)

    assert run(["audit-log", "verify", "--ca", str(world.service.directory), "--json", *world.heads]) == 0
    here = json.loads(world.captured.readouterr().out)
    assert (told["findings"], here["findings"]) == ([], [])
    # The head that the witness has, and the same one of the service.
    assert (told["heads"], here["heads"]) == (2, 2)
    assert EVENTS < told["events"] <= here["events"]


def test_who_may_not_read_the_log_cannot_verify_it(world: World) -> None:
    assert world.verify(who=OFFICER, status=1)["error"]["kind"] == "denied"


def test_that_nothing_but_the_service_vouches_for_it_is_said(world: World) -> None:
    place = ["--server", f"https://localhost:{world.service.https}", "--server-ca", str(world.service.root)]
    asked = [*place, "--secret-file", str(world.folder / f"{AUDITOR}.secret"), "audit-log", "verify"]
    assert run(asked) == 0
    assert "nothing but the service vouches" in world.captured.readouterr().err
    assert run([*asked, *world.heads]) == 0
    assert world.captured.readouterr().err == ""


@pytest.mark.parametrize(
    "change",
    ["at = at + 1", "actor = 'x'", "detail = '{}'", "detail = 'no JSON'", "detail = '5'", "serial = x'05'",
     "detail = replace(detail, '\"1500\"', '1500')", "hash = zeroblob(32)"],
)  # fmt: skip
def test_a_changed_row_is_found(world: World, change: str) -> None:
    world.tamper(f"UPDATE audit SET {change} WHERE detail LIKE '%\"1500\"%'")
    assert world.codes(status=1) == {"audit-chain-broken"}


def test_a_log_that_is_changed_everywhere_is_told_in_a_few_lines(world: World) -> None:
    world.tamper("UPDATE audit SET actor = 'x'")
    findings = world.verify(status=1)["findings"]
    assert len(findings) == 21
    assert "more places" in findings[-1]["message"]


def test_an_end_that_was_cut_off_is_found_by_the_count_and_by_a_witness(world: World) -> None:
    world.tamper("DELETE FROM audit WHERE id > 900", "DELETE FROM audit_head")
    assert world.codes(status=1) == {"audit-cut-off"}

    with closing(sqlite3.connect(world.service.directory / "ca.sqlite", isolation_level=None)) as raw:
        raw.execute("UPDATE counter SET value = 900 WHERE name = 'audit'")
    assert world.verify()["findings"] == []
    assert world.codes(*world.heads, status=1) == {"audit-cut-off"}


def test_a_log_that_was_made_anew_is_found_by_a_witness_and_its_new_head_by_the_key(
    world: World, original: Path, tmp_path: Path
) -> None:
    stranger = tmp_path / "stranger"
    authority_in(stranger)
    parts = open_parts(stranger, passphrase=no_passphrase)
    with closing(parts.store):
        head = new_head(parts)
    world.tamper("DELETE FROM audit_head")
    with closing(sqlite3.connect(world.service.directory / "ca.sqlite", isolation_level=None)) as raw:
        raw.execute("BEGIN IMMEDIATE")
        raw.execute("UPDATE audit SET actor = 'somebody else' WHERE id = 3")
        previous = b""
        for row in raw.execute("SELECT * FROM audit ORDER BY id").fetchall():
            previous = event_hash(previous, rows.event_of(row))
            raw.execute("UPDATE audit SET hash = ? WHERE id = ?", (previous, row[0]))
        raw.execute("COMMIT")
    assert world.verify()["findings"] == []
    assert world.codes(*world.heads, status=1) == {"audit-rewritten"}

    with closing(sqlite3.connect(world.service.directory / "ca.sqlite", isolation_level=None)) as raw:
        values = (head.id, head.hash, rows.seconds(head.at), head.key, head.signature)
        raw.execute("INSERT INTO audit_head VALUES (?, ?, ?, ?, ?)", values)
    assert world.codes(*world.heads, status=1) == {"audit-rewritten", "audit-head-forged"}
    assert world.codes(*world.key, status=1) == {"audit-head-forged"}


def test_somebody_between_who_leaves_events_out_or_leads_in_a_circle_is_noticed(world: World, tmp_path: Path) -> None:
    issued = client_files(world.service.directory, "auditor", tmp_path / "auditor")
    with opened(world.service.directory) as authority:
        authority.office.add_credential(f"a-{AUDITOR}", Proof(issued.certificate))
    pages: list[bytes] = []

    def without_one(_: bytes, answer: bytes) -> bytes:
        document = json.loads(answer)
        del document["events"][50:51]
        return json.dumps(document).encode()

    def the_first_again(_: bytes, answer: bytes) -> bytes:
        pages.append(answer)
        return pages[0]

    with interposed(world.service, tmp_path / "auditor", tmp_path) as between:
        between.exchanges["/api/audit?"] = without_one
        assert world.codes(at=between.url, status=1) == {"audit-chain-broken"}
        between.exchanges["/api/audit?"] = the_first_again
        assert "leads nowhere" in world.verify(at=between.url, status=1)["error"]["message"]
    assert len(pages) == 2


def test_a_copy_here_and_a_service_contradict_each_other(world: World) -> None:
    assert world.verify("--store", "ca.sqlite", status=2)["error"]["kind"] == "config-error"
