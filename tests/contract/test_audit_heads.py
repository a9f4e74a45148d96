"""Whatever is done to the audit log behind our back is found: by the chain, or by a signed head that somebody kept."""

import hashlib
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from handfast.ca.audit import event_hash
from handfast.ca.audit_head import Head, Verification, parse_heads
from handfast.ca.order import Order
from handfast.ca.records import Reason, Revocation
from handfast.ca.recovering import Recovery
from handfast.cli import run
from handfast.errors import ConfigError, Malformed
from handfast.keys.generate import generate_key
from handfast.keys.passphrase import no_passphrase
from handfast.pki.serial import serial_text
from handfast.pki.subject import parse_subject
from handfast.server.assembly import Parts, open_authority, open_parts
from handfast.server.founding import Plan, create_authority
from handfast.server.witness import give, new_head, witness_if_due
from handfast.stores import rows
from handfast.stores.copying import audit_of


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority with some events after its last head, and some before; and the witness's file."""
    ca = tmp_path_factory.mktemp("audit") / "ca"
    create_authority(ca, Plan(name="Test"), passphrase=no_passphrase).store.close()
    parts = open_parts(ca, passphrase=no_passphrase)
    parts.store.append(parts.record("test.first", note="ä"))
    give(new_head(parts), str(ca / "heads"))
    parts.store.append(parts.record("test.last"))
    parts.store.close()
    return ca


@pytest.fixture
def ca(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "ca"))


def tampered(ca: Path, *statements: str) -> None:
    """Who can write the file can also drop the triggers."""
    with closing(sqlite3.connect(ca / "ca.sqlite", isolation_level=None)) as raw:
        for table, verb in (("audit", "update"), ("audit", "delete"), ("audit_head", "delete")):
            raw.execute(f"DROP TRIGGER {table}_no_{verb}")
        for statement in statements:
            raw.execute(statement)


def witnessed(ca: Path) -> tuple[Head, ...]:
    return parse_heads((ca / "heads").read_text(), "heads")


def codes(ca: Path, heads: tuple[Head, ...] = ()) -> set[str]:
    events, kept = audit_of(str(ca / "ca.sqlite"))
    return {one.code for one in Verification((*kept, *heads)).findings(events)}


def test_an_untouched_log_agrees_with_its_heads(ca: Path) -> None:
    assert codes(ca) == codes(ca, witnessed(ca)) == set()


@pytest.mark.parametrize(
    "change",
    [
        "at = at + 1", "actor = 'x'", "action = 'x'", "issuer = 'x'", "serial = x'05'", "serial = 'text'",
        "detail = '{}'", "detail = 'no JSON'", "detail = '[]'", "at = 'never'", "at = 9e30",
        "detail = '5'", "detail = '\"ab\"'", "actor = x'ff'",
        "hash = zeroblob(32)", "id = 1000", "hash = ''",
    ],
)  # fmt: skip
def test_a_change_in_any_column_is_found(ca: Path, change: str) -> None:
    tampered(ca, f"UPDATE audit SET {change} WHERE action = 'test.first'")
    assert "audit-chain-broken" in codes(ca)


def test_a_row_taken_out_of_the_middle_is_found(ca: Path) -> None:
    tampered(ca, "DELETE FROM audit WHERE id = 3")
    assert codes(ca) == {"audit-chain-broken"}


def test_a_row_put_in_between_is_found(ca: Path) -> None:
    tampered(ca, "INSERT INTO audit SELECT 0, at, actor, action, issuer, serial, detail, hash FROM audit WHERE id = 3")
    assert codes(ca) == {"audit-chain-broken"}


def test_a_tail_that_was_cut_off_is_found_by_a_head(ca: Path) -> None:
    tampered(ca, "DELETE FROM audit WHERE id > 4")
    assert codes(ca) == {"audit-cut-off"}
    tampered_again(ca, "DELETE FROM audit_head")
    assert codes(ca) == set()
    assert codes(ca, witnessed(ca)) == {"audit-cut-off"}


def tampered_again(ca: Path, statement: str) -> None:
    with closing(sqlite3.connect(ca / "ca.sqlite", isolation_level=None)) as raw:
        raw.execute(statement)


def test_a_log_that_was_chained_anew_after_a_change_is_found_by_a_head(ca: Path) -> None:
    tampered(ca, "UPDATE audit SET actor = 'somebody else' WHERE id = 3", "DELETE FROM audit_head")
    with closing(sqlite3.connect(ca / "ca.sqlite", isolation_level=None)) as raw:
        previous = b""
        for row in raw.execute("SELECT * FROM audit ORDER BY id").fetchall():
            previous = event_hash(previous, rows.event_of(row))
            raw.execute("UPDATE audit SET hash = ? WHERE id = ?", (previous, row[0]))
    assert codes(ca) == set()
    assert codes(ca, witnessed(ca)) == {"audit-rewritten"}


@pytest.mark.parametrize(
    "forge",
    [
        lambda head: replace(head, hash=hashlib.sha256(b"").digest()),
        lambda head: replace(head, id=head.id - 1),
        lambda head: replace(head, signature=head.signature[:-1] + bytes([head.signature[-1] ^ 1])),
        lambda head: replace(head, key=b"no key"),
    ],
)
def test_a_head_that_the_audit_key_did_not_sign_is_found(ca: Path, forge: Callable[[Head], Head]) -> None:
    assert codes(ca, (forge(witnessed(ca)[0]),)) == {"audit-head-forged"}


def test_a_head_of_another_key_is_found(ca: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    create_authority(other, Plan(name="Test"), passphrase=no_passphrase).store.close()
    parts = open_parts(other, passphrase=no_passphrase)
    head = new_head(parts)
    parts.store.close()
    assert head.is_signed()
    assert codes(ca, (head,)) == {"audit-head-forged"}


@pytest.mark.parametrize("is_released", [True, False], ids=["released before", "held before"])
def test_a_revocation_that_somebody_deletes_is_found(
    ca: Path, capsys: pytest.CaptureFixture[str], is_released: bool
) -> None:
    authority = open_authority(ca, passphrase=no_passphrase)
    with closing(authority.store):
        order = Order(profile="device", public_key=generate_key().public_key(), subject=parse_subject("CN=cam"))
        record = authority.issue(order).record
        authority.hold(record)
        if is_released:
            authority.release(record)
        authority.revoke(authority.find("cam"))
    assert run(["audit-log", "verify", "--ca", str(ca)]) == 0
    tampered(ca, "DROP TRIGGER revocation_no_delete", "DELETE FROM revocation WHERE reason = 'unspecified'")
    assert run(["audit-log", "verify", "--ca", str(ca)]) == 1
    told = capsys.readouterr()
    assert "(revocation-lost)" in told.out + told.err
    assert f"handfast revoke {serial_text(record.serial)}" in told.out + told.err


def test_so_is_one_that_a_restore_had_put_back(ca: Path, capsys: pytest.CaptureFixture[str]) -> None:
    authority = open_authority(ca, passphrase=no_passphrase)
    with closing(authority.store):
        order = Order(profile="device", public_key=generate_key().public_key(), subject=parse_subject("CN=cam"))
        record, now = authority.issue(order).record, authority.clock()
        told = Revocation(
            serial=record.serial,
            issuer=record.issuer,
            sequence=0,
            reason=Reason.KEY_COMPROMISE,
            revoked_at=now,
            not_after=record.not_after,
            requester="operator",
        )
        Recovery(store=authority.store, now=now, actor="operator").replay([told])
    assert run(["audit-log", "verify", "--ca", str(ca)]) == 0
    tampered(ca, "DROP TRIGGER revocation_no_delete", "DELETE FROM revocation WHERE reason = 'keyCompromise'")
    assert run(["audit-log", "verify", "--ca", str(ca)]) == 1
    assert f"handfast revoke {serial_text(record.serial)}" in "".join(capsys.readouterr())


NO_HEX = '{"id": 1, "hash": "zz", "time": "", "key": "", "signature": ""}'


@pytest.mark.parametrize("line", ["{}", "no JSON", "[1]", NO_HEX])
def test_a_file_that_holds_no_heads_is_refused(line: str) -> None:
    with pytest.raises(Malformed, match="line 2"):
        parse_heads("\n" + line, "heads")


def test_the_witness_of_the_settings_gets_a_head_when_something_happened(ca: Path) -> None:
    (ca / "handfast.toml").write_text('[audit]\nwitness = "seen/heads"\n')
    (ca / "seen").mkdir()
    parts: Parts = open_parts(ca, passphrase=no_passphrase)
    assert witness_if_due(parts) is not None
    assert witness_if_due(parts) is None
    parts.store.append(parts.record("test.more"))
    assert witness_if_due(parts) is not None
    parts.store.close()
    assert len(parse_heads((ca / "seen" / "heads").read_text(), "heads")) == 2


def test_heads_are_read_in_pages(ca: Path) -> None:
    parts = open_parts(ca, passphrase=no_passphrase)
    with closing(parts.store):
        for number in range(3):
            parts.store.append(parts.record("test.more", number=str(number)))
            new_head(parts)
        heads = parts.store.heads
        first = heads.page(after=0, limit=3)
        rest = heads.page(after=first[-1].id, limit=3)
        assert (*first, *rest) == heads.all()
        assert (len(first), len(rest)) == (3, 1)


def test_events_that_were_counted_and_are_gone_are_found(ca: Path) -> None:
    tampered(ca, "DELETE FROM audit WHERE id > 4", "DELETE FROM audit_head")
    assert run(["audit-log", "verify", "--ca", str(ca)]) == 1


def test_a_witness_that_cannot_be_reached_is_named(ca: Path) -> None:
    (head, *_) = witnessed(ca)
    with pytest.raises(ConfigError, match="cannot be written"):
        give(head, str(ca / "absent" / "heads"))
    with pytest.raises(Malformed, match="https"):
        give(head, "http://witness.example.org/")
