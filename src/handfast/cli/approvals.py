"""Requests that wait for approval: list them, approve, reject."""

import click

from handfast.ca.approving import PendingRecord
from handfast.cli._desk import desk
from handfast.cli._options import desk_options, examples, json_option
from handfast.cli._output import print_json, print_table, say

SECTION = "The authority"


@click.group(
    epilog=examples(
        "handfast approvals list",
        "handfast approvals approve 0f2a4c6e8b1d3f5a7c9e",
        "handfast approvals reject 0f2a4c6e8b1d3f5a7c9e --reason 'not our host'",
    )
)
def command() -> None:
    """Requests that wait until somebody else agrees, for profiles with approvals = N."""


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that were decided.")
@desk_options
@json_option
def list_pending(everything: bool, as_json: bool) -> None:
    """List the requests that wait, oldest first."""
    found = desk().pending(waiting=not everything)
    if as_json:
        print_json({"requests": [_described(record) for record in found]})
    elif not found:
        say("nothing waits for approval")
    else:
        rows = [
            (
                record.transaction,
                record.state,
                f"{len(record.approved_by)} of {record.needed}",
                f"{record.profile} for {record.requester}",
                "\n".join([record.subject, *map(str, record.names)]).strip(),
            )
            for record in found
        ]
        print_table(("request", "state", "approved", "asked", "for"), rows, whole=("request", "state"))


@command.command("approve")
@click.argument("request")
@desk_options
@json_option
def approve(request: str, as_json: bool) -> None:
    """Agree to a request. When enough agreed, its requester gets the certificate the next time it asks."""
    record = desk().approve(request)
    if as_json:
        print_json(_described(record))
    else:
        missing = max(record.needed - len(record.approved_by), 0)
        more = f"; {missing} more must agree" if missing else "; the certificate is issued when it is asked for again"
        say(f"approved the request {request}{more}")


@command.command("reject")
@click.argument("request")
@click.option("--reason", default="", metavar="TEXT", help="What its requester is told.")
@desk_options
@json_option
def reject(request: str, reason: str, as_json: bool) -> None:
    """Refuse a request for ever."""
    record = desk().reject(request, reason)
    if as_json:
        print_json(_described(record))
    else:
        say(f"rejected the request {request}")


def _described(record: PendingRecord) -> dict[str, object]:
    return {
        "request": record.transaction,
        "state": record.state,
        "requester": record.requester,
        "profile": record.profile,
        "subject": record.subject,
        "names": [str(name) for name in record.names],
        "key": record.key,
        "needed": record.needed,
        "approved_by": list(record.approved_by),
        "rejected_by": record.rejected_by or None,
        "reason": record.reason or None,
        "created_at": record.created_at,
        "expires_at": record.expires_at,
    }
