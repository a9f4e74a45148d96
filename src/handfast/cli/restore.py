"""Make the authority of a backup again, up to date from the journal."""

import sys
from pathlib import Path

import click

from handfast.cli._authority import current_session, migration_shown, passphrase_source
from handfast.cli._options import directory_options, examples, json_option
from handfast.cli._output import finding_json, print_findings, print_json, print_table, say
from handfast.server.restoring import RestoreReport, Sources, restore

SECTION = "The authority"


@click.command(
    epilog=examples(
        "handfast restore handfast-20260501T120000Z.tar handfast-ca",
        "handfast restore backup.tar /srv/ca --journal /mnt/journal --crl published.crl",
    )
)
@click.argument("file", metavar="FILE")
@click.argument("directory", metavar="DIR")
@click.option("--journal", "journals", metavar="DIR", multiple=True,
              help="A journal of the authority; once for each replica [where it was].")  # fmt: skip
@click.option("--crl", "crls", metavar="FILE", multiple=True, help="The last published CRL of a CA.")
@click.option("--store", metavar="KIND:PLACE", help="Into this store, instead of the one in the settings.")
@directory_options("run it at the machine where the authority shall be, without --server")
@json_option
def command(
    file: str, directory: str, journals: tuple[str, ...], crls: tuple[str, ...], store: str | None, as_json: bool
) -> None:
    """Restore the backup in FILE to DIR, where no authority may be.

    The journal tells what was issued and revoked since: it is looked for where it was when the backup was made.
    What is revoked in the backup, the journal or a CRL is revoked. Serials and CRL numbers are not used again.
    """
    sources = Sources(journals=tuple(map(Path, journals)), crls=tuple(map(Path, crls)), store=store)
    passphrase = passphrase_source(current_session())
    with migration_shown() as watch:
        report = restore(Path(file), Path(directory), sources, passphrase=passphrase, watch=watch)
    if as_json:
        print_json(
            {
                "directory": directory,
                "backup_of": report.backup_of,
                "journals": [str(one) for one in report.journals],
                "recovered": report.counts,
                "crl_numbers": report.numbers,
                "lost": [finding_json(one) for one in report.lost],
            }
        )
        return
    _print(report, directory)


def _print(report: RestoreReport, directory: str) -> None:
    say(f"restored to {directory}, from a backup of {report.backup_of:%Y-%m-%d %H:%M} UTC")
    for journal in report.journals:
        say(f"brought up to date from {journal}")
    if report.moved_to is not None:
        say(f"what was in {directory} is now in {report.moved_to}")
    say()
    rows = [(what, f"{count:,}") for what, count in report.counts.items()]
    rows += [(f"last CRL number of {name}", f"{number:,}") for name, number in report.numbers.items()]
    print_table(("recovered", ""), rows)
    say()
    print_findings(report.lost, sys.stdout)
    say("now run: handfast crl, for each CA; and publish the lists")
