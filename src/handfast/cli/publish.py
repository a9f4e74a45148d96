"""Write CRLs, CA certificates and OCSP answers for a web server."""

from collections.abc import Callable
from pathlib import Path

import click

from handfast.ca.due import publish_due
from handfast.cli._authority import current_session, opened
from handfast.cli._options import desk_options, examples, json_option
from handfast.cli._output import note, print_json, say
from handfast.cli._progress import progress_line
from handfast.client.static_files import Answers, StaticFile
from handfast.errors import ConfigError
from handfast.server.layout import RESPONDERS
from handfast.server.settings import FILE
from handfast.server.static import write_static
from handfast.server.static_ocsp import write_answers

SECTION = "The authority"
Report = Callable[[str, str], None]
Outcome = tuple[list[StaticFile], list[Answers], list[str]]


@click.command(epilog=examples("handfast publish /srv/pki", "handfast publish /srv/pki --no-ocsp --json"))
@click.argument("directory", metavar="DIR")
@click.option("--no-ocsp", is_flag=True, help="Write no OCSP answers.")
@desk_options
@json_option
def command(directory: str, no_ocsp: bool, as_json: bool) -> None:
    """Publish CRLs that are due, and write all that relying parties fetch below DIR.

    DIR/crl/ISSUER.crl, shards and deltas beside it, DIR/ca/ISSUER.cer and .p7c, and DIR/ocsp/ with an answer for each
    certificate, for clients that ask by GET: the paths that the URLs in certificates have when `service.url` is set.
    Each file is replaced whole, and never by an older one. Run it from a timer, every minute say: what did not change
    is not written. With --server it is fetched from a service, which makes the CRLs by itself, and verified.
    """
    place, wants_ocsp = Path(directory), not no_ocsp
    if (place / FILE).exists():
        hint = "choose one of its own: a web server shows all of it to everybody"
        raise ConfigError(f"{directory} is the directory of an authority", hint=hint)
    with progress_line() as report:
        publish = _from_service if current_session().is_remote else _from_here
        files, answers, late = publish(place, wants_ocsp, report)
    for name in late:
        note(f"{name} ends soon, and its key is not here: make it where the key is")
    for one in answers:
        if one.lacking:
            where = "at the service" if current_session().is_remote else "here"
            note(f"OCSP answers of {one.issuer} are due, and its key is not {where}: publish them where the key is")
    if as_json:
        print_json({"files": [_row(one) for one in files], "ocsp": [_counts(one) for one in answers], "late": late})
    else:
        _tell(files, answers, directory)


def _from_here(place: Path, wants_ocsp: bool, report: Report) -> Outcome:
    authority = opened()
    outcome = publish_due(authority, authority.clock())
    files = write_static(authority, place)
    keys = Path(current_session().directory) / RESPONDERS
    answers = write_answers(authority, place, keys=keys, report=report) if wants_ocsp else []
    return files, answers, [one.file_name for one in outcome.late]


def _from_service(place: Path, wants_ocsp: bool, report: Report) -> Outcome:
    # TLS and HTTP take a while to load, and most people's authority is here.
    from handfast.cli._service import remote_desk
    from handfast.client.answers import fetch_answers
    from handfast.client.publishing import fetch_files, listed

    desk = remote_desk(current_session())
    click.get_current_context().call_on_close(desk.api.close)
    issuers, lists = desk.known_issuers(), listed(desk.api)
    files = fetch_files(desk.api, issuers, lists, place, clock=desk.clock)
    answers = fetch_answers(desk.api, issuers, place, clock=desk.clock, report=report) if wants_ocsp else []
    return files, answers, [one.file for one in lists if one.is_late]


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
