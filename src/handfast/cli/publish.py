"""Write what relying parties fetch as files for a web server: CRLs, CA certificates."""

from pathlib import Path

import click

from handfast.ca.due import publish_due
from handfast.cli._authority import opened
from handfast.cli._options import authority_options, examples, json_option
from handfast.cli._output import note, print_json, say
from handfast.server.static import StaticFile, write_static

SECTION = "The authority"


@click.command(epilog=examples("handfast publish /srv/pki", "handfast publish /srv/pki --json"))
@click.argument("directory", metavar="DIR")
@authority_options
@json_option
def command(directory: str, as_json: bool) -> None:
    """Publish CRLs that are due, and write all that relying parties fetch below DIR.

    DIR/crl/ISSUER.crl, shards and deltas beside it, DIR/ca/ISSUER.cer and .p7c: the paths that the URLs in certificates
    have when `service.url` is set. Each file is replaced whole, and never by an older one. Run it from a timer, every
    minute say: what did not change is not written.
    """
    authority = opened()
    outcome = publish_due(authority, authority.clock())
    files = write_static(authority, Path(directory))
    for which in outcome.late:
        note(f"{which.file_name} ends soon, and its key is not here: make it where the key is")
    if as_json:
        print_json({"files": [_row(one) for one in files], "late": [one.file_name for one in outcome.late]})
        return
    for one in files:
        if one.is_new:
            say(f"wrote {one.path}" + (f", number {one.number}" if one.number is not None else ""))
    say(f"{len(files)} files in {directory}, {sum(one.is_new for one in files)} of them new")


def _row(one: StaticFile) -> dict[str, object]:
    return {"file": str(one.path), "number": one.number, "new": one.is_new}
