"""Restore a backup that is older than the world: bring it up to date, and say what nobody can tell any more."""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from cryptography import x509

from handfast.ca.policy import OPERATOR
from handfast.ca.ports import Clock
from handfast.ca.records import AuditEvent, IssuerRecord
from handfast.ca.recovering import Recovery
from handfast.errors import ConfigError, Conflict, Unacceptable
from handfast.findings import Finding, Severity
from handfast.keys.files import write_atomically
from handfast.keys.passphrase import PassphraseSource
from handfast.pki.pem import read
from handfast.pki.serial import serial_text
from handfast.server.archive import DATABASE, Archive, Manifest, opened
from handfast.server.assembly import Parts, assemble, located, open_parts, plugin, utc_now
from handfast.server.founding import building_site
from handfast.server.journal import Reading, streams
from handfast.server.layout import write_certificates
from handfast.server.settings import FILE, parse_settings
from handfast.stores import sqlite
from handfast.stores.copying import age, load, require_sound
from handfast.stores.migrations import Watch, unwatched

_JOURNAL = "journal"
_STORE_LINE = re.compile(r"^store\s*=.*$", re.MULTILINE)
CODES = {
    "journal-missing": "there was no journal to bring a restored backup up to date from",
    "journal-incomplete": "a part of the journal since the backup was gone or damaged",
    "held-in-doubt": "a damaged line of the journal seemed to revoke a certificate, which is on hold since",
    "keys-missing": "the backup was made without the keys of the CAs, or before a CA was added",
    "crl-numbers-unknown": "nobody could tell how many CRLs were made since the backup",
    "certificates-unknown": "certificates were finished whose beginning nobody recorded",
    "access-is-old": "who may do what is as it was when the backup was made",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What a restore learns from. journals: directories. crls: published lists, in PEM or DER."""

    journals: tuple[Path, ...] = ()
    crls: tuple[Path, ...] = ()
    store: str | None = None


@dataclass(slots=True, kw_only=True)
class RestoreReport:
    """What became of it. counts: what was recovered. numbers: the last CRL number of each CA that counts as taken."""

    backup_of: datetime
    journals: tuple[Path, ...]
    counts: dict[str, int]
    numbers: dict[str, int]
    lost: list[Finding] = field(default_factory=list)
    moved_to: Path | None = None


def restore(
    file: Path,
    directory: Path,
    sources: Sources,
    *,
    passphrase: PassphraseSource,
    clock: Clock = utc_now,
    watch: Watch = unwatched,
) -> RestoreReport:
    """Make the authority of a backup in a directory that has none; it appears whole.

    watch: told while a backup that an earlier handfast made is brought up to date.
    Raises Conflict where an authority is, Malformed for a damaged backup, ConfigError, Unacceptable for a CRL that no
    CA of the backup signed.
    """
    with opened(file) as archive:
        archive.verify()
        with _place(directory, archive.manifest) as (site, moved):
            archive.extract(site)
            journals = _journals(archive, sources, directory, moved)
            require_sound(site / DATABASE)
            tokens = age(str(site / DATABASE))
            _put_store(site, sources, watch)
            parts = open_parts(site, passphrase=passphrase, clock=clock, watch=watch)
            try:
                report = _recover(parts, archive.manifest, journals, sources.crls)
                report.counts["one-time tokens made void"] = tokens
                write_certificates(site, assemble(parts))
            finally:
                parts.store.close()
    report.moved_to = moved
    return report


@contextmanager
def _place(directory: Path, manifest: Manifest) -> Iterator[tuple[Path, Path | None]]:
    """A building site, and where a journal that lay in the place alone was moved to."""
    moved = None
    if directory.is_dir() and [one.name for one in directory.iterdir()] == [_JOURNAL]:
        moved = directory.with_name(f"{directory.name}.before-restore")
        if moved.exists():
            raise Conflict(f"{moved} exists already", hint="move it away, and give its journal with --journal")
        directory.rename(moved)
    try:
        with building_site(directory) as site:
            yield site, moved
    except BaseException:
        if moved is not None and not directory.exists():
            moved.rename(directory)
        raise


def _journals(archive: Archive, sources: Sources, directory: Path, moved: Path | None) -> tuple[Path, ...]:
    """The directories that were given; else those that are found where the authority was and where it will be."""
    for given in sources.journals:
        if streams(given / _JOURNAL):
            raise ConfigError(f"{given} has a journal in it, and is none", hint=f"give {given / _JOURNAL}")
        if not streams(given):
            raise ConfigError(f"{given} is no journal", hint="give the directory `journal` of the authority")
    if sources.journals:
        return sources.journals
    likely = [Path(archive.manifest.journal_directory)]
    likely += [moved / _JOURNAL] if moved is not None else []
    return tuple(one for one in dict.fromkeys(likely) if streams(one))


def _put_store(site: Path, sources: Sources, watch: Watch) -> None:
    """The database of the backup into the store that the settings name."""
    copy = site / DATABASE
    if sources.store is not None:
        _name_store(site / FILE, sources.store)
    settings = parse_settings((site / FILE).read_text(encoding="utf-8"), FILE)
    where = settings.store
    module, place = plugin("stores", where)
    if where.startswith("sqlite:"):
        _put(copy, Path(located(site, place)))
    else:
        # Rows fit a database of this handfast's version only.
        sqlite.open_store(str(copy), watch).close()
        store = module.open_store(located(site, place), watch)
        try:
            load(str(copy), store.database)
        finally:
            store.close()
        copy.unlink()


def _name_store(path: Path, store: str) -> None:
    """Have the settings name this store: else the next command would open the one that was lost."""
    text = path.read_text(encoding="utf-8")
    line = f"store = {json.dumps(store)}"
    changed, count = _STORE_LINE.subn(lambda _: line, text, count=1)
    # Above all tables: below one, it would be a setting of that table.
    write_atomically(path, changed if count else f"{line}\n{text}")


def _put(copy: Path, wanted: Path) -> None:
    if wanted == copy:
        return
    if wanted.exists():
        raise Conflict(f"{wanted} exists already", hint="move it away: nothing is overwritten")
    copy.rename(wanted)


def _recover(parts: Parts, manifest: Manifest, journals: tuple[Path, ...], crls: Sequence[Path]) -> RestoreReport:
    now = parts.clock()
    recovery = Recovery(store=parts.store, now=now, actor=OPERATOR.name)
    reading = Reading(journals, dict(manifest.journal) if journals else {})
    recovery.replay(reading.entries())
    for path in crls:
        issuer, crl = _verified(path, parts.store.issuers())
        recovery.assert_crl(issuer, crl)
    held = recovery.hold(reading.perhaps_revoked)
    is_whole = bool(journals) and reading.is_whole
    numbers = recovery.take_numbers(jump=not is_whole and not _all_listed(recovery, manifest, crls))
    for one in parts.store.issuers():
        if not is_whole or recovery.revoked or one.name in recovery.numbers:
            parts.store.publications.outdate(one.name)
    counts = {
        "certificates begun": recovery.begun,
        "certificates finished": recovery.finished,
        "revocations": recovery.revoked,
        "CAs": recovery.issuers,
    }
    report = RestoreReport(
        backup_of=datetime.fromisoformat(manifest.created_at), journals=journals, counts=counts, numbers=numbers
    )
    report.lost += (*_lost_of_journal(reading, held), *_lost(parts, recovery, report))
    parts.store.append(_event(parts, report))
    return report


def _all_listed(recovery: Recovery, manifest: Manifest, crls: Sequence[Path]) -> bool:
    """Whether a published CRL of each CA was given: the newest one, as far as its giver says."""
    return bool(crls) and all(
        name in recovery.numbers and recovery.numbers[name].number >= number
        for name, number in manifest.numbers.items()
    )


def _verified(path: Path, issuers: Sequence[IssuerRecord]) -> tuple[IssuerRecord, x509.CertificateRevocationList]:
    try:
        octets = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"the CRL {path} cannot be read: {reason}", hint="check the path") from None
    for crl in read(octets, source=str(path)).crls:
        for issuer in issuers:
            certificate = x509.load_der_x509_certificate(issuer.certificate)
            if certificate.subject == crl.issuer and _is_signed(crl, certificate):
                return issuer, crl
    message = f"no CA of this backup signed the CRL in {path}"
    raise Unacceptable(message, hint="give a CRL that this authority published", findings=())


def _is_signed(crl: x509.CertificateRevocationList, certificate: x509.Certificate) -> bool:
    return crl.is_signature_valid(certificate.public_key())  # type: ignore[arg-type]  # a CA's key can sign


def _event(parts: Parts, report: RestoreReport) -> AuditEvent:
    event = parts.record("authority.restored", backup_of=report.backup_of.isoformat())
    detail = {name.replace(" ", "_"): str(count) for name, count in report.counts.items()}
    detail |= {f"crl_number_{name}": str(number) for name, number in report.numbers.items()}
    lost = ",".join(sorted({one.code for one in report.lost}))
    return replace(event, detail={**event.detail, **detail, "lost": lost})


def _lost(parts: Parts, recovery: Recovery, report: RestoreReport) -> Iterator[Finding]:
    since = f"{report.backup_of:%Y-%m-%d %H:%M} UTC"
    if not report.journals:
        message = f"no journal was found: certificates issued and revoked after {since} are unknown"
        fix = (
            "look for the directory journal/ and restore again with --journal, and give the last published CRLs with "
            "--crl; else issue anew what was issued since, and refuse what you did not"
        )
        yield Finding("journal-missing", Severity.WARNING, message, fix, "NIST SP 800-57 part 2")
    if recovery.unknown:
        message = f"{len(recovery.unknown)} certificates were finished whose beginning is in no journal"
        fix = "look for the journal of the other replicas, and restore again with each of them"
        yield Finding("certificates-unknown", Severity.WARNING, message, fix, "NIST SP 800-57 part 2")
    there = set(parts.keys.names())
    missing = [one.name for one in parts.store.issuers() if one.name not in there]
    if missing:
        message = f"the keys of these CAs are not here: {', '.join(missing)}"
        fix = "bring their files back into keys/, from where they are kept"
        yield Finding("keys-missing", Severity.WARNING, message, fix, "NIST SP 800-57 part 2")
    message = f"requesters, their grants and credentials are as they were on {since}"
    fix = "look through them, and take back what was taken back since; make new one-time tokens"
    yield Finding("access-is-old", Severity.NOTICE, message, fix, "NIST SP 800-57 part 2")


def _lost_of_journal(reading: Reading, held: Sequence[int]) -> Iterator[Finding]:
    if reading.missing:
        message = f"the journal has gaps: {', '.join(reading.missing[:5])}"
        fix = "look for these segments, or a newer backup; certificates and revocations in them are unknown"
        yield Finding("journal-incomplete", Severity.WARNING, message, fix, "NIST SP 800-57 part 2")
    if reading.torn:
        message = f"{reading.torn} lines of the journal are not whole"
        fix = "what a crash tore was never acknowledged; without a crash, check the disk, and look what is missing"
        yield Finding("journal-incomplete", Severity.NOTICE, message, fix, "NIST SP 800-57 part 2")
    if reading.damaged:
        count, segments = len(reading.damaged), ", ".join(dict.fromkeys(reading.damaged))
        message = f"{count} lines of the journal were changed after they were written, in {segments[:500]}"
        fix = "look for another copy of the journal, or give the last published CRLs with --crl; and check the disk"
        yield Finding("journal-incomplete", Severity.WARNING, message, fix, "NIST SP 800-57 part 2")
    if held:
        serials = ", ".join(map(serial_text, held[:20]))
        message = f"damaged lines of the journal seem to revoke these certificates, which are on hold now: {serials}"
        fix = "find out whether they were revoked: then `handfast revoke SERIAL`, else `handfast release SERIAL`"
        yield Finding("held-in-doubt", Severity.WARNING, message, fix, "NIST SP 800-57 part 2")
