"""Renew a certificate; key, subject and names stay."""

import click

from handfast.cli import _issued, _issuing, _waiting
from handfast.cli._desk import desk
from handfast.cli._options import desk_options, examples, json_option
from handfast.cli._output import print_json
from handfast.cli._replacing import settle_old
from handfast.cli._which import find

SECTION = "Certificates"


@click.command(
    epilog=examples(
        "handfast renew www.example.org",
        "handfast renew issued/alice/cert.pem --lifetime 2y",
        "handfast renew alice --revoke-old",
    )
)
@click.argument("which", metavar="CERTIFICATE")
@click.option("--lifetime", metavar="TIME", help="90d, 12h, 1y ... [the profile's]")
@click.option("--out", "-o", metavar="DIR", help="Where the files go [the old ones' place, else ./issued/NAME].")
@click.option("--revoke-old", is_flag=True, help="Revoke the old certificate at once.")
@desk_options
@json_option
def command(which: str, lifetime: str | None, out: str | None, revoke_old: bool, as_json: bool) -> None:
    """Issue a new certificate for the key of an old one.

    CERTIFICATE is a serial, a fingerprint, a name or a file. Where ./issued/NAME holds the old certificate, the new one
    takes its place beside the key. The old certificate stays valid until it ends or is revoked.
    """
    authority = desk()
    old = find(authority, which, alive=True)
    folder = _issued.folder_for(old.label, out)
    in_place = _issued.holds(folder, old.x509())
    if not in_place:
        _issued.require_free(folder)
    answer = authority.renew(old, _issuing.lifetime_of(lifetime))
    issued = _waiting.require_issued(answer, folder, as_json=as_json)
    files = _issued.files_of(issued)
    if in_place:
        _issued.replace_each(folder, files)
    else:
        _issued.write_new(folder, files)
    if not as_json:
        _issuing.print_issued(issued, folder, list(files), as_json=False)
    revoked = settle_old(authority, old, revoke=revoke_old, quiet=as_json)
    if as_json:
        print_json({**_issuing.issued_json(issued, folder, list(files)), "revoked_old": revoked})
