"""Make a new authority: a root CA and an issuing CA, or around yours."""

from datetime import timedelta
from pathlib import Path
from shlex import quote

import click

from handfast.ca.authority import Authority
from handfast.cli import _adopting
from handfast.cli._authority import current_session, new_passphrase
from handfast.cli._options import directory_options, examples, json_option
from handfast.cli._output import note, print_fields, print_json, say
from handfast.cli._session import DEFAULT_CA
from handfast.errors import ConfigError
from handfast.pki.keys import KeyKind
from handfast.pki.lifetime import parse_lifetime
from handfast.server.founding import Plan, create_authority, default_settings

SECTION = "Start here"


@click.command(
    epilog=examples(
        "handfast init",
        "handfast init /srv/ca --name Example --subject O=Example,C=DE",
        "handfast init --passphrase-file secret.txt --key p384",
        "handfast init --store postgresql://handfast@db.example.org/handfast",
        "handfast init --certificate chain.pem --private-key ca.key",
        "handfast init --subordinate --name Example",
    )
)
@click.argument("directory", required=False, metavar="[DIR]")
@click.option("--name", default="Handfast", show_default=True, help="What the CA is called: NAME Root CA, and so on.")
@click.option("--subject", default="", metavar="DN", help="More of the CAs' names: O=Example,C=DE.")
@click.option("--key", "key_kind", type=click.Choice([kind.value for kind in KeyKind]), default="p256", metavar="KIND",
              help="Of the CAs: p256, p384, p521, ed25519, rsa3072, rsa4096, ml-dsa-65 ... [p256]")  # fmt: skip
@click.option("--root-lifetime", metavar="TIME", help="How long the root CA lives [20y].")
@click.option("--issuing-lifetime", metavar="TIME", help="How long the issuing CA lives [10y].")
@click.option("--no-passphrase", is_flag=True, help="Keep the CA's keys unencrypted: for trying out.")
@click.option("--certificate", "certificates", metavar="FILE", multiple=True,
              help="Bring an existing CA along: its certificate and those above it.")  # fmt: skip
@click.option("--private-key", metavar="FILE", help="The key of that CA.")
@click.option("--subordinate", is_flag=True, help="A CA below somebody else's: write a request for it.")
@click.option("--store", default="", metavar="KIND:PLACE", help="Where it keeps its records [sqlite:ca.sqlite].")
@directory_options("run it where the authority shall be, without --server")
@json_option
def command(
    directory: str | None,
    name: str,
    subject: str,
    key_kind: str,
    root_lifetime: str | None,
    issuing_lifetime: str | None,
    no_passphrase: bool,
    certificates: tuple[str, ...],
    private_key: str | None,
    subordinate: bool,
    store: str,
    as_json: bool,
) -> None:
    """Make a root CA, an issuing CA below it, and their first revocation lists.

    All of it goes into DIR, which is ./handfast-ca unless it is given here, by --ca or by HANDFAST_CA. The keys are
    encrypted under a passphrase. Take keys/root.key off the machine afterwards: it is needed again only for another
    issuing CA, or to revoke one.
    """
    place = Path(directory or current_session().directory)
    plan = Plan(
        name=name,
        subject=subject,
        key_kind=KeyKind(key_kind),
        root_lifetime=parse_lifetime(root_lifetime) if root_lifetime else None,
        issuing_lifetime=parse_lifetime(issuing_lifetime) if issuing_lifetime else None,
        settings=default_settings(store) if store else "",
    )
    _require_nested(plan.root_lifetime, plan.issuing_lifetime)
    if subordinate or certificates or private_key:
        brought = _adopting.brought_along(certificates, private_key, subordinate=subordinate)
        _adopting.found(place, plan, brought, passphrase=new_passphrase(none=no_passphrase), as_json=as_json)
        return
    authority = create_authority(place, plan, passphrase=new_passphrase(none=no_passphrase))
    try:
        _print(authority, place, encrypted=not no_passphrase, as_json=as_json)
    finally:
        authority.store.close()


def _require_nested(root: timedelta | None, issuing: timedelta | None) -> None:
    if root is not None and issuing is not None and issuing > root:
        hint = "no certificate outlives its issuer: give the root the longer lifetime"
        raise ConfigError("--issuing-lifetime is longer than --root-lifetime", hint=hint)


def _print(authority: Authority, place: Path, *, encrypted: bool, as_json: bool) -> None:
    if as_json:
        issuers = {
            name: {
                "certificate": str(place / "certificates" / f"{name}.pem"),
                "subject": issuer.certificate.subject.rfc4514_string(),
                "not_after": issuer.certificate.not_valid_after_utc,
            }
            for name, issuer in authority.issuers.items()
        }
        print_json({"directory": str(place), "encrypted": encrypted, "issuers": issuers})
        return
    say(f"made an authority in {place}")
    print_fields(
        [
            ("what everybody trusts", place / "certificates" / "root.pem"),
            ("the root's key", place / "keys" / "root.key"),
            ("the issuing CA's key", place / "keys" / "issuing.key"),
            ("settings", place / "handfast.toml"),
        ]
    )
    if not encrypted:
        note("the keys are not encrypted: whoever reads them can make certificates")
    elsewhere = "" if place == Path(DEFAULT_CA) else f"--ca {quote(str(place))} "
    say(f"next: handfast issue {elsewhere}--profile client alice")
