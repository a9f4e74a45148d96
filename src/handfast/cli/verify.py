"""Verify a certificate and its chain, and explain every objection."""

import ipaddress
import os
import ssl
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import click
from cryptography import x509

from handfast.cli import _report
from handfast.cli._options import examples, json_option, no_authority
from handfast.cli._output import print_json, say, terminal_width
from handfast.cli._session import Session
from handfast.client.addresses import EgressPolicy, Network
from handfast.client.fetch import Fetcher
from handfast.client.inquiry import Case, Inquiry, inquire
from handfast.errors import ConfigError, Malformed
from handfast.pki import pem
from handfast.pki.names import parse_names
from handfast.validate import Level, Policy, TrustAnchor, purpose_named, trust
from handfast.validate.revocation import RevocationFacts, RevocationMode, RevocationPolicy, from_cryptography

SECTION = "Servers and clients"
HELP = "verify a certificate and its chain, and explain every reason against it"
_SYSTEM = "system"
_PRIVATE_ROOTS = Path("certificates") / "anchors.pem"


@click.command(
    name="verify",
    help=f"{HELP[0].upper()}{HELP[1:]}. The first certificate in FILE… is the one in question.",
    epilog=examples(
        "handfast verify issued/alice/fullchain.pem --purpose client",
        "handfast verify server.pem --anchors system --name www.example.org --ocsp",
    ),
)
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option(
    "--anchors",
    "anchor_files",
    multiple=True,
    metavar="FILE",
    help="Roots that are trusted; 'system' for the system's.",
)
@click.option(
    "--purpose", default="any", metavar="PURPOSE", help="client, server, email, document-signing, ocsp, any, or an OID."
)
@click.option(
    "--name", "names", multiple=True, metavar="NAME", help="A name that it must have: DNS, IP, e-mail or URI."
)
@click.option("--level", type=click.Choice([str(level) for level in Level]), default="strict", show_default=True)
@click.option("--at", metavar="TIME", help="The moment to verify for, as 2026-11-26 or 2026-11-26T12:00Z; default now.")
@click.option("--crl", "crl_files", multiple=True, metavar="FILE", help="CRLs to look it up in.")
@click.option("--ocsp", is_flag=True, help="Ask the OCSP responders and CRLs that the certificates name.")
@click.option(
    "--revocation",
    type=click.Choice([str(mode) for mode in RevocationMode]),
    help="What is asked of every certificate.",
)
@click.option("--offline", is_flag=True, help="Fetch nothing: the files and the cache only.")
@click.option(
    "--allow-network", "networks", multiple=True, metavar="CIDR", help="A network that is not public to fetch from."
)
@no_authority(
    "leave it out; the roots are given with --anchors FILE, and --ocsp asks the responders of the certificates"
)
@json_option
def command(  # one parameter is one option
    files: tuple[str, ...],
    anchor_files: tuple[str, ...],
    purpose: str,
    names: tuple[str, ...],
    level: str,
    at: str | None,
    crl_files: tuple[str, ...],
    ocsp: bool,
    revocation: str | None,
    offline: bool,
    networks: tuple[str, ...],
    as_json: bool,
) -> None:
    """The command itself; see its help."""
    leaf, *rest = [each for file in files for each in pem.certificates(_bytes(file), file)]
    asked = _revocation(revocation, is_evidence_given=bool(crl_files) or ocsp)
    policy = Policy(level=Level(level), purpose=purpose_named(purpose), names=parse_names(names), revocation=asked)
    case = Case(
        leaf, _anchors(anchor_files), policy, _moment(at), tuple(rest),
        RevocationFacts(crls=tuple(from_cryptography(crl, source=file) for file in crl_files for crl in _crls(file))),
    )  # fmt: skip
    fetcher = Fetcher(EgressPolicy(allowed=tuple(map(_network, networks))), _cache(), offline=offline)
    inquiry = inquire(case, fetcher)
    _print(inquiry, as_json=as_json)
    if not inquiry.report.is_acceptable:
        click.get_current_context().exit(1)


def _print(inquiry: Inquiry, *, as_json: bool) -> None:
    if as_json:
        print_json(_report.as_json(inquiry))
        return
    for line in _report.draw(inquiry, terminal_width()):
        say(line)


def _bytes(file: str) -> bytes:
    """The file's bytes, `-` for standard input. Raises ConfigError."""
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        hint = "look at the file's name and its mode"
        if isinstance(error, IsADirectoryError):
            hint = "give a file in it: fullchain.pem, or ca.pem for --anchors"
        raise ConfigError(f"{file} cannot be read: {reason}", hint=hint) from error


def _crls(file: str) -> tuple[x509.CertificateRevocationList, ...]:
    contents = pem.read_public(_bytes(file), source=file)
    if not contents.crls:
        raise Malformed(f"{file} holds {contents.describe()}, and no CRL", hint="give a CRL to --crl")
    return contents.crls


def _anchors(files: tuple[str, ...]) -> tuple[TrustAnchor, ...]:
    """Of the files that were given, else of the authority here; never of the chain itself."""
    if not files:
        roots = Path(click.get_current_context().ensure_object(Session).directory) / _PRIVATE_ROOTS
        if not roots.exists():
            hint = "give --anchors FILE with the roots that you trust, or --anchors system"
            raise ConfigError("which roots are trusted is not said, and there is no authority here", hint=hint)
        files = (str(roots),)
    return trust(each for file in files for each in _roots(file))


def _roots(file: str) -> Iterable[x509.Certificate]:
    if file != _SYSTEM:
        return pem.certificates(_bytes(file), file)
    paths = ssl.get_default_verify_paths()
    store = paths.cafile or paths.openssl_cafile
    if not Path(store).exists():
        raise ConfigError("the system has no file of trusted roots", hint="give the file to --anchors")
    return pem.certificates(_bytes(store), store)


def _revocation(mode: str | None, *, is_evidence_given: bool) -> RevocationPolicy:
    """Evidence without a mode: required of the certificate in question, preferred of the CAs above it."""
    if mode is not None:
        return RevocationPolicy(mode=RevocationMode(mode))
    if is_evidence_given:
        return RevocationPolicy(mode=RevocationMode.REQUIRE, leaf_only=True)
    return RevocationPolicy(mode=RevocationMode.NONE)


def _moment(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"'{text}' is no time", hint="write it as 2026-11-26 or 2026-11-26T12:00Z") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise ConfigError(f"'{text}' is no network", hint="write it as 10.0.0.0/8 or 192.0.2.1") from error


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "handfast"
