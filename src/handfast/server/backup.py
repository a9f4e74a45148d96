"""Back up an authority while it runs: everything as it was at one moment, in one file."""

from dataclasses import dataclass
from pathlib import Path

from handfast.errors import ConfigError
from handfast.keys.files import private_folder, read_private
from handfast.server.archive import DATABASE, MANIFEST, Manifest, Writer, new_archive
from handfast.server.assembly import Parts, located
from handfast.server.journal import position
from handfast.server.layout import CERTIFICATES, KEYS
from handfast.server.settings import FILE
from handfast.stores.copying import require_sound


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What went into a backup. plain_keys: the keys in it that are not encrypted."""

    path: Path
    size: int
    files: int
    keys: tuple[str, ...]
    plain_keys: tuple[str, ...]


def back_up(parts: Parts, target: Path, *, with_keys: bool = True) -> BackupReport:
    """Write a backup to a new file, or into a directory under a name of its own.

    It is verified before it gets its name. Raises Conflict for a file that exists, ConfigError, Unavailable.
    """
    now = parts.clock()
    if target.is_dir():
        target = target / f"handfast-{now:%Y%m%dT%H%M%SZ}.tar"
    if not target.parent.is_dir():
        raise ConfigError(f"{target.parent} is no directory", hint="make it, or choose another place")
    # Before the copy: whatever the journal tells of until here was committed, so it is in the copy.
    since = position(parts.directory / parts.settings.journal.directory)
    keys = _key_files(parts) if with_keys else {}
    with private_folder(target.parent, "backup") as folder, new_archive(target, folder) as writer:
        copy = folder / DATABASE
        parts.store.copy_to(str(copy))
        require_sound(copy)
        writer.add_file(DATABASE, copy)
        writer.add(FILE, (parts.directory / FILE).read_bytes())
        for path in sorted((parts.directory / CERTIFICATES).glob("*")):
            writer.add(f"{CERTIFICATES}/{path.name}", path.read_bytes())
        for path in keys.values():
            writer.add(f"{KEYS}/{path.name}", read_private(path))
        writer.add(MANIFEST, _manifest(parts, writer, since, keys).to_json())
    parts.store.append(parts.record("authority.backed-up", file=str(target), keys=",".join(keys)))
    plain = tuple(name for name in keys if not parts.keys.is_encrypted(name))
    return BackupReport(target, target.stat().st_size, len(writer.sums), tuple(keys), plain)


def _key_files(parts: Parts) -> dict[str, Path]:
    """The files of keys by their names; none when the keys are in no files."""
    kind, _, place = parts.settings.keys.partition(":")
    if kind != "file":
        return {}
    folder = Path(located(parts.directory, place))
    return {name: folder / f"{name}.key" for name in parts.keys.names()}


def _manifest(parts: Parts, writer: Writer, since: dict[str, tuple[int, int]], keys: dict[str, Path]) -> Manifest:
    issuers = tuple(one.name for one in parts.store.issuers())
    crls = {name: crl for name in issuers if (crl := parts.store.last_crl(name)) is not None}
    return Manifest(
        created_at=parts.clock().isoformat(),
        directory=str(parts.directory.absolute()),
        journal_directory=str((parts.directory / parts.settings.journal.directory).absolute()),
        journal=since,
        issuers=issuers,
        numbers={name: crl.number for name, crl in crls.items()},
        has_keys=bool(keys),
        files=dict(writer.sums),
    )
