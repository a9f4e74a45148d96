"""Show one certificate of the authority, and whether it is valid."""

import click

from handfast.cli._desk import desk
from handfast.cli._options import desk_options, examples, json_option
from handfast.cli._output import print_json
from handfast.cli._which import find, print_record, record_json
from handfast.pki.pem import to_pem

SECTION = "Certificates"


@click.command(epilog=examples("handfast show alice", "handfast show issued/alice/cert.pem --json"))
@click.argument("which", metavar="CERTIFICATE")
@desk_options
@json_option
def command(which: str, as_json: bool) -> None:
    """Show a certificate as the authority knows it.

    CERTIFICATE is a serial, at least 8 digits of a fingerprint, a name or a file. `handfast inspect` shows any file,
    also of other CAs.
    """
    authority = desk()
    record = find(authority, which)
    if as_json:
        certificate = record.x509()
        pem = to_pem(certificate) if certificate is not None else None
        print_json({"certificate": {**record_json(record, authority.clock()), "pem": pem}})
    else:
        print_record(record, authority.clock())
