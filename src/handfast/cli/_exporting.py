"""What `export` writes: PKCS#12 with its password, and everything else as text or DER."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import click
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from handfast.ca.records import CertificateRecord
from handfast.cli import _issued
from handfast.cli._output import note, print_json, say
from handfast.cli._which import read_file
from handfast.client.desk import Desk, issuer_of
from handfast.errors import ConfigError, Conflict, NotFound
from handfast.keys.files import PRIVATE, PUBLIC, write_atomically
from handfast.keys.generate import random_password
from handfast.pki import pem
from handfast.pki.keys import PrivateKey, key_identifier
from handfast.pki.pem import to_pem
from handfast.pki.pkcs12 import Flavour, build_pkcs12
from handfast.pki.serial import serial_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A PKCS#12 file to be: password None for a random one, which goes to password_path, or is printed."""

    record: CertificateRecord
    flavour: Flavour
    path: Path
    key: PrivateKey
    password: str | None
    password_path: Path | None


def put_bundle(authority: Desk, bundle: Bundle, *, as_json: bool) -> None:
    """Write the PKCS#12 file, and say its password once. Raises ConfigError for a key that is another's."""
    certificate = certificate_of(bundle.record)
    if key_identifier(bundle.key.public_key()) != bundle.record.key_id:
        hint = "give the key that the certificate was made for, with --key"
        raise ConfigError(f"the key does not belong to the certificate of {bundle.record.label}", hint=hint)
    password = bundle.password or random_password()
    data = build_pkcs12(
        bundle.key,
        certificate,
        _chain(authority, bundle.record),
        password=password.encode(),
        friendly_name=bundle.record.label,
        flavour=bundle.flavour,
    )
    write_atomically(bundle.path, data, mode=PRIVATE)
    shown = password if bundle.password is None and bundle.password_path is None else None
    if bundle.password is None and bundle.password_path is not None:
        write_atomically(bundle.password_path, password + "\n", mode=PRIVATE)
    if as_json:
        where = str(bundle.password_path) if bundle.password_path else None
        print_json({"file": str(bundle.path), "format": bundle.flavour, "password": shown, "password_file": where})
        return
    say(f"wrote {bundle.path}: the key, the certificate and the chain of {bundle.record.label}")
    if shown is not None:
        say(f"its password, which is not shown again: {shown}")
    elif bundle.password_path is not None:
        say(f"its password is in {bundle.password_path}")


def put(data: bytes, out: str | None, form: str, *, force: bool, as_json: bool) -> None:
    """Write the data into a file, or text to standard output."""
    path = free(out, force=force) if out is not None else None
    if path is not None:
        write_atomically(path, data, mode=PUBLIC)
    if as_json:
        print_json({"file": str(path) if path else None, "format": form, "pem": None if path else data.decode()})
    elif path is not None:
        note(f"wrote {path}")
    else:
        click.echo(data, nl=False)


def free(out: str, *, force: bool) -> Path:
    """The path, when nothing is there or may be overwritten. Raises Conflict, ConfigError."""
    path = Path(out)
    if path.is_dir():
        raise ConfigError(f"{out} is a directory", hint="give the name of a file in it")
    if path.exists() and not force:
        raise Conflict(f"{out} exists already, and is not overwritten", hint="choose another name, or add --force")
    return path


def key_for(record: CertificateRecord, file: str | None, password_file: str | None) -> PrivateKey:
    """The private key in that file, or where `issue` put it. Raises NotFound, Malformed."""
    path = Path(file) if file is not None else _issued.folder_for(record.label, None) / _issued.KEY
    if not path.is_file():
        hint = "give it with --key; a key that was made elsewhere is not here"
        raise NotFound(f"the private key of {record.label} is not in {path}", hint=hint)
    password = password_in(password_file)
    return pem.one_key(read_file(path), password.encode() if password else None, str(path))


def password_in(file: str | None) -> str | None:
    """The first line of a password file; None without one. Raises ConfigError."""
    if file is None:
        return None
    path = Path(file)
    if not path.is_file():
        raise ConfigError(f"there is no file {file}", hint="give a file with the password on its first line")
    try:
        line = read_file(path).split(b"\n", 1)[0].rstrip(b"\r").decode()
    except UnicodeDecodeError:
        raise ConfigError(f"the password in {file} is not UTF-8", hint="write it as text") from None
    if not line:
        raise ConfigError(f"{file} is empty", hint="put the password on its first line")
    return line


def certificate_of(record: CertificateRecord) -> x509.Certificate:
    """The certificate. Raises Conflict for one that was never finished."""
    certificate = record.x509()
    if certificate is None:
        raise Conflict(f"the certificate {serial_text(record.serial)} was never finished", hint="issue a new one")
    return certificate


def anchors(authority: Desk) -> bytes:
    """The roots of the authority, in PEM."""
    found = dict.fromkeys(issuer.anchor for issuer in authority.known_issuers())
    return _issued.pem_of(tuple(found)).encode()


def _chain(authority: Desk, record: CertificateRecord) -> tuple[x509.Certificate, ...]:
    return issuer_of(authority, record.issuer).presented_chain


def _pem(authority: Desk, record: CertificateRecord) -> bytes:
    return (to_pem(certificate_of(record)) + _issued.pem_of(_chain(authority, record))).encode()


FORMS: Mapping[str, Callable[[Desk, CertificateRecord], bytes]] = {
    "pem": _pem,
    "chain": lambda authority, record: _issued.pem_of(_chain(authority, record)).encode(),
    "der": lambda _authority, record: certificate_of(record).public_bytes(Encoding.DER),
    "public": lambda _authority, record: to_pem(certificate_of(record).public_key()).encode(),
}
