"""Make a new authority: a root CA and an issuing CA."""

import sys
from pathlib import Path

import click

from handfast.ca.authority import Authority
from handfast.cli._authority import ask_unseen, current_session, passphrase_source
from handfast.cli._options import authority_options, examples, json_option
from handfast.cli._output import note, print_fields, print_json, say
from handfast.errors import ConfigError
from handfast.keys.passphrase import PassphraseSource, from_credentials, no_passphrase, require_long_enough
from handfast.pki.keys import KeyKind
from handfast.pki.lifetime import parse_lifetime
from handfast.server.founding import Plan, create_authority

SECTION = "Start here"


@click.command(
    epilog=examples(
        "handfast init",
        "handfast init /srv/ca --name Example --subject O=Example,C=DE",
        "handfast init --passphrase-file secret.txt --key p384",
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
@authority_options
@json_option
def command(
    directory: str | None,
    name: str,
    subject: str,
    key_kind: str,
    root_lifetime: str | None,
    issuing_lifetime: str | None,
    no_passphrase: bool,
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
    )
    authority = create_authority(place, plan, passphrase=new_passphrase(none=no_passphrase))
    try:
        _print(authority, place, encrypted=not no_passphrase, as_json=as_json)
    finally:
        authority.store.close()


def new_passphrase(*, none: bool) -> PassphraseSource:
    """Where the passphrase of new keys comes from; typed twice. Raises ConfigError when nobody can be asked."""
    session = current_session()
    if none:
        if session.passphrase_file is not None:
            raise ConfigError("--no-passphrase and --passphrase-file contradict each other", hint="give one of them")
        return no_passphrase
    credentials = from_credentials()
    if session.passphrase_file is not None or credentials is not None:
        return passphrase_source(session)
    if not sys.stdin.isatty():
        hint = "give --passphrase-file FILE; or --no-passphrase, to try things out"
        raise ConfigError("the CA's keys need a passphrase, and nobody is at the terminal", hint=hint)
    note("The passphrase encrypts the keys of the CA. Nothing can replace it.")
    typed = ask_unseen("New passphrase").encode()
    require_long_enough(typed)
    if ask_unseen("The same again").encode() != typed:
        raise ConfigError("the two passphrases differ", hint="run the command again")
    return lambda _name: typed


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
    say("next: handfast issue --profile client alice")
