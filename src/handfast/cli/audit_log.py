"""Read the audit log: signatures, refusals, revocations, changes."""

import click

from handfast.ca.audit import verify_chain
from handfast.ca.records import AuditEvent
from handfast.cli._authority import opened
from handfast.cli._options import authority_options, examples, json_option
from handfast.cli._output import finding_json, print_findings, print_json, print_table, say
from handfast.pki.serial import serial_text

SECTION = "The authority"


@click.group(epilog=examples("handfast audit-log list --last 20", "handfast audit-log verify"))
def command() -> None:
    """Read the audit log, and check that nothing in it was changed.

    Each event carries a hash over itself and the event before it.
    """


@command.command("list")
@click.option("--last", type=click.IntRange(1, 1_000_000), default=50, show_default=True, help="How many events.")
@authority_options
@json_option
def list_events(last: int, as_json: bool) -> None:
    """Print the last events, oldest first."""
    events = _all_events()[-last:]
    if as_json:
        print_json({"events": [_json(event) for event in events]})
        return
    rows = [(f"{event.at:%Y-%m-%d %H:%M:%S}", event.actor, event.action, _told(event)) for event in events]
    print_table(("time (UTC)", "who", "what", "about"), rows, whole=("time (UTC)",))


@command.command("verify")
@authority_options
@json_option
def verify_events(as_json: bool) -> None:
    """Check that no event was changed or left out. Keep the last hash elsewhere, to notice that some were cut off."""
    events = _all_events()
    findings = verify_chain(events)
    last = events[-1].hash.hex() if events else ""
    if as_json:
        print_json({"events": len(events), "last_hash": last, "findings": [finding_json(one) for one in findings]})
    elif not findings:
        say(f"{len(events)} events, each following from the one before; the last hash is {last}")
    if findings:
        print_findings(findings)
        raise click.exceptions.Exit(1)


def _all_events() -> list[AuditEvent]:
    authority = opened()
    events: list[AuditEvent] = []
    while page := authority.store.events(after=events[-1].id if events else 0, limit=1000):
        events += page
    return events


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
