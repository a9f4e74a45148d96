"""The files of an issued certificate: a directory with key, certificate, chain and CA, whole or not there."""

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from unicodedata import normalize

from cryptography import x509

from handfast.ca.order import Issued
from handfast.errors import Conflict
from handfast.keys.files import PRIVATE, PUBLIC, make_directory, sync, write_atomically
from handfast.pki.keys import PrivateKey
from handfast.pki.pem import to_pem

# File systems take 255 for a name.
_MOST_BYTES = 200
DIRECTORY = "issued"
KEY, CERTIFICATE, CHAIN, FULL_CHAIN, ANCHOR = "key.pem", "cert.pem", "chain.pem", "fullchain.pem", "ca.pem"


@dataclass(frozen=True, slots=True)
class File:
    """The contents of a file, and its mode."""

    text: str
    mode: int = PUBLIC


def files_of(issued: Issued, key: PrivateKey | None = None) -> dict[str, File]:
    """What goes into the directory, by file name. Without a key: what whoever has it already needs."""
    chain = pem_of(issued.chain)
    files = {KEY: File(to_pem(key), PRIVATE)} if key is not None else {}
    return files | {
        CERTIFICATE: File(to_pem(issued.certificate)),
        CHAIN: File(chain),
        FULL_CHAIN: File(to_pem(issued.certificate) + chain),
        ANCHOR: File(to_pem(issued.anchor)),
    }


def pem_of(certificates: tuple[x509.Certificate, ...]) -> str:
    """Several certificates in one text."""
    return "".join(to_pem(one) for one in certificates)


def folder_for(label: str, out: str | None) -> Path:
    """Where the files go: what was asked for, or ./issued/NAME."""
    return Path(out) if out is not None else Path(DIRECTORY) / folder_name(label)


def folder_name(label: str) -> str:
    """The label as a directory name that no shell and no file system stumbles over."""
    plain = re.sub(r"[^\w.@+-]", "_", normalize("NFC", label.replace("*.", "wildcard."))).lstrip(".-")
    return plain.encode("utf-8", "replace")[:_MOST_BYTES].decode("utf-8", "ignore") or "certificate"


def require_free(folder: Path) -> None:
    """Raise Conflict when something is there, before anything is issued."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        hint = "choose another place with --out; for a new certificate in the same place: handfast renew, or rekey"
        raise Conflict(f"{folder} exists already, and is not overwritten", hint=hint)


def write_new(folder: Path, files: Mapping[str, File]) -> None:
    """Make the directory with all of the files at once. Raises Conflict, ConfigError."""
    require_free(folder)
    make_directory(folder.parent)
    waiting = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(waiting, ignore_errors=True)
    _fill(make_directory(waiting), files)
    if folder.is_dir():
        folder.rmdir()
    waiting.rename(folder)
    sync(folder.parent)


def replace_all(folder: Path, files: Mapping[str, File], *, keep_as: str) -> Path:
    """Put a new key with its certificate in place of the old ones; where those are now."""
    old = folder.with_name(f"{folder.name}.{keep_as}")
    waiting = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(waiting, ignore_errors=True)
    _fill(make_directory(waiting), files)
    folder.rename(old)
    waiting.rename(folder)
    sync(folder.parent)
    return old


def replace_each(folder: Path, files: Mapping[str, File]) -> None:
    """Put new certificates beside a key that stays; the full chain, which servers read, comes last."""
    _fill(folder, files)


def holds(folder: Path, certificate: x509.Certificate | None) -> bool:
    """True when the directory's certificate is this one."""
    file = folder / CERTIFICATE
    return certificate is not None and file.is_file() and file.read_text(encoding="utf-8") == to_pem(certificate)


def _fill(folder: Path, files: Mapping[str, File]) -> None:
    for name, file in files.items():
        write_atomically(folder / name, file.text, mode=file.mode, sync_directory=False)
    sync(folder)
