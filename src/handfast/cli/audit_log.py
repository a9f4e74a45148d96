"""Read the audit log: signatures, refusals, revocations, changes."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import click
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from handfast.ca.audit_head import Head, Verification, parse_heads
from handfast.ca.audited import Audited
from handfast.ca.ports import Store
from handfast.ca.records import AuditEvent
from handfast.cli._authority import current_session, opened, opened_parts
from handfast.cli._desk import desk
from handfast.cli._options import desk_options, directory_options, examples, json_option
from handfast.cli._output import finding_json, note, print_findings, print_json, print_table, say
from handfast.cli._progress import progress_line
from handfast.cli._which import read_file
from handfast.errors import ConfigError, Malformed
from handfast.pki.serial import serial_text
from handfast.server.audit_key import PUBLIC_KEY
from handfast.server.layout import CERTIFICATES
from handfast.server.witness import access_of, give, new_head
from handfast.stores.copying import audit_of

SECTION = "The authority"


@click.group(
    epilog=examples(
        "handfast audit-log list --last 20",
        "handfast audit-log verify",
        "handfast audit-log verify --server https://ca.example.org --heads heads",
        "handfast audit-log head --to /mnt/witness/heads",
    )
)
def command() -> None:
    """Read the audit log, and check that nothing in it was changed.

    Each event carries a hash over itself and the event before it; a signed head of the log, kept elsewhere, tells when
    its end was cut off.
    """


@command.command("list")
@click.option("--last", type=click.IntRange(1, 1_000_000), default=50, show_default=True, help="How many events.")
@desk_options
@json_option
def list_events(last: int, as_json: bool) -> None:
    """Print the last events, oldest first."""
    events = desk().events(last)
    if as_json:
        print_json({"events": [_json(event) for event in events]})
        return
    rows = [(f"{event.at:%Y-%m-%d %H:%M:%S}", event.actor, event.action, _told(event)) for event in events]
    print_table(("time (UTC)", "who", "what", "about"), rows, whole=("time (UTC)", "what"))


@command.command("head")
@click.option("--to", "witness", metavar="FILE|URL", help="Append it to FILE, or POST it to an https URL.")
@directory_options("run it where the audit key is; the setting audit.witness lets the service do it by itself")
@json_option
def sign_head(witness: str | None, as_json: bool) -> None:
    """Sign the newest event's hash with the audit key, and give it to a witness.

    Keep heads where those who can write the database cannot write: then `verify --heads` notices when the end of the
    log is cut off, or all of it is made anew. The setting audit.witness does this by itself.
    """
    parts = opened_parts()
    head = new_head(parts)
    access = access_of(parts, witness or "")
    if witness is not None:
        give(head, witness, access)
    if as_json or witness is None:
        print_json(json.loads(head.line()))
    else:
        say(f"the head at event {head.id} is in {witness}" if "://" not in witness else f"{witness} has the head")


@command.command("verify")
@click.option("--heads", "files", metavar="FILE", multiple=True, help="Heads that a witness kept.")
@click.option("--key", metavar="FILE", help="The audit key's public part [certificates/audit.pub].")
@click.option("--store", metavar="FILE", help="A SQLite database or a copy of one, instead of the authority.")
@desk_options
@json_option
def verify_events(files: tuple[str, ...], key: str | None, store: str | None, as_json: bool) -> None:
    """Check that no event was changed, left out or cut off, and that all signed heads agree with the log.

    Where the store is, what the log tells was revoked must be revoked there, too. With --server the events are fetched
    and verified on this machine. Who has made all of a log anew can sign heads for it, too: give those of a witness, or
    the audit key.
    """
    told = tuple(one for file in files for one in parse_heads(_text(file), file))
    log = _log(store)
    verification = Verification((*told, *log.heads), _public_key(key, store), log.counted)
    with progress_line(after=timedelta(seconds=1)) as report:
        findings = verification.findings(_shown(log, report))
    if log.audited is not None:
        findings = (*findings, *log.audited.findings())
    last = verification.last.hex()
    if as_json:
        answer = {"events": verification.count, "last_hash": last, "heads": len(verification.heads)}
        print_json({**answer, "findings": [finding_json(one) for one in findings]})
    elif not findings:
        say(f"{verification.count} events, each following from the one before; the last hash is {last}")
        if verification.heads:
            say(f"{len(verification.heads)} signed heads agree")
    if log.is_remote and not told and key is None:
        note("nothing but the service vouches for its log: give --heads FILE of a witness, or --key FILE")
    if findings:
        print_findings(findings)
        raise click.exceptions.Exit(1)


@dataclass(frozen=True, slots=True)
class _Log:
    """What is verified. heads: kept beside the events. counted: how many events there are, as far as somebody knows.

    audited: where the store is at hand that the events tell of.
    """

    events: Iterator[AuditEvent]
    heads: tuple[Head, ...]
    counted: int = 0
    is_remote: bool = False
    audited: Audited | None = None


def _log(store: str | None) -> _Log:
    session = current_session()
    if store is not None:
        if "server" in session.typed:
            raise ConfigError("--store and --server contradict each other", hint="give one of them")
        return _Log(*audit_of(store))
    if session.is_remote:
        return _from_service()
    kept = opened().store
    # In this order: what is appended meanwhile was not told of.
    heads, counted = kept.heads.all(), kept.last_event_id()
    audited = Audited(kept)
    return _Log(audited.through(_pages(kept)), heads, counted, audited=audited)


def _from_service() -> _Log:
    # TLS and HTTP take a while to load, and most people's authority is here.
    from handfast.cli._service import remote_desk
    from handfast.client import auditing

    api = remote_desk(current_session()).api
    click.get_current_context().call_on_close(api.close)
    heads, counted = auditing.heads(api), auditing.last_event(api)
    return _Log(auditing.events(api, until=counted), heads, counted, is_remote=True)


def _shown(log: _Log, report: Callable[[str, str], None]) -> Iterator[AuditEvent]:
    """The events, each of which is reported: how far, of how many."""
    of = f" of {log.counted:,}" if log.counted else ""
    for event in log.events:
        report("verifying events", f"{event.id:,}{of}")
        yield event


def _public_key(file: str | None, store: str | None) -> bytes | None:
    """The audit key as somebody knows it who does not ask the store."""
    session = current_session()
    if file is None and (store is not None or session.is_remote):
        return None
    path = Path(file) if file is not None else Path(session.directory) / CERTIFICATES / PUBLIC_KEY
    if file is None and not path.exists():
        return None
    try:
        public = load_pem_public_key(read_file(path))
    except ValueError:
        raise Malformed(f"{path} is no public key", hint="give the audit.pub of the authority") from None
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _text(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = ((error.strerror if isinstance(error, OSError) else None) or str(error)).lower()
        raise ConfigError(f"{file} cannot be read: {reason}", hint="give a file of heads, a line each") from None


def _pages(store: Store) -> Iterator[AuditEvent]:
    after = 0
    while page := store.events(after=after, limit=1000):
        yield from page
        after = page[-1].id


def _told(event: AuditEvent) -> str:
    words = [event.issuer] if event.issuer else []
    words += [serial_text(event.serial)[:16]] if event.serial is not None else []
    return " ".join([*words, *(f"{key}={value}" for key, value in event.detail.items() if value)])


def _json(event: AuditEvent) -> dict[str, object]:
    return {
        "id": event.id,
        "at": event.at,
        "actor": event.actor,
        "action": event.action,
        "issuer": event.issuer or None,
        "serial": serial_text(event.serial) if event.serial is not None else None,
        "detail": dict(event.detail),
        "hash": event.hash.hex(),
    }
