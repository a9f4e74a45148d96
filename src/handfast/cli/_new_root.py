"""`issuer new-root`: a root that takes the place of another one."""

from pathlib import Path

import click
from cryptography import x509

from handfast.cli._adopting import MADE_HERE, new_ca_options
from handfast.cli._authority import opened_parts, passphrase_of_new
from handfast.cli._options import directory_options, json_option
from handfast.cli._output import note, print_fields, print_json, say
from handfast.errors import ConfigError
from handfast.pki.keys import KeyKind
from handfast.pki.lifetime import parse_lifetime
from handfast.pki.pem import to_pem
from handfast.pki.serial import serial_text
from handfast.server.assembly import Parts, assemble
from handfast.server.founding import Plan
from handfast.server.layout import CERTIFICATES, CROSSES, publish_crl, write_certificates
from handfast.server.root_update import RootUpdate, add_new_root, root_to_replace


@click.command("new-root")
@click.argument("issuer")
@click.option("--replaces", metavar="ROOT", help="The root whose place it takes [the one above the default CA].")
@click.option("--alone", is_flag=True, help="Make no cross certificates: the other root's key is not here.")
@new_ca_options("What the root is called: NAME Root CA ISSUER.", "20y")
@directory_options(MADE_HERE)
@json_option
def new_root(  # one parameter is one option
    issuer: str,
    replaces: str | None,
    alone: bool,
    name: str,
    subject: str,
    key_kind: str,
    lifetime: str | None,
    no_passphrase: bool,
    as_json: bool,
) -> None:
    """Make a new root beside the old one, whose key must be there.

    Each signs a certificate for the other: whoever trusts one of them accepts what is below either. Issuing CAs stay
    where they are; new ones are made below the new root.
    """
    if alone and replaces:
        raise ConfigError("--alone makes no cross certificates, and --replaces does", hint="give one of them")
    plan = Plan(
        name=name,
        subject=subject,
        key_kind=KeyKind(key_kind),
        root_lifetime=parse_lifetime(lifetime) if lifetime else None,
    )
    parts = opened_parts(passphrase_of_new(issuer, none=no_passphrase))
    old = None if alone else root_to_replace(assemble(parts), replaces)
    made = add_new_root(parts, plan, name=issuer, replaces=old)
    _publish(parts, issuer)
    if as_json:
        print_json(_described(made, parts.directory))
    else:
        _tell(made, parts.directory)


def _publish(parts: Parts, issuer: str) -> None:
    authority = assemble(parts)
    write_certificates(parts.directory, authority)
    publish_crl(parts.directory, authority, issuer)


def _tell(made: RootUpdate, directory: Path) -> None:
    root, folder = made.root, directory / CERTIFICATES
    say(f"made the root {root.name}, valid until {root.certificate.not_valid_after_utc:%Y-%m-%d}")
    fields: list[tuple[str, object]] = [("to be trusted", folder / f"{root.name}.pem")]
    if made.crosses is not None:
        fields.append(("cross certificates", folder / CROSSES))
        fields += [(label, _of_cross(one)) for label, one in _crosses(made)]
    print_fields(fields)
    if made.crosses is None:
        note("it stands alone: who trusts another root only accepts nothing below it")
    say(f"next: let everybody trust it; then: handfast issuer new NAME --below {root.name}")


def _of_cross(cross: x509.Certificate) -> str:
    return f"serial {serial_text(cross.serial_number)}, until {cross.not_valid_after_utc:%Y-%m-%d}"


def _crosses(made: RootUpdate) -> list[tuple[str, x509.Certificate]]:
    if made.crosses is None:
        return []
    return [("NewWithOld", made.crosses.new_with_old), ("OldWithNew", made.crosses.old_with_new)]


def _described(made: RootUpdate, directory: Path) -> dict[str, object]:
    root = made.root
    return {
        "issuer": root.name,
        "subject": root.certificate.subject.rfc4514_string(),
        "not_after": f"{root.certificate.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}",
        "file": str(directory / CERTIFICATES / f"{root.name}.pem"),
        "crosses": [
            {
                "kind": kind,
                "serial": serial_text(one.serial_number),
                "not_after": f"{one.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}",
                "pem": to_pem(one),
            }
            for kind, one in _crosses(made)
        ],
    }
