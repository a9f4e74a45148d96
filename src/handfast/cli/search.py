"""Search certificates by a word of their names or subject."""

import click

from handfast.ca.records import Listing
from handfast.cli._desk import desk
from handfast.cli._listing import MOST, print_pages
from handfast.cli._options import desk_options, examples, json_option
from handfast.errors import Malformed

SECTION = "Certificates"


@click.command(epilog=examples("handfast search example.org", "handfast search sensor- --limit 500 --json"))
@click.argument("text")
@click.option("--limit", type=click.IntRange(1, MOST), default=50, show_default=True, help="How many at most.")
@desk_options
@json_option
def command(text: str, limit: int, as_json: bool) -> None:
    """List the certificates with a word that begins with TEXT, newest first.

    Words are looked for in the names, the label and the subject. `cam-7.example.org` is found by `cam`, `7.ex`,
    `example.org` and `org`, but not by `xample`. Capital letters make no difference.
    """
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise Malformed("the text to look for is not UTF-8", hint="give the part of the name in UTF-8")
    authority = desk()
    print_pages(
        authority,
        lambda before, size: authority.search(Listing(now=authority.clock(), text=text, before=before, limit=size)),
        limit=limit,
        as_json=as_json,
        nothing=f"no certificate has a word that begins with {text!r} in its subject or names",
    )
