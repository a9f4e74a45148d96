"""Show what is in any file of certificates, keys, requests or CRLs."""

import sys
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from handfast.cli import _describe
from handfast.cli._describe import Description
from handfast.cli._options import examples, json_option, no_authority
from handfast.cli._output import print_json, say, terminal_width
from handfast.errors import ConfigError, HandfastError
from handfast.pki import pem
from handfast.pki.keys import PrivateKey
from handfast.validate.revocation import load_response

SECTION = "Servers and clients"
HELP = "show what is in any file of certificates, keys, requests or CRLs, in plain words"


@click.command(
    name="inspect",
    help=f"{HELP[0].upper()}{HELP[1:]}. FILE is '-' for standard input.",
    epilog=examples("handfast inspect issued/alice/fullchain.pem", "handfast inspect alice.p12 --password-file pw.txt"),
)
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option("--password-file", metavar="FILE", help="The password of an encrypted key or PKCS#12 file.")
@no_authority("leave it out; `handfast show` shows what a service knows of a certificate")
@json_option
def command(files: tuple[str, ...], password_file: str | None, as_json: bool) -> None:
    """The command itself; see its help."""
    password = _bytes(password_file).strip(b"\r\n") if password_file else None
    now = datetime.now(UTC)
    found = [(file, list(_descriptions(_bytes(file), password, file, now))) for file in files]
    if as_json:
        values = [{"file": file, "contents": [each.as_json() for each in every]} for file, every in found]
        print_json(values)
        return
    width = terminal_width()
    for file, descriptions in found:
        for number, description in enumerate(descriptions, start=1):
            where = file if len(descriptions) == 1 else f"{file}, {number} of {len(descriptions)}"
            for line in _draw(description, where, width):
                say(line)


def _draw(description: Description, where: str, width: int) -> Iterator[str]:
    title = f"{description.title} ({where})"
    yield click.style(title, bold=True)
    column = max((len(label) for label, _ in description.rows), default=0) + 4
    for label, text in description.rows:
        lead = f"  {label:<{column - 2}}"
        yield from textwrap.wrap(text, width, initial_indent=lead, subsequent_indent=" " * column) or [lead.rstrip()]
    for remark in description.remarks:
        lines = textwrap.wrap(f"! {remark}", width, initial_indent="  ", subsequent_indent="    ")
        yield from (click.style(line, fg="yellow") for line in lines)
    yield ""


def _descriptions(data: bytes, password: bytes | None, source: str, now: datetime) -> Iterator[Description]:
    try:
        contents = pem.read(data, password=password, source=source)
    except HandfastError:
        response = _response(data, now)
        if response is None:
            raise
        yield response
        return
    for certificate in contents.certificates:
        yield _linked(_describe.certificate(certificate, now), certificate, contents)
    for key in contents.keys:
        yield _paired(key, contents)
    for public_key in contents.public_keys:
        yield _describe.public_key(public_key, "public key")
    yield from (_describe.request(request) for request in contents.requests)
    yield from (_describe.crl(crl, now) for crl in contents.crls)


def _response(data: bytes, now: datetime) -> Description | None:
    """The data as an OCSP response, if it is one: in DER, which says of nothing what it is."""
    try:
        return _describe.response(load_response(data), now)
    except HandfastError:
        return None


def _linked(description: Description, certificate: x509.Certificate, contents: pem.Contents) -> Description:
    """Says which of the others in the file issued it."""
    for number, other in enumerate(contents.certificates, start=1):
        if other != certificate and _is_issued_by(certificate, other):
            row = ("issued by", f"certificate {number} of this file")
            return Description(description.title, (*description.rows, row), description.remarks)
    return description


def _is_issued_by(certificate: x509.Certificate, other: x509.Certificate) -> bool:
    if certificate.issuer != other.subject:
        return False
    try:
        certificate.verify_directly_issued_by(other)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def _paired(key: PrivateKey, contents: pem.Contents) -> Description:
    """A private key, and which certificate of the file it belongs to."""
    description = _describe.public_key(key.public_key(), "private key")
    digest = _describe.spki_digest(key.public_key())
    for number, certificate in enumerate(contents.certificates, start=1):
        if _key_digest(certificate) == digest:
            row = ("belongs to", f"certificate {number} of this file")
            return Description(description.title, (*description.rows, row), description.remarks)
    if contents.certificates:
        remark = "no certificate of this file has this key"
        return Description(description.title, description.rows, (*description.remarks, remark))
    return description


def _key_digest(certificate: x509.Certificate) -> str | None:
    try:
        return _describe.spki_digest(certificate.public_key())
    except (ValueError, UnsupportedAlgorithm):
        return None


def _bytes(file: str) -> bytes:
    """The file's bytes, `-` for standard input. Raises ConfigError."""
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"{file} cannot be read: {reason}", hint="look at the file's name and its mode") from error
