"""Replace a certificate and its key; subject and names stay."""

import click

from handfast.cli import _issued, _issuing, _waiting
from handfast.cli._desk import desk
from handfast.cli._options import desk_options, examples, json_option
from handfast.cli._output import note, print_json
from handfast.cli._replacing import settle_old
from handfast.cli._which import find
from handfast.pki.csr import proof_of
from handfast.pki.keys import KeyKind
from handfast.pki.serial import serial_text

SECTION = "Certificates"


@click.command(
    epilog=examples(
        "handfast rekey www.example.org",
        "handfast rekey alice --key ed25519 --revoke-old",
    )
)
@click.argument("which", metavar="CERTIFICATE")
@_issuing.key_option
@click.option("--lifetime", metavar="TIME", help="90d, 12h, 1y ... [the profile's]")
@click.option("--out", "-o", metavar="DIR", help="Where the files go [the old ones' place, else ./issued/NAME].")
@click.option("--revoke-old", is_flag=True, help="Revoke the old certificate at once.")
@desk_options
@json_option
def command(
    which: str, key_kind: str | None, lifetime: str | None, out: str | None, revoke_old: bool, as_json: bool
) -> None:
    """Make a new key and issue a certificate for it, with the subject and names of an old one.

    CERTIFICATE is a serial, a fingerprint, a name or a file. Where ./issued/NAME holds the old certificate, the new key
    and certificate take its place, and the old ones move to ./issued/NAME.SERIAL.
    """
    authority = desk()
    old = find(authority, which, alive=True)
    folder = _issued.folder_for(old.label, out)
    in_place = _issued.holds(folder, old.x509())
    if not in_place:
        _issued.require_free(folder)
    key = _waiting.key_for(folder, KeyKind(key_kind) if key_kind else None)
    answer = authority.rekey(old, proof_of(key), _issuing.lifetime_of(lifetime))
    issued = _waiting.require_issued(answer, folder, key, as_json=as_json)
    files = _issued.files_of(issued, key)
    if in_place:
        moved = _issued.replace_all(folder, files, keep_as=serial_text(old.serial)[:16])
        note(f"the old key and certificate are in {moved}")
    else:
        _issued.write_new(folder, files)
    _waiting.forget(folder)
    if not as_json:
        _issuing.print_issued(issued, folder, list(files), as_json=False)
    revoked = settle_old(authority, old, revoke=revoke_old, quiet=as_json)
    if as_json:
        print_json({**_issuing.issued_json(issued, folder, list(files)), "revoked_old": revoked})
