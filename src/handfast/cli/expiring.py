"""List the certificates that end soon."""

import click

from handfast.cli._desk import desk
from handfast.cli._listing import MOST, print_pages
from handfast.cli._options import desk_options, examples, json_option
from handfast.pki.lifetime import parse_lifetime

SECTION = "Certificates"


@click.command(
    epilog=examples(
        "handfast expiring",
        "handfast expiring --within 14d --check || echo somebody must renew",
    )
)
@click.option("--within", default="30d", show_default=True, metavar="TIME", help="How soon: 12h, 30d, 1y ...")
@click.option("--check", is_flag=True, help="Exit with status 1 when there are any.")
@click.option("--limit", type=click.IntRange(1, MOST), default=50, show_default=True, help="How many at most.")
@desk_options
@json_option
def command(within: str, check: bool, limit: int, as_json: bool) -> None:
    """List the certificates that are valid now and end soon, the earliest end first."""
    soon = parse_lifetime(within)
    authority = desk()
    count = print_pages(
        authority,
        lambda before, size: authority.expiring(soon, before=before, limit=size),
        limit=limit,
        as_json=as_json,
        nothing=f"no certificate ends within {within}",
    )
    if check and count:
        raise click.exceptions.Exit(1)
