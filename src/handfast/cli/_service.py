"""The service that the options name: trusted by its root, and asked with a client certificate or a secret."""

from datetime import UTC, datetime
from pathlib import Path

from handfast.cli._exporting import password_in
from handfast.cli._issued import ANCHOR, FULL_CHAIN, KEY
from handfast.cli._session import Session
from handfast.cli._which import read_file
from handfast.client.api import Api, parse_address
from handfast.client.remote import RemoteDesk
from handfast.errors import ConfigError
from handfast.pki import pem
from handfast.pki.pem import to_pem
from handfast.tls.context import Identity, client_generation


def remote_desk(session: Session) -> RemoteDesk:
    """Nothing is asked yet. Raises ConfigError for options and files that cannot work, Malformed."""
    address = parse_address(session.server or "")
    identity = _identity(session)
    secret = password_in(session.secret_file)
    if identity is None and secret is None:
        hint = "give --client-certificate and --client-key, or --secret-file; or set HANDFAST_CLIENT_CERTIFICATE ..."
        raise ConfigError(f"nothing says who asks {address}", hint=hint)
    generation = client_generation(identity, roots=_roots(session))
    return RemoteDesk(Api(address, generation.context, secret), now=lambda: datetime.now(UTC))


def _identity(session: Session) -> Identity | None:
    """The chain, leaf first, and the key: in one file, in two, or in the folder that `handfast issue` wrote."""
    if session.client_certificate is None:
        if session.client_key is not None:
            raise ConfigError("--client-key has no certificate", hint="add --client-certificate FILE")
        return None
    path = _certificate_path(session.client_certificate)
    password = password_in(session.passphrase_file)
    secret = password.encode() if password is not None else None
    contents = pem.read(_read(path), password=secret, source=str(path))
    if not contents.certificates:
        raise ConfigError(f"{path} holds {contents.describe()}, and no certificate", hint="give the chain in PEM")
    chain = "".join(map(to_pem, contents.certificates))
    if session.client_key is None and len(contents.keys) == 1:
        return Identity(chain, to_pem(contents.keys[0]))
    key_path = Path(session.client_key) if session.client_key is not None else path.with_name(KEY)
    if not key_path.is_file():
        raise ConfigError(f"the client's key is not in {key_path}", hint="give it with --client-key FILE")
    return Identity(chain, to_pem(pem.one_key(_read(key_path), secret, str(key_path))))


def _roots(session: Session) -> str:
    """What the service is trusted by; nothing of the machine's own list, where anybody can have a certificate."""
    if session.server_ca is not None:
        path = Path(session.server_ca)
    elif session.client_certificate is not None:
        path = _certificate_path(session.client_certificate).with_name(ANCHOR)
    else:
        path = Path(ANCHOR)
    if not path.is_file():
        hint = "give the root of the service's authority with --server-ca FILE"
        raise ConfigError(f"there is no {path}: nothing says whom to trust", hint=hint)
    return "".join(map(to_pem, pem.certificates(_read(path), str(path))))


def _certificate_path(text: str) -> Path:
    path = Path(text)
    return path / FULL_CHAIN if path.is_dir() else path


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise ConfigError(f"there is no file {path}", hint="check the path")
    return read_file(path)
