"""One-time tokens to enroll with: each is good for one certificate."""

import click

from handfast.ca.tokens import TokenRecord
from handfast.cli._desk import desk
from handfast.cli._options import desk_options, examples, json_option
from handfast.cli._output import note, print_json, print_table, say
from handfast.pki.lifetime import parse_lifetime

SECTION = "The authority"


@click.group(
    epilog=examples(
        "handfast token new --profile device cam-7.example.org",
        "handfast token new --profile server www.example.org example.org --expires 2h",
        "handfast token list",
        "handfast token revoke 3f9a01c2",
    )
)
def command() -> None:
    """One-time tokens: whoever has one gets one certificate with these names."""


@command.command("new")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option("--profile", "-p", required=True, metavar="PROFILE", help="server, client, device, peer ...")
@click.option("--expires", default="1d", show_default=True, metavar="TIME", help="How long it can be used: 2h, 7d ...")
@desk_options
@json_option
def new(names: tuple[str, ...], profile: str, expires: str, as_json: bool) -> None:
    """Make a token for a certificate with these names, and show it once."""
    secret, token = desk().make_token(profile, names, parse_lifetime(expires))
    if as_json:
        print_json({"secret": secret, **_described(token)})
        return
    until = f"{token.expires_at:%Y-%m-%d %H:%M} UTC"
    note(f"token {token.id}, good for one {profile} certificate until {until}; shown once:")
    say(secret)


@command.command("list")
@desk_options
@json_option
def list_tokens(as_json: bool) -> None:
    """List the tokens that can be used. One that was used, or has expired, is gone."""
    found = desk().tokens()
    if as_json:
        print_json({"tokens": [_described(token) for token in found]})
    elif not found:
        say("there are no tokens")
    else:
        rows = [
            (token.id, token.profile, "\n".join(token.words), f"{token.expires_at:%Y-%m-%d %H:%M}", token.creator)
            for token in found
        ]
        print_table(("token", "profile", "names", "until", "made by"), rows, whole=("token", "until"))


@command.command("revoke")
@click.argument("token")
@desk_options
@json_option
def revoke(token: str, as_json: bool) -> None:
    """End a token, named by its id, that nobody used yet."""
    ended = desk().revoke_token(token)
    if as_json:
        print_json({"revoked": ended})
    else:
        say(f"the token {ended} cannot be used any more")


def _described(token: TokenRecord) -> dict[str, object]:
    return {
        "id": token.id,
        "profile": token.profile,
        "names": list(token.words),
        "creator": token.creator,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
    }
