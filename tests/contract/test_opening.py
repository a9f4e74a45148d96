"""Opening an authority looks at nothing that grows: it takes as long with a million certificates as with one."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from handfast.keys.passphrase import no_passphrase
from handfast.server.assembly import assemble, open_parts
from handfast.server.founding import Plan, create_authority
from tests.statements import told_statements

GROWING = (
    "certificate", "certificate_name", "certificate_shard", "issued", "revocation", "revocation_shard", "crl", "audit",
    "archive", "archived_revocation", "audit_head", "answer", "pending", "token", "notice",
)  # fmt: skip


def test_no_statement_of_opening_scans_a_table_that_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ca = tmp_path / "ca"
    create_authority(ca, Plan(name="Test"), passphrase=no_passphrase).store.close()
    told = told_statements(monkeypatch)
    parts = open_parts(ca, passphrase=no_passphrase)
    assert assemble(parts).issuers
    parts.store.close()

    questions = [one for one in told if one.lstrip().upper().startswith("SELECT")]
    assert questions
    with closing(sqlite3.connect(ca / "ca.sqlite")) as raw:
        plans = [row[3] for one in questions for row in raw.execute(f"EXPLAIN QUERY PLAN {one}")]
    scanned = {plan.split()[1] for plan in plans if plan.startswith("SCAN")}
    assert scanned.isdisjoint(GROWING), plans
