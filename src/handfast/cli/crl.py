"""Sign and publish the revocation lists (CRLs)."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from cryptography import x509

from handfast.ca.authority import Authority
from handfast.cli._authority import current_session, opened
from handfast.cli._options import authority_options, examples, json_option
from handfast.cli._output import note, print_json, print_table
from handfast.errors import ConfigError
from handfast.server.layout import publish_crl

SECTION = "The authority"


@click.command(epilog=examples("handfast crl", "handfast crl issuing", "handfast crl root --ca /mnt/offline/ca"))
@click.argument("issuers", nargs=-1, metavar="[ISSUER]...")
@authority_options
@json_option
def command(issuers: tuple[str, ...], as_json: bool) -> None:
    """Sign new CRLs and write them into the authority's directory crl/.

    ISSUER is a CA of this authority; without one, every CA whose key is there. crl/ISSUER.crl is DER, crl/ISSUER.pem
    PEM, and crl/crls.pem holds all of them, as servers want it. Do this before the last CRL ends, from a timer.
    """
    authority = opened()
    directory = Path(current_session().directory)
    with _without_collector():
        published, missing = _publish(authority, directory, issuers)
    rows = [_row(name, path) for name, path in published]
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
    authority: Authority, directory: Path, wanted: tuple[str, ...]
) -> tuple[list[tuple[str, Path]], list[str]]:
    """The CRLs that were made, and the issuers whose keys are away; a key that was asked for by name must be there."""
    for name in wanted:
        authority.issuer(name)
    published: list[tuple[str, Path]] = []
    missing: list[str] = []
    for name in wanted or tuple(authority.issuers):
        try:
            published.append((name, publish_crl(directory, authority, name)))
        except ConfigError as error:
            if wanted:
                raise
            missing.append(name)
            note(f"no new CRL of {name}: {error.message}")
    return published, missing


def _row(name: str, path: Path) -> dict[str, object]:
    crl = x509.load_der_x509_crl(path.read_bytes())
    number = crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    return {
        "issuer": name,
        "number": number,
        "revoked": len(crl),
        "next_update": f"{crl.next_update_utc:%Y-%m-%dT%H:%M:%SZ}",
        "file": str(path),
    }
