"""Every store keeps what the authority relies on: one suite for all plugins."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from handfast import registry
from handfast.ca.audit import verify_chain
from handfast.ca.ports import Store
from handfast.ca.published import Published, Which
from handfast.ca.records import (
    AuditEvent,
    BatchRow,
    CertificateRecord,
    CrlRecord,
    Finished,
    IssuerRecord,
    Listing,
    Reason,
    RecordStatus,
    Revocation,
    Role,
    State,
)
from handfast.ca.statuses import Status
from handfast.errors import ConfigError, Conflict
from handfast.pki.crl import encode_entry
from handfast.pki.names import parse_names
from handfast.prove.process import wait_until
from handfast.stores.sql import SqlStore
from handfast.stores.sqlite import open_store
from tests.databases import Server

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
Open = Callable[[], Store]


@pytest.fixture(params=["sqlite", "sqlite-in-memory", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStore]:
    if request.param == "postgresql":
        server: Server = request.getfixturevalue("postgresql_server")
        kind, _, location = server.new_database().partition(":")
    else:
        kind = "sqlite"
        location = ":memory:" if request.param == "sqlite-in-memory" else str(tmp_path / "ca.sqlite")
    module = registry.load("stores", kind)
    opened: SqlStore = module.open_store(location)
    yield opened
    opened.close()


def a_record(serial: int, **changes: object) -> CertificateRecord:
    record = CertificateRecord(
        serial=serial,
        issuer="issuing",
        profile="device",
        profile_digest="d",
        subject=f"CN=cam-{serial}",
        label=f"cam-{serial}",
        names=parse_names([f"cam-{serial}.example.org"]),
        not_before=NOW,
        not_after=NOW + timedelta(days=90),
        key_id=b"k" * 20,
        requester="operator",
        created_at=NOW,
    )
    return replace(record, **changes)  # type: ignore[arg-type]  # fields of the record


def issue(store: Store, *records: CertificateRecord) -> list[int]:
    identifiers = store.begin(records)
    finished = [
        Finished(
            one, f"der {record.serial}".encode(), record.serial.to_bytes(32, "big"), record.serial.to_bytes(20, "big")
        )
        for one, record in zip(identifiers, records, strict=True)
    ]
    store.finish(finished, [an_event("certificate.issued") for _ in records])
    return identifiers


def an_event(action: str = "test.done") -> AuditEvent:
    return AuditEvent(at=NOW, actor="operator", action=action, detail={"ä": "ö"})


def a_revocation(serial: int, sequence: int = 0, reason: Reason = Reason.KEY_COMPROMISE) -> Revocation:
    return Revocation(
        serial=serial,
        issuer="issuing",
        sequence=sequence,
        reason=reason,
        revoked_at=NOW,
        not_after=NOW + timedelta(days=90),
        requester="operator",
    )


def test_every_store_plugin_is_found() -> None:
    assert "sqlite" in registry.names("stores")


def test_what_was_begun_is_there_before_it_is_finished(store: Store) -> None:
    (identifier,) = store.begin([a_record(5)])
    (found,) = store.by_serial(5)
    assert found == replace(a_record(5), id=identifier)
    assert found.state(NOW) is State.UNFINISHED


def test_what_was_finished_comes_back_as_it_went_in(store: Store) -> None:
    serial = 2**159 - 1
    record = a_record(serial, replaces=7, batch_row=BatchRow("b", "r"))
    (identifier,) = issue(store, record)
    (found,) = store.by_serial(serial)
    expected = replace(record, id=identifier, status=RecordStatus.ISSUED, certificate=f"der {serial}".encode())
    assert found == replace(expected, fingerprint=serial.to_bytes(32, "big"))


def test_a_serial_is_taken_once_and_the_whole_batch_is_refused(store: Store) -> None:
    store.begin([a_record(5)])
    with pytest.raises(Conflict):
        store.begin([a_record(6), a_record(5)])
    assert store.by_serial(6) == ()


def test_two_issuers_may_use_the_same_serial(store: Store) -> None:
    store.begin([a_record(5), a_record(5, issuer="other")])
    assert {record.issuer for record in store.by_serial(5)} == {"issuing", "other"}


def test_a_row_of_a_batch_gets_one_certificate(store: Store) -> None:
    store.begin([a_record(5, batch_row=BatchRow("b", "row"))])
    with pytest.raises(Conflict):
        store.begin([a_record(6, batch_row=BatchRow("b", "row"))])
    assert [record.serial for record in store.by_batch("b", ["row", "another"])] == [5]


def test_names_and_fingerprints_find_their_certificates(store: Store) -> None:
    issue(store, a_record(0xAB << 248 >> 100), a_record(9))
    assert [record.serial for record in store.by_name("CAM-9")] == [9]
    assert [record.serial for record in store.by_name("cam-9.example.org")] == [9]
    assert store.by_name("cam") == ()
    assert [record.serial for record in store.by_fingerprint((9).to_bytes(32, "big"))] == [9]
    assert [record.serial for record in store.by_fingerprint((9).to_bytes(20, "big"))] == [9]
    assert store.by_fingerprint(b"\xff" * 4) == ()


def test_lists_go_on_by_their_cursor_newest_first(store: Store) -> None:
    issue(store, *[a_record(serial) for serial in range(1, 8)])
    first = store.search(Listing(now=NOW, limit=3))
    assert [record.serial for record in first.records] == [7, 6, 5]
    last = store.search(Listing(now=NOW, limit=10, before=first.cursor))
    assert [record.serial for record in last.records] == [4, 3, 2, 1]
    assert last.cursor is None


@pytest.mark.parametrize(
    ("state", "serials"),
    [
        (State.VALID, {1, 6}),
        (State.EXPIRED, {2}),
        (State.NOT_YET_VALID, {3}),
        (State.REVOKED, {4}),
        (State.HELD, {5}),
        (State.UNFINISHED, {7}),
    ],
)
def test_lists_by_state_agree_with_the_records(store: Store, state: State, serials: set[int]) -> None:
    expired = a_record(2, not_before=NOW - timedelta(days=9), not_after=NOW - timedelta(days=1))
    later = a_record(3, not_before=NOW + timedelta(days=1))
    issue(store, a_record(1), expired, later, a_record(4), a_record(5), a_record(6))
    store.begin([a_record(7)])
    store.append_revocation(a_revocation(4), an_event())
    store.append_revocation(a_revocation(5, reason=Reason.CERTIFICATE_HOLD), an_event())
    store.append_revocation(a_revocation(6, reason=Reason.CERTIFICATE_HOLD), an_event())
    store.append_revocation(a_revocation(6, 1, Reason.REMOVE_FROM_CRL), an_event())
    found = store.search(Listing(now=NOW, state=state)).records
    assert {record.serial for record in found} == serials
    assert {record.state(NOW) for record in found} == {state}


def test_lists_are_filtered_by_text_profile_issuer_and_end(store: Store) -> None:
    issue(store, a_record(1), a_record(2, profile="server", subject="CN=100%"), a_record(3, issuer="other"))
    issue(store, a_record(4, not_after=NOW + timedelta(days=5)))
    assert [r.serial for r in store.search(Listing(now=NOW, text="100%")).records] == [2]
    assert [r.serial for r in store.search(Listing(now=NOW, text="%1%")).records] == []
    assert [r.serial for r in store.search(Listing(now=NOW, profile="server")).records] == [2]
    assert [r.serial for r in store.search(Listing(now=NOW, issuer="other")).records] == [3]
    soon = Listing(now=NOW, state=State.VALID, expires_before=NOW + timedelta(days=6))
    assert [r.serial for r in store.search(soon).records] == [4]


def test_a_certificate_is_revoked_for_ever_once(store: Store) -> None:
    store.append_revocation(a_revocation(4), an_event())
    for again in (a_revocation(4), a_revocation(4, 1)):
        with pytest.raises(Conflict):
            store.append_revocation(again, an_event())
    found = store.revocation("issuing", 4)
    assert found is not None
    assert found.reason is Reason.KEY_COMPROMISE


def test_entries_are_those_in_force_and_not_long_expired(store: Store) -> None:
    store.append_revocation(a_revocation(1), an_event())
    store.append_revocation(a_revocation(2, reason=Reason.CERTIFICATE_HOLD), an_event())
    store.append_revocation(a_revocation(2, 1, Reason.REMOVE_FROM_CRL), an_event())
    store.append_revocation(a_revocation(3, reason=Reason.CERTIFICATE_HOLD), an_event())
    store.append_revocation(a_revocation(3, 1, Reason.SUPERSEDED), an_event())
    store.append_revocation(replace(a_revocation(4), not_after=NOW - timedelta(days=1)), an_event())
    until = store.last_revocation_id()
    record = CrlRecord(issuer="issuing", number=1, this_update=NOW, next_update=NOW, covers=until, full_at=NOW)
    found = store.publications.entries(Published(Which("issuing"), record, NOW))
    assert found.count == 2
    assert b"".join(found.pieces.values()) == encode_entry(1, NOW, Reason.KEY_COMPROMISE.flag) + encode_entry(
        3, NOW, Reason.SUPERSEDED.flag
    )
    assert [one.serial for one in store.changes("issuing", after=1, until=3)] == [2, 2]


def test_crl_numbers_are_taken_once(store: Store) -> None:
    record = CrlRecord(issuer="issuing", number=1, this_update=NOW, next_update=NOW, covers=0, full_at=NOW)
    assert store.last_crl("issuing") is None
    store.begin_crl(record, an_event())
    assert store.last_crl("issuing") == record
    with pytest.raises(Conflict):
        store.begin_crl(record, an_event())


def test_issuers_keep_their_order_and_chain(store: Store) -> None:
    der = b"\x30\x03\x02\x01\x05"
    root = IssuerRecord(name="root", role=Role.ROOT, certificate=der, chain=(), created_at=NOW)
    below = IssuerRecord(name="a", role=Role.ISSUING, certificate=der, chain=(der, der), created_at=NOW)
    store.add_issuer(root, an_event())
    store.add_issuer(below, an_event())
    assert store.issuers() == (root, below)
    with pytest.raises(Conflict):
        store.add_issuer(root, an_event())


def test_notes_are_replaced(store: Store) -> None:
    assert store.note("settings") is None
    store.set_note("settings", "a", an_event())
    store.set_note("settings", "b", an_event())
    assert store.note("settings") == "b"


def test_audit_events_are_chained_with_what_they_tell_of(store: Store) -> None:
    issue(store, a_record(1), a_record(2))
    store.append(an_event("certificate.refused"))
    events = store.events()
    assert [event.action for event in events] == ["certificate.issued"] * 2 + ["certificate.refused"]
    assert verify_chain(events) == ()
    assert verify_chain(events[1:])
    assert verify_chain((replace(events[0], actor="nobody"), *events[1:]))


def test_what_was_refused_leaves_no_event(store: Store) -> None:
    store.append_revocation(a_revocation(4), an_event())
    with pytest.raises(Conflict):
        store.append_revocation(a_revocation(4), an_event())
    assert len(store.events()) == 1


def test_threads_that_write_at_once_all_get_their_own_answer(store: Store) -> None:
    refused: list[int] = []

    def write(number: int) -> None:
        try:
            issue(store, a_record(1 + number % 20))
        except Conflict:
            refused.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 20
    assert {record.serial for record in store.search(Listing(now=NOW)).records} == set(range(1, 21))
    assert verify_chain(store.events()) == ()


def test_the_append_only_tables_refuse_changes(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "ca.sqlite"))
    store.append_revocation(a_revocation(4), an_event())
    for sql in ("DELETE FROM revocation", "UPDATE audit SET actor = 'x'"):
        with pytest.raises(Conflict):
            store.database.write(lambda transaction, sql=sql: transaction.rows(sql))  # type: ignore[misc]  # sql is bound here
    assert store.revocation("issuing", 4) is not None
    store.close()


def test_two_processes_worth_of_connections_see_each_other(tmp_path: Path) -> None:
    one, other = (open_store(str(tmp_path / "ca.sqlite")) for _ in range(2))
    issue(one, a_record(1))
    issue(other, a_record(2))
    assert len(one.search(Listing(now=NOW)).records) == len(other.search(Listing(now=NOW)).records) == 2
    assert verify_chain(one.events()) == ()
    one.close()
    other.close()


def test_a_later_schema_a_damaged_file_and_a_directory_are_named(tmp_path: Path) -> None:
    later = open_store(str(tmp_path / "later.sqlite"))
    later.database.write(lambda transaction: transaction.rows("PRAGMA user_version = 999"))
    later.close()
    (tmp_path / "damaged.sqlite").write_bytes(b"not a database" * 100)
    (tmp_path / "folder.sqlite").mkdir()
    for name, words in (("later", "999"), ("damaged", "damaged"), ("folder", "cannot be opened")):
        with pytest.raises(ConfigError, match=words):
            open_store(str(tmp_path / f"{name}.sqlite"))


def test_the_database_is_only_for_its_owner(tmp_path: Path) -> None:
    open_store(str(tmp_path / "ca.sqlite")).close()
    assert (tmp_path / "ca.sqlite").stat().st_mode & 0o777 == 0o600


def test_the_change_mark_differs_after_a_revocation(store: Store) -> None:
    issue(store, a_record(7))
    wait_until(lambda: store.change_mark() == store.change_mark(), "somebody listens for news")
    before = store.change_mark()
    store.append_revocation(a_revocation(7), an_event())
    after = store.change_mark()
    assert after != before
    assert store.change_mark() == after


def test_the_change_mark_differs_after_a_revocation_by_another_process(tmp_path: Path) -> None:
    ours, theirs = (open_store(str(tmp_path / "ca.sqlite")) for _ in range(2))
    before = ours.change_mark()
    theirs.append_revocation(a_revocation(7), an_event())
    assert ours.change_mark() != before
    ours.close()
    theirs.close()


def test_the_change_mark_is_one_for_all_threads(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "ca.sqlite"))
    store.append_revocation(a_revocation(7), an_event())
    seen = [store.change_mark()]
    thread = threading.Thread(target=lambda: seen.append(store.change_mark()))
    thread.start()
    thread.join()
    assert seen[0] == seen[1]
    store.close()


def test_a_status_is_known_of_what_was_issued_or_revoked_and_of_nothing_else(store: Store) -> None:
    issue(store, a_record(1), a_record(2), a_record(3), a_record(4))
    store.begin([a_record(5), a_record(6)])
    revoked, held = a_revocation(2), a_revocation(3, reason=Reason.CERTIFICATE_HOLD)
    for one in (revoked, held, a_revocation(4, reason=Reason.CERTIFICATE_HOLD), a_revocation(6), a_revocation(99)):
        store.append_revocation(one, an_event())
    store.append_revocation(a_revocation(4, sequence=1, reason=Reason.REMOVE_FROM_CRL), an_event())
    expected = {
        1: Status(True),
        2: Status(True, revoked.revoked_at, Reason.KEY_COMPROMISE),
        3: Status(True, held.revoked_at, Reason.CERTIFICATE_HOLD),
        4: Status(True),
        6: Status(False, revoked.revoked_at, Reason.KEY_COMPROMISE),
        99: Status(False, revoked.revoked_at, Reason.KEY_COMPROMISE),
    }
    assert store.statuses.of("issuing", [1, 2, 3, 4, 5, 6, 7, 99, -1, 0, 1 << 200, 1]) == expected
    assert dict(store.statuses.all("issuing", alive_at=NOW)) == expected
    assert store.statuses.of("another", [1, 2]) == {}


def test_expired_certificates_are_left_out_of_all_statuses(store: Store) -> None:
    issue(store, a_record(1), a_record(2, not_after=NOW - timedelta(seconds=1)))
    assert dict(store.statuses.all("issuing", alive_at=NOW)) == {1: Status(True)}
    assert set(store.statuses.of("issuing", [1, 2])) == {1, 2}


def test_statuses_of_more_certificates_than_a_query_has_marks(store: Store) -> None:
    issue(store, *(a_record(number) for number in range(1, 1203)))
    assert len(store.statuses.of("issuing", range(1, 1203))) == 1202


def test_a_lease_is_its_owners_until_it_ends(store: SqlStore) -> None:
    assert store.leases.claim("job", "one", timedelta(hours=1))
    assert store.leases.claim("job", "one", timedelta(hours=1))
    assert not store.leases.claim("job", "other", timedelta(hours=1))
    assert store.leases.claim("another", "other", timedelta(hours=1))
    assert store.leases.claim("job", "one", timedelta(0))
    assert store.leases.claim("job", "other", timedelta(hours=1))
