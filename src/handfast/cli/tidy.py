"""Archive what ended long ago, and tell the witness of the audit log."""

import click

from handfast.cli._authority import opened_parts
from handfast.cli._options import directory_options, examples, json_option
from handfast.cli._output import print_json, say
from handfast.server.housekeeping import tidy

SECTION = "The authority"


@click.command(epilog=examples("handfast tidy", "handfast tidy --ca /srv/ca --passphrase-file /run/secret"))
@directory_options("leave it to the service, which does it by itself; or run it where the directory is")
@json_option
def command(as_json: bool) -> None:
    """Do what an authority without `handfast serve` needs once a day, from a timer.

    Certificates that ended longer ago than retention.expired leave lists and searches; `show` finds them by serial or
    fingerprint. Journal segments older than journal.keep are deleted. audit.witness gets a signed head of the log.
    """
    done = tidy(opened_parts())
    if as_json:
        print_json({"archived": done.archived, "segments_dropped": done.segments, "head": done.head})
        return
    say(f"archived {done.archived:,} rows; deleted {done.segments:,} journal segments")
    if done.head is not None:
        say(f"the witness has the head at event {done.head}")
