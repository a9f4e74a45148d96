"""Read the audit log: signatures, refusals, revocations, changes."""

import json
from collections.abc import Iterator
from pathlib import Path

import click
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from handfast.ca.audit_head import Head, Verification, parse_heads
from handfast.ca.ports import Store
from handfast.ca.records import AuditEvent
from handfast.cli._authority import current_session, opened, opened_parts
from handfast.cli._desk import desk
from handfast.cli._options import desk_options, directory_options, examples, json_option
from handfast.cli._output import finding_json, print_findings, print_json, print_table, say
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
    print_table(("time (UTC)", "who", "what", "about"), rows, whole=("time (UTC)",))


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
@directory_options("run it where the directory is, or on a copy of the database: --store FILE")
@json_option
def verify_events(files: tuple[str, ...], key: str | None, store: str | None, as_json: bool) -> None:
    """Check that no event was changed, left out or cut off, and that all signed heads agree with the log."""
    events, kept = _events_and_heads(store)
    told = tuple(one for file in files for one in parse_heads(_text(file), file))
    verification = Verification((*kept, *told), _public_key(key, store))
    findings = verification.findings(events)
    last = verification.last.hex()
    if as_json:
        answer = {"events": verification.count, "last_hash": last, "heads": len(verification.heads)}
        print_json({**answer, "findings": [finding_json(one) for one in findings]})
    elif not findings:
        say(f"{verification.count} events, each following from the one before; the last hash is {last}")
        if verification.heads:
            say(f"{len(verification.heads)} signed heads agree")
    if findings:
        print_findings(findings)
        raise click.exceptions.Exit(1)


def _events_and_heads(store: str | None) -> tuple[Iterator[AuditEvent], tuple[Head, ...]]:
    if store is None:
        authority = opened()
        return _pages(authority.store), authority.store.heads.all()
    return audit_of(store)


def _public_key(file: str | None, store: str | None) -> bytes | None:
    """The audit key as somebody knows it who does not ask the store."""
    path = Path(file) if file is not None else Path(current_session().directory) / CERTIFICATES / PUBLIC_KEY
    if file is None and (store is not None or not path.exists()):
        return None
    try:
        public = load_pem_public_key(path.read_bytes())
    except ValueError:
        raise Malformed(f"{path} is no public key", hint="give the audit.pub of the authority") from None
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _text(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}", hint="give a file of heads, a line each") from None


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
