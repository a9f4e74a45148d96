"""Back the authority up while it runs, into one verified file."""

from pathlib import Path

import click

from handfast.cli._authority import opened_parts
from handfast.cli._options import directory_options, examples, json_option
from handfast.cli._output import note, print_json, say
from handfast.server.backup import back_up

SECTION = "The authority"


@click.command(epilog=examples("handfast backup /mnt/backups", "handfast backup ca.tar --without-keys"))
@click.argument("target", metavar="FILE|DIR")
@click.option("--without-keys", is_flag=True, help="Leave the keys of the CAs out.")
@directory_options("run it where the service runs: a backup holds the keys of the CAs, and everybody's names")
@json_option
def command(target: str, without_keys: bool, as_json: bool) -> None:
    """Write a backup to FILE, or into DIR under a name of its own.

    It holds the database, the settings, the certificates of the CAs and their keys, encrypted as they are. Keys and
    certificates of holders are not in it. `handfast restore` brings it up to date from the journal: keep the journal
    on another disk than the database.
    """
    report = back_up(opened_parts(), Path(target), with_keys=not without_keys)
    if as_json:
        print_json({"file": str(report.path), "size": report.size, "keys": list(report.keys)})
        return
    say(f"backed up to {report.path}: {report.files} files, {report.size:,} octets, verified")
    for name in report.plain_keys:
        note(f"the key {name} is not encrypted: whoever reads the backup has it")
