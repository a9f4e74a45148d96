"""`issuer import`, `issuer request`, `issuer install`, and `init` around a CA that was not made here."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
from cryptography import x509

from handfast.cli._authority import ask_unseen, current_session, new_passphrase, opened_parts
from handfast.cli._options import Function, directory_options, json_option
from handfast.cli._output import is_interactive, note, print_json, say
from handfast.cli._which import read_file
from handfast.errors import ConfigError, Malformed
from handfast.keys.passphrase import PassphraseSource, from_file
from handfast.pki.crl import parse_crl
from handfast.pki.keys import KeyKind, PrivateKey
from handfast.pki.pem import certificates as certificates_in
from handfast.pki.pem import one_key
from handfast.pki.subject import format_subject, parse_subject
from handfast.server.adopting import adopt, carry_on, install, request
from handfast.server.assembly import Parts, assemble, utc_now
from handfast.server.founding import ISSUING, Plan, build, publish
from handfast.server.layout import request_path

# A CA's key signs CAs that everybody trusts: it is made, brought and used at the machine, by whoever is there.
MADE_HERE = "run it at the machine of the authority: the keys of CAs are made and used there, never over the network"
_KINDS = click.Choice([kind.value for kind in KeyKind])


def new_ca_options(called: str, lifetime: str) -> Callable[[Function], Function]:
    """What a CA that is made shall be like: --name, --subject, --key, --lifetime, --no-passphrase."""
    options = (
        click.option("--name", default="Handfast", show_default=True, help=called),
        click.option("--subject", default="", metavar="DN", help="More of its name: O=Example,C=DE."),
        click.option("--key", "key_kind", type=_KINDS, default="p256", metavar="KIND",
                     help="p256, p384, ed25519, rsa3072 ... [p256]"),
        click.option("--lifetime", metavar="TIME", help=f"How long it lives [{lifetime}]."),
        click.option("--no-passphrase", is_flag=True, help="Keep its key unencrypted: for trying out."),
    )  # fmt: skip

    def decorate(function: Function) -> Function:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


@dataclass(frozen=True, slots=True)
class Brought:
    """A CA brought along; without a key it is still to be certified by somebody else."""

    certificates: tuple[x509.Certificate, ...] = ()
    key: PrivateKey | None = None


@click.command("import")
@click.argument("issuer")
@click.option("--certificate", "certificates", metavar="FILE", multiple=True, required=True,
              help="Its certificate and those above it, up to the root.")  # fmt: skip
@click.option("--private-key", metavar="FILE", required=True, help="Its private key.")
@click.option("--key-password-file", metavar="FILE", help="Read the password of that key from FILE.")
@click.option("--crl", metavar="FILE", help="Its last CRL: the next one goes on from there.")
@click.option("--no-passphrase", is_flag=True, help="Keep its key unencrypted: for trying out.")
@directory_options(MADE_HERE)
@json_option
def import_issuer(
    issuer: str,
    certificates: tuple[str, ...],
    private_key: str,
    key_password_file: str | None,
    crl: str | None,
    no_passphrase: bool,
    as_json: bool,
) -> None:
    """Bring an existing CA into this authority, as ISSUER. It becomes the default.

    Give its last CRL along: who was revoked stays revoked, and the CRL numbers go on rising.
    """
    key = _private_key(private_key, key_password_file)
    given = _certificates(certificates)
    last = parse_crl(Path(crl).read_bytes(), crl) if crl else None
    parts = _parts(new_passphrase(none=no_passphrase))
    imported = adopt(parts, issuer, given, key)
    revoked = carry_on(parts, imported, last) if last is not None else 0
    publish(parts)
    if as_json:
        print_json({"issuer": issuer, "subject": format_subject(imported.certificate.subject), "revoked": revoked})
        return
    say(f"brought {format_subject(imported.certificate.subject)} along as {issuer}; it signs from now on")
    if last is None:
        note("no CRL was given: what this CA revoked before is not known here, and its CRL starts at number 1")
    else:
        say(f"took over {revoked} revocations from CRL {crl}")
    note(f"{private_key} is not needed any more: delete it, or keep it off this machine")


@click.command("request")
@click.argument("issuer")
@click.option("--subject", required=True, metavar="DN", help="What the CA shall be called: CN=Our CA,O=Example.")
@click.option("--key", "key_kind", type=_KINDS, default="p256", metavar="KIND", help="p256, p384, rsa3072 ... [p256]")
@click.option("--no-passphrase", is_flag=True, help="Keep its key unencrypted: for trying out.")
@directory_options(MADE_HERE)
@json_option
def request_issuer(issuer: str, subject: str, key_kind: str, no_passphrase: bool, as_json: bool) -> None:
    """Make a key and a request for a CA below somebody else's."""
    parts = _parts(new_passphrase(none=no_passphrase))
    request(parts, issuer, parse_subject(subject), KeyKind(key_kind))
    _say_requested(parts.directory, issuer, as_json=as_json)


@click.command("install")
@click.argument("issuer")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@directory_options(MADE_HERE)
@json_option
def install_issuer(issuer: str, files: tuple[str, ...], as_json: bool) -> None:
    """Install the certificate that somebody else's CA made for a request.

    FILE... hold that certificate and those above it, up to the root, in any order.
    """
    given = _certificates(files)
    parts = _parts(new_passphrase(none=False) if current_session().passphrase_file else None)
    installed = install(parts, issuer, given)
    publish(parts)
    if as_json:
        print_json({"issuer": issuer, "subject": format_subject(installed.certificate.subject)})
    else:
        until = f"{installed.certificate.not_valid_after_utc:%Y-%m-%d}"
        say(f"{format_subject(installed.certificate.subject)} is in use as {issuer} until {until}")


def brought_along(certificates: tuple[str, ...], private_key: str | None, *, subordinate: bool) -> Brought:
    """What the options of `init` bring along. Raises ConfigError for options that do not go together."""
    if subordinate:
        if certificates or private_key:
            hint = "give --subordinate alone; install the certificate afterwards with handfast issuer install"
            raise ConfigError("--subordinate makes a new key, and a CA was given", hint=hint)
        return Brought()
    if not certificates or private_key is None:
        raise ConfigError("a CA is its certificate and its key", hint="give both --certificate and --private-key")
    return Brought(_certificates(certificates), _private_key(private_key, None))


def found(place: Path, plan: Plan, brought: Brought, *, passphrase: PassphraseSource, as_json: bool) -> None:
    """A new authority around this CA."""

    def bring(parts: Parts) -> None:
        if brought.key is None:
            request(parts, ISSUING, parse_subject(_subject(plan)), plan.key_kind)
        else:
            adopt(parts, ISSUING, brought.certificates, brought.key)
            publish(parts)

    authority = build(place, plan.settings, bring, passphrase=passphrase, clock=utc_now)
    authority.store.close()
    if brought.key is None:
        _say_requested(place, ISSUING, as_json=as_json)
    elif as_json:
        print_json({"directory": str(place), "issuers": list(authority.issuers)})
    else:
        say(f"made an authority in {place} around {format_subject(authority.issuer().certificate.subject)}")


def _say_requested(directory: Path, issuer: str, *, as_json: bool) -> None:
    path = request_path(directory, issuer)
    if as_json:
        print_json({"issuer": issuer, "request": str(path)})
        return
    say(f"wrote the request {path}")
    say(f"next: have it signed as a CA, then: handfast issuer install {issuer} FILE...")


def _parts(passphrase: PassphraseSource | None) -> Parts:
    parts = opened_parts(passphrase or _ask_for_key)
    assemble(parts)
    return parts


def _ask_for_key(name: str) -> bytes | None:
    return ask_unseen(f"Passphrase of the key {name}").encode() if is_interactive() else None


def _subject(plan: Plan) -> str:
    return f"CN={plan.name} Issuing CA,{plan.subject}" if plan.subject else f"CN={plan.name} Issuing CA"


def _certificates(files: tuple[str, ...]) -> tuple[x509.Certificate, ...]:
    return tuple(one for file in files for one in certificates_in(read_file(Path(file)), file))


def _private_key(file: str, password_file: str | None) -> PrivateKey:
    data = read_file(Path(file))
    if password_file is not None:
        return one_key(data, from_file(Path(password_file))("key"), file)
    try:
        return one_key(data, source=file)
    except Malformed:
        if not is_interactive() or b"ENCRYPTED" not in data:
            raise
        return one_key(data, ask_unseen(f"Password of {file}").encode(), file)
