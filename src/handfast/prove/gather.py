"""Gathers what a server is configured from: its certificate, the clients' CAs and their CRLs, from files."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

from handfast.errors import ConfigError
from handfast.pki import pem
from handfast.prove.deploy import Material
from handfast.prove.judge import read_roots, require_fit


@dataclass(frozen=True, slots=True)
class Sources:
    """Files; certificate and key belong to the server, the others to its clients. cas: root and issuing CAs."""

    certificate: Path
    key: Path
    cas: tuple[Path, ...]
    crls: tuple[Path, ...]


def sources_for(name: str, authority: Path, given: Sources) -> Sources:
    """The files that were named, and for the others those of the authority and of ./issued/NAME.

    A path of "." and an empty tuple mean: not named.
    """
    issued = Path("issued") / name.replace("*.", "wildcard.")
    unnamed = Path()
    certificates = authority / "certificates"
    own = tuple(path for path in sorted(certificates.glob("*.pem")) if path.name not in {"chain.pem", "crosses.pem"})
    return Sources(
        issued / "fullchain.pem" if given.certificate == unnamed else given.certificate,
        issued / "key.pem" if given.key == unnamed else given.key,
        given.cas or own,
        given.crls or (authority / "crl" / "crls.pem",),
    )


def gather(sources: Sources, names: Sequence[str], now: datetime, *, needs_crls: bool, needs_server: bool) -> Material:
    """Read and judge. Raises ConfigError for a missing file, Malformed or Unacceptable for what cannot be used."""
    if not sources.cas:
        hint = "name it with --client-ca FILE, or say where your authority is: --ca DIR (make one: handfast init)"
        raise ConfigError("no CA for the clients was given, and there is no authority here", hint=hint)
    chain = key = ""
    if needs_server:
        chain = text_of(sources.certificate, "issue one: handfast issue NAME, or name it with --certificate")
        key = text_of(sources.key, "name it with --key")
        require_fit(
            pem.certificates(chain.encode(), str(sources.certificate)),
            pem.one_key(key.encode(), None, str(sources.key)),
            names,
            now,
        )
    cas = [ca for path in sources.cas for ca in read_roots(text_of(path, "name another file"), str(path))]
    cas = sorted(dict.fromkeys(cas), key=lambda ca: not is_root(ca))
    roots = [ca for ca in cas if is_root(ca)]
    if not roots:
        raise ConfigError(
            "the clients' CAs hold no root, only CAs below one", hint="give the root certificate too: --client-ca ROOT"
        )
    crls = ""
    if needs_crls:
        hint = "publish them: handfast crl, or name them with --crl FILE"
        crls = "".join(text_of(path, hint) for path in sources.crls)
    return Material(chain, key, "".join(map(pem.to_pem, roots)), "".join(map(pem.to_pem, cas)), crls)


def is_root(certificate: x509.Certificate) -> bool:
    """Whether it is nobody's but its own."""
    return certificate.subject == certificate.issuer


def text_of(path: Path, hint: str) -> str:
    """A PEM file's text; DER becomes PEM. Raises ConfigError when it cannot be read."""
    try:
        data = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"{path} cannot be read: {reason}", hint=hint) from None
    if b"-----BEGIN" in data or not data.strip():
        return data.decode("utf-8", "replace")
    contents = pem.read(data, source=str(path))
    return "".join(pem.to_pem(one) for one in (*contents.certificates, *contents.keys, *contents.crls))
