"""Sign and publish the revocation lists (CRLs)."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from handfast.ca.authority import Authority
from handfast.ca.due import due
from handfast.ca.published import Published, Which
from handfast.ca.records import Role
from handfast.cli._authority import current_session, opened
from handfast.cli._options import authority_options, examples, json_option
from handfast.cli._output import note, print_json, print_table
from handfast.errors import ConfigError
from handfast.server.layout import crl_path, write_crl

SECTION = "The authority"


@click.command(epilog=examples("handfast crl", "handfast crl issuing", "handfast crl root --ca /mnt/offline/ca"))
@click.argument("issuers", nargs=-1, metavar="[ISSUER]...")
@authority_options
@click.option("--all", "is_all", is_flag=True, help="A root's CRL too when nothing changed and it is young.")
@json_option
def command(issuers: tuple[str, ...], is_all: bool, as_json: bool) -> None:
    """Sign new CRLs and write them into the authority's directory crl/.

    ISSUER is a CA of this authority; without one, every CA whose key is there, and a root only when something changed
    or half of its CRL's life is over. crl/ISSUER.crl is DER, crl/ISSUER.pem
    PEM, and crl/crls.pem holds all of them, as servers want it. Do this before the last CRL ends, from a timer.
    """
    authority = opened()
    directory = Path(current_session().directory)
    with _without_collector():
        published, missing = _publish(authority, directory, issuers, is_all=is_all)
    rows = [_row(directory, one) for one in published]
    if as_json:
        print_json({"published": rows, "missing": missing})
    else:
        columns = ("issuer", "number", "revoked", "next update", "file")
        print_table(columns, [[str(row[column.replace(" ", "_")]) for column in columns] for row in rows])
    if missing and not published:
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
    authority: Authority, directory: Path, wanted: tuple[str, ...], *, is_all: bool
) -> tuple[list[Published], list[str]]:
    """The CRLs as they are now, and the issuers whose keys are away; a key that was asked for by name must be there."""
    for name in wanted:
        authority.issuer(name)
    published: list[Published] = []
    missing: list[str] = []
    for name in wanted or tuple(authority.issuers):
        try:
            if wanted or is_all or _is_wanted(authority, name):
                authority.publish(Which(name))
        except ConfigError as error:
            if wanted:
                raise
            missing.append(name)
            note(f"no new CRL of {name}: {error.message}")
            continue
        written = write_crl(directory, authority, name)
        if written is not None:
            published.append(written)
    return published, missing


def _is_wanted(authority: Authority, name: str) -> bool:
    issuer = authority.issuer(name)
    return issuer.role is not Role.ROOT or Which(name) in due(authority, issuer, authority.clock())


def _row(directory: Path, published: Published) -> dict[str, object]:
    return {
        "issuer": published.which.issuer,
        "number": published.record.number,
        "revoked": published.entries,
        "next_update": f"{published.record.next_update:%Y-%m-%dT%H:%M:%SZ}",
        "file": str(crl_path(directory, published.which.issuer)),
    }
