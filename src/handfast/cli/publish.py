"""Write CRLs, CA certificates and OCSP answers for a web server."""

from pathlib import Path

import click

from handfast.ca.due import publish_due
from handfast.cli._authority import current_session, opened
from handfast.cli._options import authority_options, examples, json_option
from handfast.cli._output import note, print_json, say
from handfast.cli._progress import progress_line
from handfast.server.layout import RESPONDERS
from handfast.server.static import StaticFile, write_static
from handfast.server.static_ocsp import Answers, write_answers

SECTION = "The authority"


@click.command(epilog=examples("handfast publish /srv/pki", "handfast publish /srv/pki --no-ocsp --json"))
@click.argument("directory", metavar="DIR")
@click.option("--no-ocsp", is_flag=True, help="Write no OCSP answers.")
@authority_options
@json_option
def command(directory: str, no_ocsp: bool, as_json: bool) -> None:
    """Publish CRLs that are due, and write all that relying parties fetch below DIR.

    DIR/crl/ISSUER.crl, shards and deltas beside it, DIR/ca/ISSUER.cer and .p7c, and DIR/ocsp/ with an answer for each
    certificate, for clients that ask by GET: the paths that the URLs in certificates have when `service.url` is set.
    Each file is replaced whole, and never by an older one. Run it from a timer, every minute say: what did not change
    is not written.
    """
    authority = opened()
    outcome = publish_due(authority, authority.clock())
    files = write_static(authority, Path(directory))
    for which in outcome.late:
        note(f"{which.file_name} ends soon, and its key is not here: make it where the key is")
    answers: list[Answers] = []
    if not no_ocsp:
        keys = Path(current_session().directory) / RESPONDERS
        with progress_line() as report:
            answers = write_answers(authority, Path(directory), keys=keys, report=report)
    for one in answers:
        if one.lacking:
            note(f"OCSP answers of {one.issuer} are due, and its key is not here: publish them where the key is")
    if as_json:
        late = [one.file_name for one in outcome.late]
        print_json({"files": [_row(one) for one in files], "ocsp": [_counts(one) for one in answers], "late": late})
    else:
        _tell(files, answers, directory)


def _tell(files: list[StaticFile], answers: list[Answers], directory: str) -> None:
    for one in files:
        if one.is_new:
            say(f"wrote {one.path}" + (f", number {one.number}" if one.number is not None else ""))
    total = len(files) + sum(one.count for one in answers)
    new = sum(one.is_new for one in files) + sum(one.written for one in answers)
    for counted in answers:
        if counted.written:
            say(f"wrote {counted.written:,} OCSP answers of {counted.issuer}")
    say(f"{total:,} files in {directory}, {new:,} of them new")


def _counts(one: Answers) -> dict[str, object]:
    return {
        "issuer": one.issuer,
        "answers": one.count,
        "new": one.written,
        "is_lacking_key": one.lacking,
    }


def _row(one: StaticFile) -> dict[str, object]:
    return {"file": str(one.path), "number": one.number, "new": one.is_new}
