"""Export for browsers, phones and servers: PKCS#12, PEM, DER."""

import click

from handfast.ca.records import CertificateRecord
from handfast.cli import _exporting, _issued
from handfast.cli._desk import desk
from handfast.cli._options import desk_options, examples, json_option
from handfast.cli._which import find
from handfast.client.desk import Desk
from handfast.errors import ConfigError
from handfast.pki.pkcs12 import Flavour

SECTION = "Certificates"
_PKCS12 = {"p12": Flavour.MODERN, "p12-legacy": Flavour.LEGACY}
_FORMATS = (*_PKCS12, "pem", "chain", "der", "public", "anchors")


@click.command(
    epilog=examples(
        "handfast export alice",
        "handfast export alice --format p12-legacy --out alice.p12",
        "handfast export www.example.org --format pem > fullchain.pem",
        "handfast export --format anchors --out ca.pem",
    )
)
@click.argument("which", required=False, metavar="[CERTIFICATE]")
@click.option("--format", "form", type=click.Choice(_FORMATS), default="p12", metavar="FORMAT", show_default=True,
              help="What to write; see above.")  # fmt: skip
@click.option("--out", "-o", metavar="FILE", help="Where to [NAME.p12, NAME.der; text: standard output].")
@click.option("--key", "key_file", metavar="FILE", help="The private key [./issued/NAME/key.pem].")
@click.option("--key-password-file", metavar="FILE", help="The password of that key.")
@click.option("--password-file", metavar="FILE", help="The PKCS#12 password [a long random one].")
@click.option("--password-out", metavar="FILE", help="Write the random password there, instead of printing it.")
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@desk_options
@json_option
def command(
    which: str | None,
    form: str,
    out: str | None,
    key_file: str | None,
    key_password_file: str | None,
    password_file: str | None,
    password_out: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Write a certificate in the form that somebody's program wants.

    \b
    p12         key, certificate and chain: browsers, Windows, phones
    p12-legacy  the same, for old Apple and Windows versions
    pem         certificate and chain
    chain       the chain alone
    der         the certificate, binary
    public      its public key
    anchors     the roots that others have to trust; without CERTIFICATE

    CERTIFICATE is a serial, at least 8 digits of a fingerprint, a name or a file.
    """
    authority = desk()
    if form == "anchors":
        _exporting.put(_exporting.anchors(authority), out, form, force=force, as_json=as_json)
        return
    record = _record(authority, which, form)
    if form in _PKCS12:
        bundle = _exporting.Bundle(
            record=record,
            flavour=_PKCS12[form],
            path=_exporting.free(out or f"{_issued.folder_name(record.label)}.p12", force=force),
            key=_exporting.key_for(record, key_file, key_password_file),
            password=_exporting.password_in(password_file),
            password_path=_exporting.free(password_out, force=force) if password_out else None,
        )
        _exporting.put_bundle(authority, bundle, as_json=as_json)
        return
    default = f"{_issued.folder_name(record.label)}.der" if form == "der" else None
    _exporting.put(_exporting.FORMS[form](authority, record), out or default, form, force=force, as_json=as_json)


def _record(authority: Desk, which: str | None, form: str) -> CertificateRecord:
    if which is None:
        raise ConfigError(f"--format {form} needs a certificate", hint="name one; `handfast list` has all")
    return find(authority, which, alive=True)
