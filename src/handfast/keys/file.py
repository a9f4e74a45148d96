"""CA keys as files, NAME.key, encrypted under a passphrase or, knowingly, not."""

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key

from handfast.errors import ConfigError, Conflict, Malformed
from handfast.keys.files import make_directory, read_private, require_private, write_atomically
from handfast.keys.passphrase import PassphraseSource, require_long_enough
from handfast.keys.sealed import is_sealed, seal, unseal
from handfast.pki.keys import PrivateKey
from handfast.pki.pem import one_key, to_pem

_SUFFIX = ".key"


def open_keys(location: str, passphrase: PassphraseSource) -> "FileKeys":
    """The keys in this directory, which only its owner may enter. Raises ConfigError when others may."""
    directory = Path(location)
    if directory.is_dir():
        require_private(directory)
    return FileKeys(directory, passphrase)


@dataclass(frozen=True, slots=True)
class FileKeys:
    """A KeyStore (handfast.ca.ports): one file for each key, which may be moved away and back."""

    directory: Path
    passphrase: PassphraseSource

    def names(self) -> tuple[str, ...]:
        """The keys whose files are there, sorted."""
        return tuple(sorted(path.stem for path in self.directory.glob(f"*{_SUFFIX}")))

    def is_encrypted(self, name: str) -> bool:
        """True when the key's file is there and sealed."""
        path = self._path(name)
        return path.exists() and is_sealed(read_private(path))

    def load(self, name: str) -> PrivateKey:
        """The key. Raises ConfigError when it is away, open to others, damaged, or the passphrase is wrong."""
        path = self._path(name)
        if not path.exists():
            msg = f"this needs the key {name}, and {path} is not there"
            raise ConfigError(msg, hint=f"bring the file back to {path}, or restore it from a backup")
        data = read_private(path)
        if not is_sealed(data):
            return _plain(data, path)
        passphrase = self.passphrase(name)
        if passphrase is None:
            hint = "give it with --passphrase-file, or run the command at a terminal"
            raise ConfigError(f"the key {name} needs its passphrase", hint=hint)
        der = unseal(data, passphrase, name=name, source=str(path))
        return load_der_private_key(der, None)  # type: ignore[return-value]  # it was a PrivateKey when it was sealed

    def save(self, name: str, key: PrivateKey) -> bool:
        """Keep a new key, durably; True when it is encrypted. Raises Conflict when there is one of that name."""
        make_directory(self.directory)
        path = self._path(name)
        if path.exists():
            raise Conflict(f"there is a key {name} already: {path}", hint="choose another name")
        passphrase = self.passphrase(name)
        if passphrase is None:
            write_atomically(path, to_pem(key))
            return False
        require_long_enough(passphrase)
        der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        write_atomically(path, seal(der, passphrase, name=name))
        return True

    def _path(self, name: str) -> Path:
        return self.directory / f"{name}{_SUFFIX}"


def _plain(data: bytes, path: Path) -> PrivateKey:
    try:
        return one_key(data, source=str(path))
    except Malformed as malformed:
        raise ConfigError(malformed.message, hint=malformed.hint) from None
