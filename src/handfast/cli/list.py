"""List certificates, newest first."""

import click

from handfast.ca.records import Listing, State
from handfast.cli._authority import opened
from handfast.cli._listing import MOST, print_pages
from handfast.cli._options import authority_options, examples, json_option

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
@authority_options
@json_option
def command(state: str | None, profile: str | None, issuer: str | None, limit: int, as_json: bool) -> None:
    """List the authority's certificates, newest first.

    Revoked and held ones: the last that became so first. Expired ones: the latest end first.
    """
    authority = opened()
    if profile is not None:
        authority.profile(profile)
    if issuer is not None:
        authority.issuer(issuer)
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
