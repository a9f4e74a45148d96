"""The CAs of the authority: list, make another, choose the default."""

import re
from pathlib import Path

import click

from handfast.cli._adopting import MADE_HERE, import_issuer, install_issuer, new_ca_options, request_issuer
from handfast.cli._authority import current_session, opened, opened_parts, passphrase_of_new
from handfast.cli._desk import LocalDesk, desk
from handfast.cli._new_root import new_root
from handfast.cli._options import desk_options, directory_options, examples, json_option
from handfast.cli._output import print_json, print_table, say
from handfast.client.desk import KnownIssuer, issuer_of
from handfast.errors import ConfigError
from handfast.keys.files import write_atomically
from handfast.pki.keys import KeyKind, describe_key
from handfast.pki.lifetime import parse_lifetime
from handfast.pki.serial import serial_text
from handfast.server.assembly import assemble
from handfast.server.founding import Plan, add_issuing
from handfast.server.layout import publish_crl, write_certificates
from handfast.server.settings import FILE, parse_settings

SECTION = "The authority"


@click.group(
    epilog=examples(
        "handfast issuer list",
        "handfast issuer new issuing-2027 --name Example",
        "handfast issuer new-root root-2040 --name Example",
        "handfast issuer default issuing-2027",
        "handfast issuer import old-ca --certificate chain.pem --private-key ca.key --crl last.crl",
        "handfast issuer request below --subject 'CN=Our CA,O=Example'",
        "handfast issuer install below signed.pem root.pem",
    )
)
def command() -> None:
    """The CAs of this authority: its root, and those that issue."""


@command.command("list")
@desk_options
@json_option
def list_issuers(as_json: bool) -> None:
    """List the CAs. The default one signs when nothing else is said."""
    described = [_described(one) for one in desk().known_issuers()]
    if as_json:
        print_json({"issuers": described})
        return
    rows = [
        (
            f"{one['name']}{' *' if one['default'] else ''}",
            one["role"],
            one["key"],
            str(one["not_after"])[:10],
            one["subject"],
        )
        for one in described
    ]
    print_table(("issuer (* default)", "role", "key", "until", "subject"), rows, whole=("until", "role"))


@command.command("new")
@click.argument("issuer")
@click.option("--below", metavar="CA", help="The CA above it [the newest root].")
@new_ca_options("What the CA is called: NAME Issuing CA ISSUER.", "10y")
@directory_options(MADE_HERE)
@json_option
def new_issuer(  # one parameter is one option
    issuer: str,
    below: str | None,
    name: str,
    subject: str,
    key_kind: str,
    lifetime: str | None,
    no_passphrase: bool,
    as_json: bool,
) -> None:
    """Make another issuing CA below a root, whose key must be there. It becomes the default."""
    directory = Path(current_session().directory)
    plan = Plan(
        name=name,
        subject=subject,
        key_kind=KeyKind(key_kind),
        issuing_lifetime=parse_lifetime(lifetime) if lifetime else None,
    )
    parts = opened_parts(passphrase_of_new(issuer, none=no_passphrase))
    add_issuing(parts, plan, name=issuer, parent=below)
    authority = assemble(parts)
    write_certificates(directory, authority)
    publish_crl(directory, authority, issuer)
    if as_json:
        print_json({"issuer": _described(issuer_of(LocalDesk(authority, directory), issuer))})
    else:
        say(f"made the CA {issuer}; it signs from now on; {directory / 'certificates' / 'chain.pem'} is its chain")


@command.command("default")
@click.argument("issuer")
@directory_options("run it where handfast.toml is; a service reads it when it starts")
@json_option
def choose_default(issuer: str, as_json: bool) -> None:
    """Let ISSUER sign when nothing else is said; this is written into handfast.toml."""
    authority = opened()
    authority.issuer(issuer)
    path = Path(current_session().directory) / FILE
    text, found = re.subn(
        r"^#?[ \t]*issuer[ \t]*=.*$",
        f'issuer = "{issuer}"',
        path.read_text(encoding="utf-8"),
        count=1,
        flags=re.MULTILINE,
    )
    if not found:
        text = f'issuer = "{issuer}"\n{text}'
    if parse_settings(text, str(path)).issuer != issuer:
        raise ConfigError(f"{path} is not as it is written first", hint=f'write issuer = "{issuer}" into it by hand')
    write_atomically(path, text)
    if as_json:
        print_json({"issuer": _described(issuer_of(LocalDesk(opened(), path.parent), issuer))})
    else:
        say(f"{issuer} signs from now on")


for other in (new_root, import_issuer, request_issuer, install_issuer):
    command.add_command(other)


def _described(issuer: KnownIssuer) -> dict[str, object]:
    return {
        "name": issuer.name,
        "role": issuer.role.value,
        "default": issuer.is_default,
        "subject": issuer.certificate.subject.rfc4514_string(),
        "key": describe_key(issuer.certificate.public_key()),
        "not_after": issuer.certificate.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "serial": serial_text(issuer.certificate.serial_number),
    }
