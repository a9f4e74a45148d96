"""The file of a backup: a tar with a manifest of checksums, there whole or not at all, and read with suspicion."""

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from handfast.errors import ConfigError, Conflict, Malformed
from handfast.keys.files import PRIVATE, sync

FORMAT = "handfast-backup"
VERSION = 1
MANIFEST = "manifest.json"
DATABASE = "ca.sqlite"
_MOST_MANIFEST = 16 * 1024 * 1024
_PIECE = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup says of itself. files: name -> SHA-256 in hex. journal: stream -> segment and offset.

    directory: where the authority was. numbers: the last CRL number of each CA.
    """

    created_at: str
    directory: str
    journal_directory: str
    journal: Mapping[str, tuple[int, int]]
    issuers: tuple[str, ...]
    numbers: Mapping[str, int]
    has_keys: bool
    files: Mapping[str, str]

    def to_json(self) -> bytes:
        """The text of manifest.json."""
        return json.dumps({"format": FORMAT, "version": VERSION, **asdict(self)}, indent=1).encode() + b"\n"


@contextmanager
def new_archive(target: Path, folder: Path) -> Iterator["Writer"]:
    """A backup that appears as `target`, durable and verified. Raises Conflict for one that exists.

    folder: where it is made, in the same file system, until then.
    """
    temporary = folder / "new.tar"
    try:
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE)
        with os.fdopen(descriptor, "wb") as stream, tarfile.open(fileobj=stream, mode="w") as tar:
            writer = Writer(tar, {})
            yield writer
            tar.close()
            stream.flush()
            os.fsync(stream.fileno())
        with opened(temporary) as archive:
            archive.verify()
        os.link(temporary, target)
        sync(target.parent)
    except FileExistsError:
        raise Conflict(
            f"{target} exists already", hint="give another name, or a directory for a name of its own"
        ) from None
    except OSError as error:
        msg = f"{target} cannot be written: {error.strerror}"
        raise ConfigError(msg, hint="choose a directory that you may write, with space left on it") from None


@dataclass(frozen=True, slots=True)
class Writer:
    """An archive that is being written. sums: of what is in it by now."""

    tar: tarfile.TarFile
    sums: dict[str, str]

    def add(self, name: str, data: bytes) -> None:
        """Put these bytes into it under this name."""
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(data), PRIVATE
        self.tar.addfile(entry, io.BytesIO(data))
        self.sums[name] = hashlib.sha256(data).hexdigest()

    def add_file(self, name: str, path: Path) -> None:
        """Put a file into it, which does not change meanwhile."""
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = path.stat().st_size, PRIVATE
        with path.open("rb") as stream:
            self.sums[name] = hashlib.file_digest(stream, "sha256").hexdigest()
            stream.seek(0)
            self.tar.addfile(entry, stream)


@dataclass(frozen=True, slots=True)
class Archive:
    """A backup that is open for reading."""

    source: str
    tar: tarfile.TarFile
    manifest: Manifest

    def verify(self) -> None:
        """Raise Malformed, naming the first file that is not there or not as it went in, or that nobody mentioned."""
        found = {}
        for member in self.tar:
            if not member.isfile() or not _is_plain(member.name) or member.name in found:
                raise self._damaged(member.name)
            found[member.name] = self._sum(member)
        found.pop(MANIFEST)
        for name in sorted({*found, *self.manifest.files}):
            if found.get(name) != self.manifest.files.get(name):
                raise self._damaged(name)

    def extract(self, directory: Path) -> None:
        """Write every file but the manifest below the directory, durable. Call verify() before."""
        for name in self.manifest.files:
            path = directory / name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            member = self.tar.extractfile(name)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE)
            with os.fdopen(descriptor, "wb") as stream:
                while member is not None and (piece := member.read(_PIECE)):
                    stream.write(piece)
                stream.flush()
                os.fsync(descriptor)
            sync(path.parent)

    def _sum(self, member: tarfile.TarInfo) -> str:
        digest, stream = hashlib.sha256(), self.tar.extractfile(member)
        while stream is not None and (piece := stream.read(_PIECE)):
            digest.update(piece)
        return digest.hexdigest()

    def _damaged(self, name: str) -> Malformed:
        return Malformed(f"{self.source} is damaged: {name!r} is not as it was backed up", hint="take another backup")


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """The backup in this file. Does not verify its files. Raises Malformed for what is none, ConfigError."""
    try:
        with tarfile.open(path, "r:") as tar:
            yield Archive(str(path), tar, _manifest(tar, str(path)))
    except tarfile.TarError as error:
        raise Malformed(f"{path} is no whole backup: {error}", hint="take another backup") from None
    except FileNotFoundError:
        raise ConfigError(f"{path} is not there", hint="check the path of the backup") from None
    except EOFError:
        raise Malformed(f"{path} is cut off", hint="take another backup") from None


def _manifest(tar: tarfile.TarFile, source: str) -> Manifest:
    try:
        member = tar.getmember(MANIFEST)
        stream = tar.extractfile(member)
        return _read(json.loads(stream.read(_MOST_MANIFEST) if stream is not None else b""), source)
    except (KeyError, ValueError, TypeError, AttributeError):
        raise Malformed(f"{source} is no backup of handfast", hint="give a file that `handfast backup` wrote") from None


def _read(content: dict[str, Any], source: str) -> Manifest:
    if content["format"] != FORMAT:
        raise ValueError
    if content["version"] != VERSION:
        msg = f"{source} is a backup of version {content['version']}; this handfast knows {VERSION}"
        raise ConfigError(msg, hint="upgrade handfast: pip install --upgrade handfast")
    fields = {name: content[name] for name in Manifest.__dataclass_fields__}
    fields["journal"] = {str(name): (int(one[0]), int(one[1])) for name, one in fields["journal"].items()}
    fields["issuers"] = tuple(fields["issuers"])
    return Manifest(**fields)


def _is_plain(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in name
