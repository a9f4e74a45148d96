"""Put a certificate on hold: revoked until it is released."""

import click

from handfast.cli._desk import desk
from handfast.cli._options import desk_options, examples, json_option, yes_option
from handfast.cli._revoking import carry_out
from handfast.cli._which import find

SECTION = "Certificates"


@click.command(epilog=examples("handfast hold sensor-17"))
@click.argument("which", metavar="CERTIFICATE")
@yes_option
@desk_options
@json_option
def command(which: str, yes: bool, as_json: bool) -> None:
    """Put a certificate on hold: servers refuse it until it is released.

    CERTIFICATE is a serial, at least 8 digits of a fingerprint, a name or a file.
    """
    authority = desk()
    record = find(authority, which, alive=True)
    carry_out(authority, record, "hold", lambda: authority.hold(record), yes=yes, as_json=as_json)
