"""Issue a certificate with a new key: person, device or server."""

import click

from handfast.cli import _issued, _issuing, _waiting
from handfast.cli._desk import desk
from handfast.cli._options import desk_options, examples, json_option
from handfast.client.desk import Wish
from handfast.pki.csr import proof_of
from handfast.pki.keys import KeyKind

SECTION = "Certificates"


@click.command(
    epilog=examples(
        "handfast issue www.example.org www2.example.org 192.0.2.7",
        "handfast issue --profile client alice",
        "handfast issue --profile client 'Alice Example' email:alice@example.org",
        "handfast issue --profile device sensor-17 --key ed25519 --lifetime 2y",
        "handfast issue --profile peer node1.example.org --out /etc/node",
    )
)
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@_issuing.certificate_options
@_issuing.key_option
@desk_options
@json_option
def command(
    names: tuple[str, ...],
    profile: str | None,
    subject: str | None,
    lifetime: str | None,
    issuer: str | None,
    out: str | None,
    key_kind: str | None,
    as_json: bool,
) -> None:
    """Make a key and issue a certificate for it.

    The first NAME is what the certificate is called. Host names, addresses, e-mail addresses and URIs go into it as
    subject alternative names; write dns:, ip:, email: or uri: before one to say which it is.

    The key, the certificate and its chain are written into ./issued/NAME. Nothing there is overwritten.
    """
    authority = desk()
    kind = _issuing.profile_for(authority, profile, names)
    alternative = _issuing.names_for(kind, names)
    wanted = _issuing.subject_for(kind, subject, names, alternative)
    folder = _issued.folder_for(_issuing.label_for(wanted, alternative), out)
    _issued.require_free(folder)
    key = _waiting.key_for(folder, KeyKind(key_kind) if key_kind else None)
    wish = Wish(
        profile=kind.name,
        request=proof_of(key),
        subject=wanted,
        names=alternative,
        lifetime=_issuing.lifetime_of(lifetime),
        issuer=issuer,
    )
    issued = _waiting.require_issued(authority.issue(wish), folder, key, as_json=as_json)
    files = _issued.files_of(issued, key)
    _issued.write_new(folder, files)
    _waiting.forget(folder)
    _issuing.print_issued(issued, folder, list(files), as_json=as_json)
