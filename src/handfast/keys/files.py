"""Files that a crash leaves whole or absent: temporary file, fsync, rename, fsync of the directory."""

import fcntl
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from handfast.errors import ConfigError

PRIVATE = 0o600
PUBLIC = 0o644
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}\.new")


def write_atomically(
    path: Path, data: bytes | str | Sequence[bytes], *, mode: int = PRIVATE, sync_directory: bool = True
) -> None:
    """Put the data in the file, in place of what was there; whoever reads sees the old or the new, whole.

    data: also in pieces, one after the other. When it returns, the file survives a loss of power. sync_directory:
    False when the caller writes several files and calls sync() after the last. Raises ConfigError when the directory
    cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        try:
            pieces = [data.encode()] if isinstance(data, str) else [data] if isinstance(data, bytes) else data
            _write(temporary, pieces, mode)
            temporary.replace(path)
        finally:
            # After an interruption too: it may hold a private key. Once it is in place, there is none of this name.
            temporary.unlink(missing_ok=True)
        if sync_directory:
            sync(path.parent)
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror}"
        raise ConfigError(msg, hint="choose a directory that you may write, with space left on it") from None


def _write(temporary: Path, pieces: Sequence[bytes], mode: int) -> None:
    # O_EXCL: nobody else's file or link of that name is followed; the mode is there before the first byte.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        os.fchmod(descriptor, mode)
        for piece in pieces:
            position = 0
            while position < len(piece):
                position += os.write(descriptor, memoryview(piece)[position:])
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep(directory: Path) -> None:
    """Remove what a killed write_atomically() left in a directory that is there: it may hold a private key.

    Only for a directory in which nobody writes now.
    """
    for name in os.listdir(directory):  # noqa: PTH208  # Path objects for a million names cost seconds
        if _TEMPORARY.fullmatch(name):
            (directory / name).unlink(missing_ok=True)


@contextmanager
def private_folder(parent: Path, purpose: str) -> Iterator[Path]:
    """A folder in `parent` that only its owner may enter, for files that are not done; it goes when this ends.

    What a killed process of ours left there for the same purpose goes first: the lock on each folder ends with its
    process. purpose: a word, part of the folder's name. Raises ConfigError when the parent cannot be written.
    """
    prefix = f".handfast-{purpose}-"
    try:
        with alone_in(parent):
            _sweep_folders(parent, re.compile(re.escape(prefix) + "[0-9a-f]{16}"))
            folder = parent / (prefix + secrets.token_hex(8))
            folder.mkdir(mode=0o700)
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError as error:
        msg = f"the directory {parent} cannot be written: {error.strerror}"
        raise ConfigError(msg, hint="choose a directory that you may write, with space left on it") from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _sweep_folders(parent: Path, name: re.Pattern[str]) -> None:
    """Remove those that nobody holds; of other users none."""
    for folder in [one for one in parent.iterdir() if name.fullmatch(one.name)]:
        if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
            continue
        remove_unless_held(folder, os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))


def remove_unless_held(folder: Path, lock: int) -> None:
    """Remove what a killed process left; whoever is still at work holds the lock, which is an open file of its."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        return
    finally:
        os.close(lock)


@contextmanager
def alone_in(directory: Path) -> Iterator[None]:
    """Of all processes that ask for it, one at a time writes in the directory; the lock ends with its process."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def sync(directory: Path) -> None:
    """Make the names in a directory survive a loss of power."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directory(path: Path, *, mode: int = 0o700) -> Path:
    """The directory, made with its parents when it is not there; only its owner may enter. Raises ConfigError."""
    try:
        for missing in reversed([one for one in (path, *path.parents) if not one.exists()]):
            missing.mkdir(mode=mode, exist_ok=True)
            sync(missing.parent)
        if not path.is_dir():
            raise ConfigError(f"{path} is a file, where a directory is wanted", hint="choose another name")
    except OSError as error:
        msg = f"the directory {path} cannot be made: {error.strerror}"
        raise ConfigError(msg, hint="choose a place that you may write") from None
    return path


def require_private(path: Path, *, group_reads: bool = False) -> None:
    """Raise ConfigError, with the chmod to run, when others than the owner may read or write this file.

    group_reads: its group may read it, too.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}"
        raise ConfigError(msg, hint="check the path, and who owns the file") from None
    if mode & (0o037 if group_reads else 0o077):
        wanted = "700" if path.is_dir() else "440" if group_reads else "600"
        msg = f"{path} is open to others than its owner (mode {mode:o})"
        raise ConfigError(msg, hint=f"run: chmod {wanted} {path}")


def read_private(path: Path, *, group_reads: bool = False) -> bytes:
    """The contents of a file that only its owner may read, or its group with `group_reads`. Raises ConfigError."""
    require_private(path, group_reads=group_reads)
    return read_file(path)


def read_file(path: Path) -> bytes:
    """The contents of a file. Raises ConfigError."""
    try:
        return path.read_bytes()
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}"
        raise ConfigError(msg, hint="check the path, and who owns the file") from None
