"""What `issue`, `sign`, `renew` and `rekey` have in common: names, subjects, and the answer."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
from cryptography import x509
from cryptography.x509.oid import NameOID

from handfast.ca.order import Issued
from handfast.ca.records import CertificateRecord
from handfast.cli._issued import KEY
from handfast.cli._options import Function
from handfast.cli._output import finding_json, note, print_fields, print_findings, print_json, say
from handfast.cli._which import record_json
from handfast.client.desk import Desk, profile_of
from handfast.errors import ConfigError, Malformed
from handfast.pki.keys import KeyKind
from handfast.pki.lifetime import parse_lifetime
from handfast.pki.names import Name, NameKind, parse_name
from handfast.pki.profile import Profile
from handfast.pki.serial import serial_text
from handfast.pki.subject import parse_subject

MAXIMUM_COMMON_NAME = 64


def certificate_options(function: Function) -> Function:
    """The options that say what goes into a certificate, and where its files go."""
    options: tuple[Callable[[Any], Any], ...] = (
        click.option("--profile", "-p", metavar="PROFILE", help="server, client, device, peer ... [by the name]"),
        click.option("--subject", metavar="DN", help="The subject, as 'CN=Alice,O=Example' [the first name]."),
        click.option("--lifetime", metavar="TIME", help="90d, 12h, 1y ... [the profile's]"),
        click.option("--issuer", metavar="NAME", help="The CA of this authority that signs [the default one]."),
        click.option("--out", "-o", metavar="DIR", help="Where the files go [./issued/NAME]."),
    )
    for option in reversed(options):
        function = option(function)
    return function


key_option = click.option(
    "--key", "key_kind", type=click.Choice([kind.value for kind in KeyKind]), metavar="KIND",
    help="p256, p384, p521, ed25519, rsa2048, rsa3072, rsa4096, ml-dsa-44 ... [p256]",
)  # fmt: skip


def lifetime_of(text: str | None) -> timedelta | None:
    """The length of time that was asked for. Raises Malformed."""
    return parse_lifetime(text) if text is not None else None


def profile_for(authority: Desk, wanted: str | None, names: Sequence[str]) -> Profile:
    """The profile that was named, or the one that a host name, an address or a URI can only mean.

    Raises ConfigError for a word that may be a person, a device or a host.
    """
    if wanted is not None:
        return profile_of(authority, wanted)
    if _is_host(names[0]):
        return profile_of(authority, "server")
    hint = "say --profile client for a person, --profile device for a machine, --profile server for a host"
    raise ConfigError(f"{names[0]!r} does not say what the certificate is for", hint=hint)


def names_for(profile: Profile, texts: Sequence[str]) -> tuple[Name, ...]:
    """The subject alternative names among what was typed: a first word that is just somebody's name is none."""
    first, *others = texts
    names = [] if _is_a_word(profile, first) else [parse_name(first)]
    return tuple(dict.fromkeys([*names, *(parse_name(text) for text in others)]))


def subject_for(profile: Profile, subject: str | None, texts: Sequence[str], names: Sequence[Name]) -> x509.Name:
    """The subject that was asked for; else the first name as the common name, when it is not too long for one."""
    if subject is not None:
        return parse_subject(subject)
    common = texts[0].strip() if _is_a_word(profile, texts[0]) else names[0].value
    if len(common) > MAXIMUM_COMMON_NAME or "CN" not in profile.subject_attributes:
        return parse_subject("")
    return parse_subject(common) if "=" not in common else parse_subject(f'CN="{common}"')


def label_for(subject: x509.Name, names: Sequence[Name]) -> str:
    """What the certificate is called, as its record has it: the common name, else the first name."""
    common = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if common:
        return str(common[0].value)
    return names[0].value if names else "certificate"


def print_issued(issued: Issued, folder: Path, written: Sequence[str], *, as_json: bool) -> None:
    """The certificate that was made, and where its files are."""
    record = issued.record
    if as_json:
        print_json(issued_json(issued, folder, written))
        return
    print_findings(issued.findings)
    say(f"issued {record.label} ({record.profile}), valid until {record.not_after:%Y-%m-%d}")
    files = {"key": KEY, "certificate": "cert.pem", "with chain": "fullchain.pem", "CA": "ca.pem"}
    print_fields([(label, folder / name) for label, name in files.items() if name in written])
    print_fields([("serial", serial_text(record.serial))])
    if KEY in written:
        note(f"{folder / KEY} is not encrypted: only its owner may read it; keep it so")


def issued_json(issued: Issued, folder: Path, written: Sequence[str]) -> dict[str, object]:
    """What was issued as JSON has it; the keys are stable."""
    return {
        "certificate": record_json(issued.record, issued.record.created_at),
        "files": {name.removesuffix(".pem"): str(folder / name) for name in written},
        "findings": [finding_json(finding) for finding in issued.findings],
        "replaced": _replaced(issued.replaced, issued.record),
    }


def _replaced(old: CertificateRecord | None, new: CertificateRecord) -> dict[str, object] | None:
    return record_json(old, new.created_at) if old is not None else None


def _is_host(text: str) -> bool:
    try:
        name = parse_name(text)
    except Malformed:
        return "." in text or ":" in text
    prefixed = text.lower().startswith(("dns:", "ip:", "uri:"))
    return name.kind is not NameKind.EMAIL and (prefixed or "." in text or ":" in text or name.value == "localhost")


def _is_a_word(profile: Profile, text: str) -> bool:
    """True for `alice` and `Alice Example`, where the profile does not need a host name there."""
    return not any(mark in text for mark in ".:@/*") and NameKind.DNS not in profile.required_names
