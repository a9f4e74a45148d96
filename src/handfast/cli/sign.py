"""Sign a certificate request: the key stays with whoever made it."""

import sys
from pathlib import Path

import click
from cryptography import x509

from handfast.cli import _issued, _issuing, _waiting
from handfast.cli._desk import desk
from handfast.cli._options import desk_options, examples, json_option
from handfast.cli._output import ask, is_interactive, note
from handfast.cli._which import read_file
from handfast.client.desk import Wish
from handfast.errors import ConfigError, NotFound
from handfast.pki.csr import CertificateRequest, parse_request
from handfast.pki.keys import describe_key
from handfast.pki.names import Name, parse_names
from handfast.pki.subject import format_subject, parse_subject

SECTION = "Certificates"


@click.command(
    epilog=examples(
        "handfast sign request.pem --profile server www.example.org",
        "handfast sign request.pem --profile device --as-requested",
        "ssh gate cat request.pem | handfast sign - --profile client --subject CN=alice",
    )
)
@click.argument("request", metavar="FILE")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@_issuing.certificate_options
@click.option("--as-requested", is_flag=True, help="Grant the subject and the names that the request asks for.")
@desk_options
@json_option
def command(
    request: str,
    names: tuple[str, ...],
    profile: str | None,
    subject: str | None,
    lifetime: str | None,
    issuer: str | None,
    out: str | None,
    as_requested: bool,
    as_json: bool,
) -> None:
    """Sign the certificate request (PKCS#10) in FILE; '-' is standard input.

    What the request asks for is a wish. The certificate gets the NAMEs and the subject given here. With --as-requested
    it gets what the request asks for, where the profile allows it; on a terminal, that is shown and asked.
    """
    authority = desk()
    if profile is None:
        hint = "say --profile server, client, device, peer or email; `handfast profiles` lists them"
        raise ConfigError("a request does not say what its certificate is for", hint=hint)
    wished = parse_request(_data(request), source=request)
    granted_subject, granted_names = _granted(wished, subject, names, as_requested)
    folder = _issued.folder_for(_issuing.label_for(granted_subject, granted_names), out)
    _issued.require_free(folder)
    wish = Wish(
        profile=profile,
        request=wished,
        subject=granted_subject,
        names=granted_names,
        lifetime=_issuing.lifetime_of(lifetime),
        issuer=issuer,
    )
    issued = _waiting.require_issued(authority.issue(wish), folder, as_json=as_json)
    files = _issued.files_of(issued)
    _issued.write_new(folder, files)
    _issuing.print_issued(issued, folder, list(files), as_json=as_json)


def _data(request: str) -> bytes:
    if request == "-":
        return sys.stdin.buffer.read(1024 * 1024)
    if not Path(request).is_file():
        raise NotFound(f"there is no file {request}", hint="give the file that holds the certificate request")
    return read_file(Path(request))


def _granted(
    wished: CertificateRequest, subject: str | None, names: tuple[str, ...], as_requested: bool
) -> tuple[x509.Name, tuple[Name, ...]]:
    """The subject and names that the operator grants. Raises ConfigError when that was not said."""
    if subject is not None or names:
        given = parse_names(names)
        return parse_subject(subject if subject is not None else (given[0].value if given else "")), given
    if not as_requested:
        _show(wished)
        if not is_interactive():
            hint = "add the names, or --subject, or --as-requested to grant what it asks for"
            raise ConfigError("it was not said which names the certificate may have", hint=hint)
        if not ask("Grant this?"):
            raise click.exceptions.Exit(1)
    return wished.subject, wished.names


def _show(wished: CertificateRequest) -> None:
    note("the request asks for:")
    note(f"  subject  {format_subject(wished.subject) or '(none)'}")
    for name in wished.names:
        note(f"  name     {name}")
    note(f"  key      {describe_key(wished.public_key)}")
