"""Issue for thousands of devices from CSV or JSON lines; resumable."""

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import click

from handfast.ca.bulk import parse_rows
from handfast.cli._authority import current_session, opened, passphrase_source
from handfast.cli._options import desk_options, examples, json_option
from handfast.cli._output import note, print_json, say
from handfast.cli._progress import progress_line
from handfast.client.batch import BulkJob, BulkReport, batch_of
from handfast.client.desk import profile_of
from handfast.errors import ConfigError, HandfastError, Malformed, Unacceptable
from handfast.findings import Finding, Severity
from handfast.keys.files import PUBLIC, write_atomically
from handfast.pki.keys import KeyKind
from handfast.pki.pem import to_pem
from handfast.server import bulk_processes

CODES = {
    "rows-refused": "rows of a bulk issue were refused",
}

SECTION = "Certificates"
Progress = Callable[[BulkReport], None]
_MOST_SHOWN = 20
# At a service: so many share each of its writes to the disk.
_AT_ONCE = 16


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
@click.option(
    "--jobs",
    type=click.IntRange(1, 256),
    metavar="N",
    help="How many processes [one for each core]; with --server, how many requests at once [16].",
)
@desk_options
@json_option
def command(file: str, out: str, profile: str, key_kind: str, jobs: int | None, as_json: bool) -> None:
    """Make a key and a certificate for each row of FILE.

    FILE is a CSV whose first line names its columns, or JSON lines. `name` must be there; `subject`, `names`,
    `profile` and `lifetime` may be. Each row becomes a directory NAME with key.pem and fullchain.pem.

    With --server, the keys are made here and their requests go to the service. After an interruption, the same command
    goes on: nobody gets a second certificate. Rows added to FILE since are
    issued, too.
    """
    rows, place = parse_rows(_text(file), file), Path(out)
    job = partial(BulkJob, rows=rows, out=place, profile=profile, key_kind=KeyKind(key_kind))
    run = _at_service if current_session().is_remote else _here
    with progress_line() as report:
        done = 0

        def progress(now: BulkReport) -> None:
            nonlocal done
            done = now.done
            report("issued", f"{done:,} of {len(rows):,}")

        try:
            result = run(job, place, jobs, progress)
        except KeyboardInterrupt:
            note(f"interrupted after {done:,} of {len(rows):,}; the same command goes on where it stopped")
            raise
    _print(result, place, as_json=as_json)


def _here(job: "partial[BulkJob]", place: Path, jobs: int | None, progress: Progress) -> BulkReport:
    directory, authority = Path(current_session().directory), opened()
    authority.profile(job.keywords["profile"])
    issuer = authority.issuer()
    wanted = job(batch=batch_of(place))
    write_atomically(place / "ca.pem", to_pem(issuer.anchor), mode=PUBLIC)
    authority.store.close()
    passphrase = passphrase_source(current_session())
    return bulk_processes.run_bulk(
        directory, wanted, jobs=jobs or os.cpu_count() or 1, passphrase=passphrase, progress=progress
    )


def _at_service(job: "partial[BulkJob]", place: Path, jobs: int | None, progress: Progress) -> BulkReport:
    # TLS and HTTP take a while to load, and most people's authority is here.
    from handfast.cli._service import remote_desk
    from handfast.client import bulk

    first = remote_desk(current_session())
    desks = [first, *(replace(first, api=first.api.another()) for _ in range(1, jobs or _AT_ONCE))]
    for one in desks:
        click.get_current_context().call_on_close(one.api.close)
    profile_of(first, job.keywords["profile"])
    issuer = next(one for one in first.known_issuers() if one.is_default)
    wanted = job(batch=batch_of(place))
    write_atomically(place / "ca.pem", to_pem(issuer.anchor), mode=PUBLIC)
    return bulk.run_bulk(desks, wanted, progress=progress, waiting=_waits)


def _waits(length: timedelta) -> None:
    until = datetime.now(UTC) + length
    note(f"the service has issued as many as it may for now; it is asked again at {until:%H:%M:%S} UTC")


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
