"""What `revoke`, `hold` and `release` have in common: show which certificate, ask, do it, publish."""

from collections.abc import Callable

import click

from handfast.ca.records import CertificateRecord
from handfast.cli._output import ask, is_interactive, print_json, say
from handfast.cli._publishing import publish
from handfast.cli._which import print_record, record_json
from handfast.client.desk import Desk
from handfast.pki.serial import serial_text

_DONE = {"revoke": "revoked", "hold": "held", "release": "released"}


def carry_out(
    authority: Desk,
    record: CertificateRecord,
    verb: str,
    action: Callable[[], CertificateRecord],
    *,
    yes: bool,
    as_json: bool,
) -> None:
    """Do it to exactly this certificate, once whoever is at the terminal agrees."""
    if not as_json:
        print_record(record, authority.clock())
    if not yes and is_interactive() and not ask(f"{verb.capitalize()} this certificate?"):
        say("nothing was changed")
        raise click.exceptions.Exit(1)
    changed = action()
    if not as_json:
        say(f"{_DONE[verb]} {record.label} ({serial_text(record.serial)})")
    published = publish(authority, record.issuer, quiet=as_json)
    if as_json:
        print_json({"certificate": record_json(changed, authority.clock()), "published": published})
