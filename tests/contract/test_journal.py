"""The journal tells what the store has committed: every entry as it went in, whatever was torn or damaged beside it."""

import errno
import os
import shutil
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from handfast.ca.journal import Entry, Signed, Snapshot
from handfast.ca.records import (
    AuditEvent,
    BatchRow,
    CertificateRecord,
    CrlRecord,
    Finished,
    IssuerRecord,
    Reason,
    Revocation,
    Role,
)
from handfast.errors import Conflict, HandfastError
from handfast.pki.names import parse_names
from handfast.server.journal import FileJournal, Reading, position, segments, streams
from handfast.stores.frames import entries, frame
from handfast.stores.sqlite import open_store

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
EVENT = AuditEvent(at=NOW, actor="operator", action="test.done")
RECORD = CertificateRecord(
    serial=2**159 - 1,
    issuer="issuing",
    profile="device",
    profile_digest="d",
    subject="CN=ä",
    label="ä",
    names=parse_names(["cam.example.org", "10.0.0.1", "a@example.org"]),
    not_before=NOW,
    not_after=NOW + timedelta(days=90),
    key_id=b"k" * 20,
    requester="operator",
    created_at=NOW,
    replaces=7,
    batch_row=BatchRow("b", "r"),
)
REVOCATION = Revocation(
    serial=5,
    issuer="issuing",
    sequence=1,
    reason=Reason.KEY_COMPROMISE,
    revoked_at=NOW,
    not_after=NOW + timedelta(days=1),
    requester="operator",
)
CRL = CrlRecord(issuer="issuing", number=9, this_update=NOW, next_update=NOW + timedelta(days=7), covers=0, full_at=NOW)
ISSUER = IssuerRecord(name="issuing", role=Role.ISSUING, certificate=b"c", chain=(b"r", b"s"), created_at=NOW)
# Sorts before every stream that a writer names.
EARLIEST = "0"
ALL: tuple[Entry, ...] = (Snapshot("d", "text"), RECORD, Signed(b"\x00\n\xff"), REVOCATION, CRL, ISSUER)


def told(directory: Path) -> list[Entry]:
    return list(Reading([directory]).entries())


@pytest.mark.parametrize("entry", ALL, ids=lambda entry: type(entry).__name__)
def test_an_entry_comes_back_as_it_went_in(entry: Entry) -> None:
    assert list(entries(frame(entry))) == [entry]


def test_a_line_with_any_octet_changed_is_told_from_a_whole_one() -> None:
    line = frame(REVOCATION)
    for at in range(len(line) - 1):
        damaged = line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :]
        assert REVOCATION not in list(entries(damaged))


def test_a_store_tells_its_journal_what_it_has_committed(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "ca.sqlite")).with_journal(FileJournal(tmp_path / "journal"))
    (identifier,) = store.begin([RECORD], snapshots=[("d", "text")])
    store.finish([Finished(identifier, b"\x00\n\xff", b"f" * 32, b"s" * 20)], [EVENT])
    store.append_revocation(REVOCATION, EVENT)
    store.begin_crl(CRL, EVENT)
    store.add_issuer(ISSUER, EVENT)
    with pytest.raises(Conflict):
        store.append_revocation(REVOCATION, EVENT)
    store.close()

    assert told(tmp_path / "journal") == list(ALL)


def test_a_torn_line_spoils_nothing_but_itself(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path)
    journal.revoked(REVOCATION)
    (stream,) = streams(tmp_path)
    with (stream / "000001.log").open("ab") as file:
        file.write(b"\n" + frame(CRL)[:40])
    journal.listed(CRL)
    with (stream / "000001.log").open("ab") as file:
        file.write(b"\n" + frame(ISSUER)[:-1][:-3])

    reading = Reading([tmp_path])
    assert list(reading.entries()) == [REVOCATION, CRL]
    assert (reading.torn, reading.read) == (2, 2)


@pytest.mark.parametrize("end", [frame(CRL)[:40], frame(CRL).replace(b"crl", b"crm")], ids=["torn", "changed"])
def test_a_journal_with_a_line_that_is_not_as_it_was_is_not_whole(end: bytes, tmp_path: Path) -> None:
    FileJournal(tmp_path).revoked(REVOCATION)
    (stream,) = streams(tmp_path)
    for expected in (True, False):
        reading = Reading([tmp_path])
        assert list(reading.entries()) == [REVOCATION]
        assert reading.is_whole is expected
        with (stream / "000001.log").open("ab") as file:
            file.write(b"\n" + end)


def test_segments_follow_each_other_and_a_position_skips_what_was_before(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path, segment_size=200)
    for _ in range(5):
        journal.revoked(REVOCATION)
    since = position(tmp_path)
    for _ in range(5):
        journal.listed(CRL)
    (stream,) = streams(tmp_path)
    assert segments(stream) == list(range(1, len(segments(stream)) + 1))
    assert len(segments(stream)) > 2
    assert list(Reading([tmp_path], since).entries()) == [CRL] * 5
    assert told(tmp_path) == [REVOCATION] * 5 + [CRL] * 5


def test_a_missing_segment_is_named(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path, segment_size=1)
    since = position(tmp_path)
    for _ in range(4):
        journal.revoked(REVOCATION)
    (stream,) = streams(tmp_path)
    (stream / "000002.log").unlink()
    reading = Reading([tmp_path], since)
    list(reading.entries())
    assert reading.missing == [f"{stream.name}/000002.log"]
    lost = Reading([tmp_path], {"other": (3, 0)})
    list(lost.entries())
    assert "other/000003.log" in lost.missing


def test_a_journal_that_somebody_deletes_is_begun_anew(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "journal")
    journal.revoked(REVOCATION)
    shutil.rmtree(tmp_path / "journal")
    journal.listed(CRL)
    reading = Reading([tmp_path / "journal"])
    assert list(reading.entries()) == [CRL]
    (stream,) = streams(tmp_path / "journal")
    assert reading.missing == [f"{stream.name}/000001.log"]


def test_a_journal_that_somebody_moves_is_begun_anew_where_it_belongs(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "journal")
    journal.revoked(REVOCATION)
    (tmp_path / "journal").rename(tmp_path / "elsewhere")
    journal.listed(CRL)
    assert told(tmp_path / "elsewhere") == [REVOCATION]
    assert told(tmp_path / "journal") == [CRL]


def test_a_writer_that_finds_an_earlier_stream_begins_it_at_its_first_segment(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path, segment_size=1)
    for _ in range(3):
        journal.revoked(REVOCATION)
    (tmp_path / EARLIEST).mkdir()
    for _ in range(2):
        journal.listed(CRL)

    reading = Reading([tmp_path])
    assert list(reading.entries()) == [CRL] * 2 + [REVOCATION] * 3
    assert reading.missing == []
    assert [segments(stream) for stream in streams(tmp_path)] == [[1, 2], [1, 2, 3]]


def test_two_streams_that_were_begun_at_once_are_both_read_whole(tmp_path: Path) -> None:
    one = FileJournal(tmp_path, segment_size=1)
    for _ in range(4):
        one.revoked(REVOCATION)
    since = position(tmp_path)
    (tmp_path / EARLIEST).mkdir()
    other = FileJournal(tmp_path, segment_size=1)
    for _ in range(2):
        other.listed(CRL)
        one.revoked(REVOCATION)

    reading, later = Reading([tmp_path]), Reading([tmp_path], since)
    found = list(reading.entries())
    assert (found.count(REVOCATION), found.count(CRL)) == (6, 2)
    found = list(later.entries())
    assert (found.count(REVOCATION), found.count(CRL)) == (2, 2)
    assert reading.missing == later.missing == []


def test_a_stream_that_nobody_wrote_to_misses_nothing(tmp_path: Path) -> None:
    FileJournal(tmp_path).revoked(REVOCATION)
    (tmp_path / EARLIEST).mkdir()
    reading = Reading([tmp_path])
    assert list(reading.entries()) == [REVOCATION]
    assert reading.missing == []


def test_a_stream_that_lost_its_segments_since_the_backup_is_reported(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path, segment_size=1)
    for _ in range(2):
        journal.revoked(REVOCATION)
    since = position(tmp_path)
    (stream,) = streams(tmp_path)
    for number in segments(stream):
        (stream / f"{number:06}.log").unlink()
    reading = Reading([tmp_path], since)
    assert list(reading.entries()) == []
    assert reading.missing == [f"{stream.name}/000002.log"]


def test_a_segment_that_is_deleted_under_its_writer_is_reported_whichever_stream_is_next(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path)
    journal.revoked(REVOCATION)
    (stream,) = streams(tmp_path)
    (tmp_path / EARLIEST).mkdir()
    (stream / "000001.log").unlink()
    journal.listed(CRL)
    reading = Reading([tmp_path])
    assert list(reading.entries()) == [CRL]
    assert reading.missing == [f"{EARLIEST}/000001.log"]


@pytest.mark.parametrize("entry", [Signed(b"c"), REVOCATION, CRL, ISSUER], ids=lambda entry: type(entry).__name__)
def test_what_is_acknowledged_was_written_and_then_synchronized(
    entry: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, real = FileJournal(tmp_path), os.fdatasync
    journal.begun([RECORD])
    synchronized: list[list[Entry]] = []

    def fdatasync(descriptor: int) -> None:
        real(descriptor)
        synchronized.append(told(tmp_path))

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    tell(journal, entry)

    assert synchronized == [[RECORD, entry]]


def test_what_cannot_be_synchronized_is_not_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fdatasync(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    with pytest.raises(HandfastError, match="journal"):
        FileJournal(tmp_path).revoked(REVOCATION)


@pytest.mark.parametrize("then", [lambda journal: journal.listed(CRL), lambda journal: journal.close()])
def test_what_a_full_disk_did_not_take_is_written_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: Callable[[FileJournal], None]
) -> None:
    def write(descriptor: int, data: bytes) -> int:
        return really(descriptor, data[:40])

    journal, really = FileJournal(tmp_path), os.write
    journal.listed(CRL)
    with monkeypatch.context() as full:
        full.setattr(os, "write", write)
        with pytest.raises(HandfastError, match="No space left"):
            journal.revoked(REVOCATION)
        with pytest.raises(HandfastError, match="No space left"):
            journal.added(ISSUER)
    then(journal)
    reading = Reading([tmp_path])
    assert set(reading.entries()) == {CRL, REVOCATION, ISSUER}
    assert not reading.damaged


@pytest.mark.parametrize("segment_size", [1 << 20, 1], ids=["in a segment", "at its end"])
def test_what_a_failed_synchronization_may_have_lost_is_written_again(
    segment_size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a write error of the disk: the system forgets what it could not write, and says so once."""
    journal = FileJournal(tmp_path, segment_size=segment_size)
    journal.revoked(REVOCATION)
    journal.begun([RECORD])
    real, (stream,) = os.fdatasync, streams(tmp_path)
    path, size = stream / "000001.log", (stream / "000001.log").stat().st_size

    def fdatasync(descriptor: int) -> None:
        monkeypatch.setattr(os, "fdatasync", real)
        os.truncate(path, size - 100)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    with pytest.raises(HandfastError, match="journal"):
        journal.listed(CRL)
    journal.added(ISSUER)

    reading = Reading([tmp_path])
    found = list(reading.entries())
    assert {type(one) for one in found} == {Revocation, CertificateRecord, CrlRecord, IssuerRecord}
    assert found[-1] == ISSUER
    assert not reading.missing


def test_what_was_written_during_a_synchronization_is_not_covered_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, real, sizes = FileJournal(tmp_path), os.fdatasync, []

    def fdatasync(descriptor: int) -> None:
        real(descriptor)
        sizes.append(os.fstat(descriptor).st_size)
        journal.begun([RECORD])
        monkeypatch.setattr(os, "fdatasync", failing)

    def failing(_: int) -> None:
        monkeypatch.setattr(os, "fdatasync", real)
        (stream,) = streams(tmp_path)
        os.truncate(stream / "000001.log", sizes[0])
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    journal.revoked(REVOCATION)
    with pytest.raises(HandfastError, match="journal"):
        journal.listed(CRL)
    journal.added(ISSUER)
    assert told(tmp_path) == [REVOCATION, RECORD, CRL, ISSUER]


def test_a_disk_that_stays_full_does_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(_descriptor: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    journal = FileJournal(tmp_path)
    journal.listed(CRL)
    monkeypatch.setattr("handfast.server.journal._MOST_OWED", 1)
    with monkeypatch.context() as full:
        full.setattr(os, "write", write)
        for _ in range(3):
            with pytest.raises(HandfastError, match="No space left"):
                journal.revoked(REVOCATION)
    journal.added(ISSUER)
    assert told(tmp_path) == [CRL, REVOCATION, ISSUER]


def tell(journal: FileJournal, entry: Entry) -> None:
    if isinstance(entry, Signed):
        journal.finished([Finished(1, entry.certificate, b"f" * 32, b"s" * 20)])
    elif isinstance(entry, Revocation):
        journal.revoked(entry)
    elif isinstance(entry, CrlRecord):
        journal.listed(entry)
    elif isinstance(entry, IssuerRecord):
        journal.added(entry)


def test_many_threads_and_writers_share_a_journal(tmp_path: Path) -> None:
    journals = [FileJournal(tmp_path, segment_size=500) for _ in range(2)]
    at_once = threading.Barrier(8)

    def write(number: int) -> None:
        at_once.wait()
        for _ in range(10):
            journals[number % 2].begun([RECORD])
            journals[number % 2].revoked(REVOCATION)

    threads = [threading.Thread(target=write, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reading = Reading([tmp_path])
    found = list(reading.entries())
    assert (reading.torn, reading.missing) == (0, [])
    assert found.count(REVOCATION) == found.count(RECORD) == 80


def test_what_cannot_be_put_into_the_journal_is_not_acknowledged(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("a file where the directory should be")
    store = open_store(":memory:").with_journal(FileJournal(tmp_path / "journal"))
    with pytest.raises(HandfastError, match="journal"):
        store.append_revocation(REVOCATION, EVENT)
