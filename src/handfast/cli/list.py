"""List certificates, newest first."""

import click

from handfast.ca.records import Listing, State
from handfast.cli._desk import desk
from handfast.cli._listing import MOST, print_pages
from handfast.cli._options import desk_options, examples, json_option
from handfast.client.desk import issuer_of, profile_of

SECTION = "Certificates"


@click.command(
    epilog=examples(
        "handfast list",
        "handfast list --state revoked --limit 1000",
        "handfast list --profile device --json",
    )
)
@click.option("--state", type=click.Choice([state.value for state in State]), metavar="STATE",
              help="valid, revoked, held, expired ... [all]")  # fmt: skip
@click.option("--profile", metavar="PROFILE", help="Only certificates of this profile.")
@click.option("--issuer", metavar="NAME", help="Only certificates of this CA.")
@click.option("--limit", type=click.IntRange(1, MOST), default=50, show_default=True, help="How many at most.")
@desk_options
@json_option
def command(state: str | None, profile: str | None, issuer: str | None, limit: int, as_json: bool) -> None:
    """List the authority's certificates, newest first.

    Revoked and held ones: the last that became so first. Expired ones: the latest end first.
    """
    authority = desk()
    if profile is not None:
        profile_of(authority, profile)
    if issuer is not None:
        issuer_of(authority, issuer)
    print_pages(
        authority,
        lambda before, size: authority.search(
            Listing(
                now=authority.clock(),
                state=State(state) if state else None,
                profile=profile,
                issuer=issuer,
                before=before,
                limit=size,
            )
        ),
        limit=limit,
        as_json=as_json,
        nothing="no certificates",
    )
