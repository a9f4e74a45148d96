"""A backup is whole and verified; a restore knows that it is old, and loses nothing that a journal or a CRL tells."""

import shutil
import tarfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from handfast.ca.audit import verify_chain
from handfast.ca.authority import Authority
from handfast.ca.order import Issued, Order
from handfast.ca.records import BatchRow, CertificateRecord, Reason, Revocation, State
from handfast.ca.recovering import Recovery
from handfast.errors import ConfigError, Conflict, Malformed, Unacceptable
from handfast.findings import Severity
from handfast.keys.generate import generate_key
from handfast.keys.passphrase import no_passphrase
from handfast.pki.serial import serial_text
from handfast.pki.subject import parse_subject
from handfast.server.assembly import open_authority, open_parts, utc_now
from handfast.server.backup import BackupReport, back_up
from handfast.server.founding import Plan, create_authority
from handfast.server.journal import streams
from handfast.server.layout import crl_path, publish_crl
from handfast.server.restoring import RestoreReport, Sources, restore

KEY = generate_key().public_key()


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    create_authority(tmp_path / "ca", Plan(name="Test"), passphrase=no_passphrase).store.close()
    return tmp_path / "ca"


@pytest.fixture
def authority(ca: Path) -> Iterator[Authority]:
    opened = open_authority(ca, passphrase=no_passphrase)
    yield opened
    opened.store.close()


def issue(authority: Authority, name: str) -> CertificateRecord:
    order = Order(profile="device", public_key=KEY, subject=parse_subject(f"CN={name}"))
    return authority.issue(order).record


def backup(ca: Path, target: Path, *, with_keys: bool = True) -> BackupReport:
    parts = open_parts(ca, passphrase=no_passphrase)
    try:
        return back_up(parts, target, with_keys=with_keys)
    finally:
        parts.store.close()


def restored(file: Path, directory: Path, *journals: Path, crls: tuple[Path, ...] = ()) -> RestoreReport:
    return restore(file, directory, Sources(journals=journals, crls=crls), passphrase=no_passphrase)


def state_of(directory: Path, record: CertificateRecord) -> State:
    again = open_authority(directory, passphrase=no_passphrase)
    try:
        (found,) = again.store.by_serial(record.serial)
        assert verify_chain(again.store.events(limit=10_000)) == ()
        return found.state(utc_now())
    finally:
        again.store.close()


def codes(report: RestoreReport) -> set[str]:
    return {one.code for one in report.lost}


def test_what_was_issued_and_revoked_since_comes_back_from_the_journal(
    ca: Path, authority: Authority, tmp_path: Path
) -> None:
    before, held, freed = (issue(authority, name) for name in ("before", "held", "freed"))
    authority.hold(freed)
    made = backup(ca, tmp_path / "b.tar")
    assert made.keys == made.plain_keys == ("audit", "issuing", "root")
    since, gone = issue(authority, "since"), issue(authority, "gone")
    authority.revoke(before, Reason.KEY_COMPROMISE)
    authority.hold(held)
    authority.release(freed)
    authority.revoke(gone)
    publish_crl(ca, authority, "issuing")
    last = authority.store.last_crl("issuing")
    assert last is not None

    report = restored(tmp_path / "b.tar", tmp_path / "again", ca / "journal")

    expected = {"certificates begun": 2, "certificates finished": 2, "revocations": 4, "CAs": 0}
    assert report.counts == {**expected, "one-time tokens made void": 0}
    assert codes(report) == {"access-is-old"}
    assert report.numbers["issuing"] == last.number
    states = [state_of(tmp_path / "again", one) for one in (before, held, freed, since, gone)]
    assert states == [State.REVOKED, State.HELD, State.VALID, State.VALID, State.REVOKED]
    again = open_authority(tmp_path / "again", passphrase=no_passphrase)
    (found,) = again.store.by_serial(since.serial)
    assert found.certificate == since.certificate
    crl = x509.load_der_x509_crl(again.crl("issuing"))
    assert crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == last.number + 1
    assert {one.serial_number for one in crl} == {one.serial for one in (before, held, gone)}
    assert "authority.restored" in {one.action for one in again.store.events(limit=10_000)}
    again.store.close()


def test_a_restored_authority_can_be_backed_up_and_restored_again(
    ca: Path, authority: Authority, tmp_path: Path
) -> None:
    backup(ca, tmp_path / "b.tar")
    first = issue(authority, "first")
    restored(tmp_path / "b.tar", tmp_path / "second", ca / "journal")
    again = open_authority(tmp_path / "second", passphrase=no_passphrase)
    second = issue(again, "second")
    again.revoke(first)
    again.store.close()

    report = restored(tmp_path / "b.tar", tmp_path / "third", tmp_path / "second" / "journal", ca / "journal")

    assert report.counts["certificates finished"] == 2
    assert [state_of(tmp_path / "third", one) for one in (first, second)] == [State.REVOKED, State.VALID]


def test_what_a_damaged_line_seems_to_revoke_is_held_and_said(ca: Path, authority: Authority, tmp_path: Path) -> None:
    backup(ca, tmp_path / "old.tar")
    certain, doubtful = issue(authority, "certain"), issue(authority, "doubtful")
    authority.revoke(doubtful, Reason.KEY_COMPROMISE)
    authority.revoke(certain)
    (segment,) = (ca / "journal").glob("*/*.log")
    whole = segment.read_bytes()
    assert whole.count(b'"keyCompromise"') == 1
    segment.write_bytes(whole.replace(b'"keyCompromise"', b'"cACompromise"'))

    report = restored(tmp_path / "old.tar", tmp_path / "again", ca / "journal")
    assert state_of(tmp_path / "again", doubtful) is State.HELD
    assert state_of(tmp_path / "again", certain) is State.REVOKED
    assert codes(report) == {"journal-incomplete", "held-in-doubt", "access-is-old"}
    (told,) = (one for one in report.lost if one.code == "journal-incomplete")
    assert (told.severity, segment.name in told.message) == (Severity.WARNING, True)
    assert serial_text(doubtful.serial) in str(report.lost)


def test_who_is_held_in_doubt_is_held_from_now_on_and_nobody_whom_it_does_not_concern(authority: Authority) -> None:
    good, released, revoked = (issue(authority, name) for name in ("good", "released", "revoked"))
    authority.release(authority.hold(released))
    authority.revoke(revoked, Reason.KEY_COMPROMISE)
    long_ago, now = utc_now() - timedelta(days=1000), utc_now().replace(microsecond=0) + timedelta(hours=1)
    told = [
        Revocation(
            serial=serial,
            issuer="issuing",
            sequence=0,
            reason=Reason.KEY_COMPROMISE,
            revoked_at=long_ago,
            not_after=good.not_after,
            requester="somebody",
        )
        for serial in (good.serial, released.serial, revoked.serial, 5)
    ]

    held = Recovery(store=authority.store, now=now, actor="operator").hold([*told, *told])

    assert held == [good.serial, released.serial]
    known = [authority.store.revocation("issuing", one.serial) for one in told]
    assert [one and one.reason for one in known] == [*[Reason.CERTIFICATE_HOLD] * 2, Reason.KEY_COMPROMISE, None]
    assert [one.revoked_at for one in known[:2] if one] == [now, now]


def test_a_revocation_that_is_said_to_be_there_survives_though_the_journal_missed_it(
    ca: Path, authority: Authority, tmp_path: Path
) -> None:
    backup(ca, tmp_path / "old.tar")
    record = issue(authority, "missed")
    (segment,) = (ca / "journal").glob("*/*.log")
    before = segment.read_bytes()
    authority.revoke(record)
    segment.write_bytes(before)  # as after a crash between the store and the journal: nobody had an answer
    with pytest.raises(Conflict, match="was revoked"):
        authority.revoke(authority.find("missed"))
    restored(tmp_path / "old.tar", tmp_path / "again", ca / "journal")
    assert state_of(tmp_path / "again", record) is State.REVOKED


def test_a_certificate_that_is_answered_again_survives_though_the_journal_missed_it(
    ca: Path, authority: Authority, tmp_path: Path
) -> None:
    backup(ca, tmp_path / "old.tar")
    (segment,) = (ca / "journal").glob("*/*.log")
    before = segment.read_bytes()
    order = Order(
        profile="device", public_key=KEY, subject=parse_subject("CN=missed"), batch_row=BatchRow("web/once", "a")
    )
    record = authority.issue(order).record
    segment.write_bytes(before)
    again = authority.enroll(order)
    assert isinstance(again, Issued)
    assert again.record.serial == record.serial
    restored(tmp_path / "old.tar", tmp_path / "again", ca / "journal")
    assert state_of(tmp_path / "again", record) is State.VALID


def test_the_journal_of_another_authority_is_refused(ca: Path, tmp_path: Path) -> None:
    backup(ca, tmp_path / "old.tar")
    create_authority(tmp_path / "other", Plan(name="Other"), passphrase=no_passphrase).store.close()
    with pytest.raises(Conflict, match="another authority"):
        restored(tmp_path / "old.tar", tmp_path / "again", tmp_path / "other" / "journal")
    assert not (tmp_path / "again").exists()


def test_the_directory_of_an_authority_is_not_taken_for_its_journal(ca: Path, tmp_path: Path) -> None:
    report = backup(ca, tmp_path / "backup.tar")

    with pytest.raises(ConfigError, match="has a journal in it") as refused:
        restored(report.path, tmp_path / "restored", ca)

    assert refused.value.hint == f"give {ca / 'journal'}"
    assert not (tmp_path / "restored").exists()


def test_a_crl_that_is_not_there_is_named_and_nothing_is_made(ca: Path, tmp_path: Path) -> None:
    report = backup(ca, tmp_path / "backup.tar")
    missing = tmp_path / "published.crl"

    with pytest.raises(ConfigError) as refused:
        restored(report.path, tmp_path / "restored", crls=(missing,))

    assert refused.value.message == f"the CRL {missing} cannot be read: no such file or directory"
    assert not (tmp_path / "restored").exists()


def test_without_a_journal_it_says_what_nobody_knows_and_leaves_room_for_crl_numbers(
    ca: Path, authority: Authority, tmp_path: Path
) -> None:
    backup(ca, tmp_path / "b.tar", with_keys=False)
    issue(authority, "since")
    last = authority.store.last_crl("issuing")
    assert last is not None
    (ca / "journal").rename(tmp_path / "elsewhere")

    report = restored(tmp_path / "b.tar", tmp_path / "again")

    assert codes(report) == {"journal-missing", "keys-missing", "access-is-old"}
    assert report.numbers["issuing"] >= last.number + 1_000_000
    assert not (tmp_path / "again" / "keys").exists()


def test_a_published_crl_gives_revocations_and_the_number_back(ca: Path, authority: Authority, tmp_path: Path) -> None:
    known = issue(authority, "known")
    backup(ca, tmp_path / "b.tar")
    unknown = issue(authority, "unknown")
    authority.revoke(known)
    authority.hold(unknown)
    for issuer in ("root", "issuing"):
        publish_crl(ca, authority, issuer)
    shutil.rmtree(ca / "journal")

    published = tuple(crl_path(ca, issuer) for issuer in ("root", "issuing"))
    report = restored(tmp_path / "b.tar", tmp_path / "again", crls=published)

    last = authority.store.last_crl("issuing")
    assert last is not None
    assert report.numbers["issuing"] == last.number
    assert report.counts["revocations"] == 2
    assert state_of(tmp_path / "again", known) is State.REVOKED
    again = open_authority(tmp_path / "again", passphrase=no_passphrase)
    assert {one.serial_number for one in x509.load_der_x509_crl(again.crl("issuing"))} == {known.serial, unknown.serial}
    again.store.close()


def test_a_crl_of_somebody_else_is_refused(ca: Path, tmp_path: Path) -> None:
    other = create_authority(tmp_path / "other", Plan(name="Test"), passphrase=no_passphrase)
    other.store.close()
    backup(ca, tmp_path / "b.tar")
    with pytest.raises(Unacceptable, match="no CA of this backup"):
        restored(tmp_path / "b.tar", tmp_path / "again", crls=(crl_path(tmp_path / "other", "issuing"),))
    assert not (tmp_path / "again").exists()


def test_the_journal_is_found_where_it_was_and_where_it_is_alone(
    ca: Path, authority: Authority, tmp_path: Path
) -> None:
    backup(ca, tmp_path / "b.tar")
    issue(authority, "since")
    assert restored(tmp_path / "b.tar", tmp_path / "again").counts["certificates finished"] == 1
    authority.store.close()
    for path in ca.iterdir():
        if path.name != "journal":
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    report = restored(tmp_path / "b.tar", ca)

    assert report.counts["certificates finished"] == 1
    assert report.moved_to == tmp_path / "ca.before-restore"


def test_an_authority_is_never_overwritten(ca: Path, tmp_path: Path) -> None:
    backup(ca, tmp_path / "b.tar")
    before = (ca / "ca.sqlite").read_bytes()
    with pytest.raises(Conflict, match="not empty"):
        restored(tmp_path / "b.tar", ca)
    assert (ca / "ca.sqlite").read_bytes() == before


def test_a_backup_is_not_overwritten_and_leaves_nothing_beside_it(ca: Path, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    made = backup(ca, folder)
    assert [one.name for one in folder.iterdir()] == [made.path.name]
    assert made.path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(Conflict, match="exists already"):
        backup(ca, made.path)
    assert [one.name for one in folder.iterdir()] == [made.path.name]


@pytest.mark.parametrize("at", [0.0, 0.2, 0.5, 0.9, 0.999])
def test_a_damaged_or_cut_backup_is_refused(ca: Path, tmp_path: Path, at: float) -> None:
    data = bytearray(backup(ca, tmp_path / "b.tar").path.read_bytes())
    # The end of a tar is filled up with zeros that nobody reads.
    place = int((len(bytes(data).rstrip(b"\0")) - 1) * at)
    cut = tmp_path / "cut.tar"
    cut.write_bytes(data[:place])
    data[place] ^= 0x55
    (tmp_path / "b.tar").write_bytes(data)
    for file in (tmp_path / "b.tar", cut):
        with pytest.raises((Malformed, ConfigError)):
            restored(file, tmp_path / "again")
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("name", ["../outside", "/outside", "keys/extra.key"])
def test_a_file_that_the_manifest_does_not_name_is_refused(ca: Path, tmp_path: Path, name: str) -> None:
    made = backup(ca, tmp_path / "b.tar")
    with tarfile.open(made.path, "a") as tar:
        tar.add(ca / "handfast.toml", arcname=name) if not name.startswith("/") else tar.addfile(tarfile.TarInfo(name))
    with pytest.raises(Malformed, match="not as it was backed up"):
        restored(made.path, tmp_path / "again")


def test_a_ca_that_was_added_since_comes_back_without_its_key(ca: Path, tmp_path: Path) -> None:
    from handfast.server.founding import add_issuing

    backup(ca, tmp_path / "b.tar")
    parts = open_parts(ca, passphrase=no_passphrase)
    add_issuing(parts, Plan(name="Test"), name="second")
    parts.store.close()

    report = restored(tmp_path / "b.tar", tmp_path / "again", ca / "journal")

    assert report.counts["CAs"] == 1
    assert "keys-missing" in codes(report)


def test_a_certificate_that_one_replica_began_and_another_finished_is_whole(
    ca: Path, authority: Authority, tmp_path: Path
) -> None:
    backup(ca, tmp_path / "b.tar")
    record = issue(authority, "shared")
    (stream,) = streams(ca / "journal")
    lines = (stream / "000001.log").read_bytes().splitlines(keepends=True)
    for number, part in enumerate((b"finished", b"begun")):
        folder = tmp_path / f"replica-{number}" / f"{number}"
        folder.mkdir(parents=True)
        (folder / "000001.log").write_bytes(b"".join(line for line in lines if part in line[:24]))

    journals = (tmp_path / "replica-0", tmp_path / "replica-1")
    report = restored(tmp_path / "b.tar", tmp_path / "again", *journals)

    assert report.counts["certificates finished"] == 1
    assert "certificates-unknown" not in codes(report)
    assert state_of(tmp_path / "again", record) is State.VALID
    alone = restored(tmp_path / "b.tar", tmp_path / "half", tmp_path / "replica-0")
    assert "certificates-unknown" in codes(alone)


@pytest.mark.parametrize("line", ["", 'store = "sqlite:ca.sqlite"\n'])
def test_another_store_than_before_is_named_in_the_settings(ca: Path, tmp_path: Path, line: str) -> None:
    (ca / "handfast.toml").write_text(f'{line}crl_lifetime = "3d"\n[journal]\nkeep = "10d"\n')
    backup(ca, tmp_path / "b.tar")
    sources = Sources(store="sqlite:other.sqlite")
    restore(tmp_path / "b.tar", tmp_path / "again", sources, passphrase=no_passphrase)
    assert (tmp_path / "again" / "other.sqlite").exists()
    assert not (tmp_path / "again" / "ca.sqlite").exists()
    parts = open_parts(tmp_path / "again", passphrase=no_passphrase)
    assert parts.settings.store == "sqlite:other.sqlite"
    assert [one.name for one in parts.store.issuers()] == ["root", "issuing"]
    parts.store.close()
