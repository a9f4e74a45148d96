"""Who may ask the service for what: make, list and remove them."""

from pathlib import Path

import click

from handfast.ca.name_patterns import parse_pattern
from handfast.ca.policy import RequesterRole
from handfast.ca.requesters import CredentialKind, CredentialRecord, RequesterRecord
from handfast.cli._desk import desk
from handfast.cli._options import desk_options, examples, json_option
from handfast.cli._output import note, print_json, print_table, say
from handfast.cli._which import read_file
from handfast.client.desk import Proof
from handfast.errors import ConfigError
from handfast.pki import pem

SECTION = "The authority"
# Without --profile, an administrator and an officer may ask for every profile; nobody else for any.
_FREE = frozenset({RequesterRole.ADMINISTRATOR, RequesterRole.OFFICER})

certificate_option = click.option(
    "--certificate", metavar="FILE", help="A certificate of this authority, of which the requester has the key."
)
token_option = click.option("--token", is_flag=True, help="Make a long random secret, and show it once.")


@click.group(
    epilog=examples(
        "handfast requester add carol --role administrator --certificate issued/carol/cert.pem",
        "handfast requester add web-team --role requester --profile server --name '*.web.example.org' --token",
        "handfast requester credential carol --token",
        "handfast requester list",
        "handfast requester remove web-team",
    )
)
def command() -> None:
    """Who may ask the service for what, and how they prove who they are."""


@command.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice([role.value for role in RequesterRole]), required=True, metavar="ROLE",
              help="administrator, registration-officer, approver, auditor or requester.")  # fmt: skip
@certificate_option
@token_option
@click.option("--profile", "profiles", multiple=True, metavar="PROFILE", help="A profile that it may ask for.")
@click.option("--name", "patterns", multiple=True, metavar="PATTERN", help="Names that it may ask for: *.example.org")
@click.option("--any-name", is_flag=True, help="It may ask for every name that the profiles allow.")
@desk_options
@json_option
def add(
    name: str,
    role: str,
    certificate: str | None,
    token: bool,
    profiles: tuple[str, ...],
    patterns: tuple[str, ...],
    any_name: bool,
    as_json: bool,
) -> None:
    """Make a requester. It proves who it is by a certificate, by a secret, or by either."""
    authority = desk()
    kind = RequesterRole(role)
    _require_bounds(kind, profiles, patterns, any_name=any_name)
    is_free = kind in _FREE
    record = RequesterRecord(
        name=name,
        role=kind,
        profiles=None if is_free and not profiles else frozenset(profiles),
        patterns=None if any_name or (is_free and not patterns) else tuple(map(parse_pattern, patterns)),
        created_at=authority.clock(),
    )
    proof = _proof(certificate, token=token)
    secret = authority.add_requester(record, proof)
    _answer(f"made the {role} {name}", record.name, secret, as_json=as_json)


@command.command("credential")
@click.argument("name")
@certificate_option
@token_option
@desk_options
@json_option
def credential(name: str, certificate: str | None, token: bool, as_json: bool) -> None:
    """Let a requester prove who it is by this too. A certificate that it renews itself needs no more than that."""
    authority = desk()
    proof = _proof(certificate, token=token)
    secret = authority.add_credential(name, proof)
    _answer(f"{name} may prove who it is by this too", name, secret, as_json=as_json)


@command.command("list")
@desk_options
@json_option
def list_requesters(as_json: bool) -> None:
    """List the requesters: what they may ask for, and by what they prove who they are."""
    described = [_described(record, [*map(_label, proofs)]) for record, proofs in desk().requesters()]
    if as_json:
        print_json({"requesters": described})
    elif not described:
        say("there are no requesters: only the person at this machine may ask")
    else:
        shown = [(one["name"], one["role"], *(_cell(one[key]) for key in _LISTED)) for one in described]
        print_table(("requester", "role", *_LISTED), shown)


@command.command("remove")
@click.argument("name")
@desk_options
@json_option
def remove(name: str, as_json: bool) -> None:
    """Forget a requester and its credentials: its next request is refused. Its certificates stay valid."""
    desk().remove_requester(name)
    if as_json:
        print_json({"removed": name})
    else:
        say(f"removed {name}; to end its certificates too, revoke them")


_LISTED = ("profiles", "names", "credentials")


def _require_bounds(
    role: RequesterRole, profiles: tuple[str, ...], patterns: tuple[str, ...], *, any_name: bool
) -> None:
    if any_name and patterns:
        raise ConfigError("--name and --any-name contradict each other", hint="give one of them")
    if role is not RequesterRole.REQUESTER:
        return
    if not profiles:
        raise ConfigError("a requester without a profile may ask for nothing", hint="say --profile server")
    if not patterns and not any_name:
        hint = "say --name '*.web.example.org', or --any-name"
        raise ConfigError("a requester without names may ask for nothing", hint=hint)


def _proof(certificate: str | None, *, token: bool) -> Proof:
    found = None if certificate is None else pem.one_certificate(read_file(Path(certificate)), certificate)
    return Proof(found, token)


def _label(credential: CredentialRecord) -> str:
    is_certificate = credential.kind is CredentialKind.CERTIFICATE
    return f"certificate {credential.label}" if is_certificate else credential.label


def _answer(text: str, name: str, secret: str | None, *, as_json: bool) -> None:
    if as_json:
        print_json({"requester": name, "secret": secret})
        return
    if secret is None:
        say(text)
        return
    note(f"{text}; this secret is shown once:")
    say(secret)


def _described(record: RequesterRecord, proofs: list[str]) -> dict[str, object]:
    return {
        "name": record.name,
        "role": record.role.value,
        "profiles": None if record.profiles is None else sorted(record.profiles),
        "names": None if record.patterns is None else [str(pattern) for pattern in record.patterns],
        "credentials": proofs,
        "created_at": record.created_at,
    }


def _cell(value: object) -> str:
    if isinstance(value, list):
        return "\n".join(map(str, value)) or "-"
    return "all"
