"""What ended leaves the hot tables and is still found; what did not, or is still on a CRL, nobody can change."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from handfast.ca.ports import Store
from handfast.ca.records import (
    AuditEvent,
    BatchRow,
    CertificateRecord,
    CrlRecord,
    Finished,
    Listing,
    Reason,
    Revocation,
    State,
)
from handfast.errors import Conflict
from handfast.pki.names import parse_names
from handfast.stores.sqlite import open_store

# Triggers look at the clock of the database: this is long over for it, and FAR is not.
PAST = datetime(2020, 5, 1, 12, tzinfo=UTC)
FAR = datetime(2190, 5, 1, 12, tzinfo=UTC)
EVENT = AuditEvent(at=PAST, actor="operator", action="test.done")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ca.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    opened = open_store(str(path))
    yield opened
    opened.close()


def issue(store: Store, serial: int, end: datetime) -> CertificateRecord:
    record = CertificateRecord(
        serial=serial,
        issuer="issuing",
        profile="device",
        profile_digest="d",
        subject=f"CN=cam-{serial}",
        label=f"cam-{serial}",
        names=parse_names([f"cam-{serial}.example.org"]),
        not_before=end - timedelta(days=90),
        not_after=end,
        key_id=b"k" * 20,
        requester="operator",
        created_at=end - timedelta(days=90),
        batch_row=BatchRow("b", f"row-{serial}"),
    )
    (identifier,) = store.begin([record])
    store.finish([Finished(identifier, b"der %d" % serial, serial.to_bytes(32, "big"), b"s" * 20)], [EVENT])
    return store.by_serial(serial)[0]


def revoke(store: Store, record: CertificateRecord, reason: Reason = Reason.KEY_COMPROMISE, sequence: int = 0) -> None:
    revocation = Revocation(
        serial=record.serial,
        issuer=record.issuer,
        sequence=sequence,
        reason=reason,
        revoked_at=record.not_before,
        not_after=record.not_after,
        requester="operator",
    )
    store.append_revocation(revocation, EVENT)


def a_crl(number: int, at: datetime) -> CrlRecord:
    later = at + timedelta(days=7)
    return CrlRecord(issuer="issuing", number=number, this_update=at, next_update=later, covers=0, full_at=at)


def retire(store: Store, *, now: datetime = PAST + timedelta(days=365)) -> int:
    moved = 0
    while some := store.retire(ended_before=now - timedelta(days=90), now=now, limit=2):
        moved += some
    return moved


def test_what_ended_long_ago_leaves_the_lists_and_is_found_as_it_was(store: Store) -> None:
    old = [issue(store, serial, PAST) for serial in range(1, 6)]
    recent = issue(store, 7, PAST + timedelta(days=300))

    assert retire(store) == 5

    page = store.search(Listing(now=PAST))
    assert [one.serial for one in page.records] == [7]
    for record in old:
        assert store.by_serial(record.serial) == (record,)
        assert record.fingerprint is not None
        assert store.by_fingerprint(record.fingerprint) == (record,)
        assert store.by_batch("b", [f"row-{record.serial}"]) == (record,)
        assert store.by_name(record.label) == ()
    assert store.by_serial(7) == (recent,)
    assert retire(store) == 0


def test_a_serial_and_a_row_in_the_archive_stay_taken(store: Store) -> None:
    record = issue(store, 5, PAST)
    retire(store)
    with pytest.raises(Conflict):
        store.begin([replace(record, batch_row=None)])


def test_a_revoked_one_stays_revoked_in_the_archive_and_its_revocation_stays_until_a_crl_after_its_end(
    store: Store, path: Path
) -> None:
    record = issue(store, 5, PAST)
    revoke(store, record, Reason.CERTIFICATE_HOLD)
    revoke(store, record, sequence=1)
    now = PAST + timedelta(days=365)

    assert retire(store) == 1
    assert hot_revocations(path) == 2
    store.begin_crl(a_crl(1, PAST - timedelta(days=1)), EVENT)
    assert retire(store) == 0
    store.begin_crl(a_crl(2, PAST + timedelta(days=1)), EVENT)
    assert retire(store) == 2

    assert hot_revocations(path) == 0
    assert store.by_serial(5)[0].state(now) is State.REVOKED
    last = store.revocation("issuing", 5)
    assert last is not None
    assert (last.reason, last.sequence) == (Reason.KEY_COMPROMISE, 1)


def test_an_unexpired_revoked_entry_stays_whatever_the_authority_believes_the_time_is(store: Store, path: Path) -> None:
    record = issue(store, 5, FAR)
    revoke(store, record)
    store.begin_crl(a_crl(1, FAR + timedelta(days=1)), EVENT)
    with pytest.raises(Conflict, match="still needed"):
        retire(store, now=FAR + timedelta(days=365))
    assert hot_revocations(path) == 1
    assert store.by_serial(5)[0].state(PAST) is State.REVOKED


def hot_revocations(path: Path) -> int:
    with closing(sqlite3.connect(path)) as raw:
        return int(raw.execute("SELECT COUNT(*) FROM revocation").fetchone()[0])


COPY = "INSERT INTO archived_revocation SELECT * FROM revocation"


@pytest.mark.parametrize(
    "statements",
    [
        ["DELETE FROM revocation"],
        [COPY, "DELETE FROM revocation"],
        ["UPDATE revocation SET reason = 'removeFromCRL'"],
        ["UPDATE revocation SET not_after = 0"],
        ["DELETE FROM certificate"],
        ["DELETE FROM issued"],
        ["UPDATE certificate SET not_after = 0"],
        ["REPLACE INTO revocation SELECT id, serial, issuer, 9, 'removeFromCRL', 0, 0, '' FROM revocation"],
        ["REPLACE INTO revocation SELECT 99, serial, issuer, sequence, 'removeFromCRL', 0, 0, '' FROM revocation"],
        ["INSERT INTO revocation SELECT 99, serial, issuer, 1, 'removeFromCRL', 0, 0, '' FROM revocation"],
        ["INSERT INTO revocation SELECT 99, serial, issuer, 1, 'removeFromCRL', 0, 0, '' FROM archived_revocation"],
        ["DELETE FROM crl"],
        ["DELETE FROM audit"],
        ["DELETE FROM archive WHERE id = 1"],
        ["UPDATE archived_revocation SET reason = 'removeFromCRL'"],
        ["DELETE FROM archived_revocation"],
    ],
    ids="; ".join,
)
def test_raw_sql_cannot_touch_what_is_kept(store: Store, path: Path, statements: list[str]) -> None:
    ended = issue(store, 4, PAST)
    revoke(store, ended)
    store.begin_crl(a_crl(1, PAST + timedelta(days=1)), EVENT)
    retire(store)
    revoke(store, issue(store, 5, FAR))
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("BEGIN")
        for statement in statements[:-1]:
            raw.execute(statement)
        with pytest.raises(sqlite3.IntegrityError):
            raw.execute(statements[-1])
    assert store.by_serial(5)[0].state(PAST) is State.REVOKED
    assert store.by_serial(4)[0].state(PAST) is State.REVOKED
