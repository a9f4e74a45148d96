"""Release a certificate from hold: it is good again."""

import click

from handfast.cli._desk import desk
from handfast.cli._options import desk_options, examples, json_option, yes_option
from handfast.cli._revoking import carry_out
from handfast.cli._which import find

SECTION = "Certificates"


@click.command(epilog=examples("handfast release sensor-17"))
@click.argument("which", metavar="CERTIFICATE")
@yes_option
@desk_options
@json_option
def command(which: str, yes: bool, as_json: bool) -> None:
    """End a hold: the certificate is good again. One that was revoked stays revoked.

    CERTIFICATE is a serial, at least 8 digits of a fingerprint, a name or a file.
    """
    authority = desk()
    record = find(authority, which, alive=True)
    carry_out(authority, record, "release", lambda: authority.release(record), yes=yes, as_json=as_json)
