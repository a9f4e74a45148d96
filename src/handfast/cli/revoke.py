"""Revoke a certificate for ever, and publish the CRL that says so."""

import click

from handfast.ca.records import REVOCATION_REASONS, Reason
from handfast.cli._desk import desk
from handfast.cli._options import desk_options, examples, json_option, yes_option
from handfast.cli._revoking import carry_out
from handfast.cli._which import find

SECTION = "Certificates"


def reason_of(_context: click.Context, _parameter: click.Parameter, text: str) -> Reason:
    """The reason, however it is spelled: keyCompromise, key-compromise, KEY_COMPROMISE."""
    spelled = text.lower().replace("-", "").replace("_", "")
    for reason in REVOCATION_REASONS:
        if reason.value.lower() == spelled:
            return reason
    known = ", ".join(reason.value for reason in REVOCATION_REASONS)
    raise click.BadParameter(f"{text!r} is no reason to revoke; the reasons are: {known}")


@click.command(
    epilog=examples(
        "handfast revoke alice",
        "handfast revoke issued/alice/cert.pem --reason keyCompromise --yes",
        "handfast revoke 5f3a9b02c4d1e8a7",
    )
)
@click.argument("which", metavar="CERTIFICATE")
@click.option(
    "--reason",
    callback=reason_of,
    default=Reason.UNSPECIFIED.value,
    metavar="REASON",
    help="keyCompromise, superseded, affiliationChanged, cessationOfOperation ... [unspecified]",
)
@yes_option
@desk_options
@json_option
def command(which: str, reason: Reason, yes: bool, as_json: bool) -> None:
    """Revoke a certificate: it never becomes good again.

    CERTIFICATE is a serial, at least 8 digits of a fingerprint, a name or a file. What it was taken to mean is shown;
    on a terminal you are asked. A name that several valid certificates have is refused, with a list of them.
    """
    authority = desk()
    record = find(authority, which, alive=True)
    carry_out(authority, record, "revoke", lambda: authority.revoke(record, reason), yes=yes, as_json=as_json)
