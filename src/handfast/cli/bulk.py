"""Issue for thousands of devices from CSV or JSON lines; resumable."""

import os
from pathlib import Path

import click

from handfast.ca.bulk import parse_rows
from handfast.cli._authority import current_session, opened, passphrase_source
from handfast.cli._options import authority_options, examples, json_option
from handfast.cli._output import note, print_json, say
from handfast.cli._progress import progress_line
from handfast.errors import ConfigError, HandfastError, Malformed, Unacceptable
from handfast.findings import Finding, Severity
from handfast.keys.files import PUBLIC, write_atomically
from handfast.pki.keys import KeyKind
from handfast.pki.pem import to_pem
from handfast.server.bulk import BulkJob, BulkReport, batch_of
from handfast.server.bulk_processes import run_bulk

CODES = {
    "rows-refused": "rows of a bulk issue were refused",
}

SECTION = "Certificates"
_MOST_SHOWN = 20


@click.command(
    epilog=examples(
        "handfast bulk devices.csv --out devices",
        "handfast bulk devices.csv --out devices --profile server --jobs 4",
    )
)
@click.argument("file", metavar="FILE")
@click.option("--out", default="issued", show_default=True, metavar="DIR", help="Where each device gets a directory.")
@click.option("--profile", default="device", show_default=True, help="For rows that name none.")
@click.option("--key", "key_kind", type=click.Choice([kind.value for kind in KeyKind]), default="p256", metavar="KIND",
              help="Of the devices: p256, p384, ed25519, rsa3072 ... [p256]")  # fmt: skip
@click.option("--jobs", type=click.IntRange(1, 256), metavar="N", help="How many processes [one for each core].")
@authority_options
@json_option
def command(file: str, out: str, profile: str, key_kind: str, jobs: int | None, as_json: bool) -> None:
    """Make a key and a certificate for each row of FILE.

    FILE is a CSV whose first line names its columns, or JSON lines. `name` must be there; `subject`, `names`,
    `profile` and `lifetime` may be. Each row becomes a directory NAME with key.pem and fullchain.pem.

    After an interruption, the same command goes on: nobody gets a second certificate. Rows added to FILE since are
    issued, too.
    """
    rows = parse_rows(_text(file), file)
    directory, place = Path(current_session().directory), Path(out)
    authority = opened()
    authority.profile(profile)
    issuer = authority.issuer()
    job = BulkJob(rows=rows, out=place, batch=batch_of(place), profile=profile, key_kind=KeyKind(key_kind))
    write_atomically(place / "ca.pem", to_pem(issuer.anchor), mode=PUBLIC)
    authority.store.close()
    result = _run(directory, job, jobs or os.cpu_count() or 1)
    _print(result, place, as_json=as_json)


def _run(directory: Path, job: BulkJob, jobs: int) -> BulkReport:
    done = 0
    with progress_line() as report:

        def progress(now: BulkReport) -> None:
            nonlocal done
            done = now.done
            report("issued", f"{done:,} of {len(job.rows):,}")

        try:
            passphrase = passphrase_source(current_session())
            return run_bulk(directory, job, jobs=jobs, passphrase=passphrase, progress=progress)
        except KeyboardInterrupt:
            note(f"interrupted after {done:,} of {len(job.rows):,}; the same command goes on where it stopped")
            raise


def _text(file: str) -> str:
    try:
        with click.open_file(file, "rb") as stream:
            data = stream.read()
        return bytes(data).decode()
    except OSError as error:
        raise ConfigError(
            f"{file} cannot be read: {(error.strerror or str(error)).lower()}", hint="check the path"
        ) from None
    except UnicodeDecodeError:
        raise Malformed(f"{file} is not UTF-8 text", hint="save it as CSV in UTF-8") from None


def _print(result: BulkReport, out: Path, *, as_json: bool) -> None:
    if as_json:
        refused = [{"name": name, "reason": reason} for name, reason in result.refused]
        print_json({"issued": result.issued, "already": result.already, "refused": refused, "directory": str(out)})
    else:
        say(f"issued {result.issued:,} certificates into {out}")
        if result.already:
            say(f"{result.already:,} had theirs already")
    if result.refused:
        raise _refusal(result)


def _refusal(result: BulkReport) -> HandfastError:
    for name, reason in result.refused[:_MOST_SHOWN]:
        note(f"refused {name}: {reason}")
    if len(result.refused) > _MOST_SHOWN:
        note(f"and {len(result.refused) - _MOST_SHOWN} more")
    message = f"{len(result.refused)} rows were refused"
    hint = "mend these rows and run the command again: the others are done"
    findings = (Finding("rows-refused", Severity.ERROR, message, hint, "policy"),)
    return Unacceptable(message, hint=hint, findings=findings)
