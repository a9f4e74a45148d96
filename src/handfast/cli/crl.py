"""Sign and publish the revocation lists (CRLs)."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import click

from handfast.ca.records import Role
from handfast.cli._desk import desk
from handfast.cli._options import desk_options, examples, json_option
from handfast.cli._output import note, print_json, print_table
from handfast.client.desk import Desk, KnownIssuer, PublishedList, issuer_of
from handfast.errors import ConfigError, Conflict, Refused

SECTION = "The authority"


@click.command(epilog=examples("handfast crl", "handfast crl issuing", "handfast crl root --ca /mnt/offline/ca"))
@click.argument("issuers", nargs=-1, metavar="[ISSUER]...")
@desk_options
@click.option("--all", "is_all", is_flag=True, help="A root's CRL too when nothing changed and it is young.")
@json_option
def command(issuers: tuple[str, ...], is_all: bool, as_json: bool) -> None:
    """Sign new CRLs and write them into the authority's directory crl/.

    ISSUER is a CA of this authority; without one, every CA whose key is there, and a root only when something changed
    or half of its CRL's life is over. crl/ISSUER.crl is DER, crl/ISSUER.pem
    PEM, and crl/crls.pem holds all of them, as servers want it. Do this before the last CRL ends, from a timer: it ends
    with status 2 when there is no new CRL of an issuing CA.
    """
    authority = desk()
    with _without_collector():
        published, missing = _publish(authority, issuers, is_all=is_all)
    rows = [_row(one) for one in published]
    if as_json:
        print_json({"published": rows, "missing": [one.name for one in missing]})
    else:
        columns = ("issuer", "number", "revoked", "next update", "file")
        shown = [[row[column.replace(" ", "_")] for column in columns] for row in rows]
        print_table(columns, [["-" if cell is None else str(cell) for cell in cells] for cells in shown])
    # A root's key is elsewhere on purpose, and its CRL lives for a year.
    if any(one.role is not Role.ROOT for one in missing) or (missing and not published):
        raise click.exceptions.Exit(2)


@contextmanager
def _without_collector() -> Iterator[None]:
    """A million rows hold no cycles; looking for some takes a fifth of the time of a whole CRL."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _publish(
    authority: Desk, wanted: tuple[str, ...], *, is_all: bool
) -> tuple[list[PublishedList], list[KnownIssuer]]:
    """The CRLs as they are now, and the issuers whose keys cannot be used; that of one that is named must be."""
    for name in wanted:
        issuer_of(authority, name)
    published: list[PublishedList] = []
    missing: list[KnownIssuer] = []
    for issuer in authority.known_issuers():
        name = issuer.name
        if wanted and name not in wanted:
            continue
        try:
            made = (
                authority.publish(name) if wanted or is_all or authority.is_due(issuer) else authority.last_list(name)
            )
        except (ConfigError, Conflict, Refused) as error:
            if wanted:
                raise
            missing.append(issuer)
            note(f"no new CRL of {name}: {error.message}")
            continue
        if made is not None:
            published.append(made)
    return published, missing


def _row(published: PublishedList) -> dict[str, object]:
    return {
        "issuer": published.issuer,
        "number": published.number,
        "revoked": published.entries,
        "next_update": f"{published.next_update:%Y-%m-%dT%H:%M:%SZ}",
        "file": published.place or None,
    }
