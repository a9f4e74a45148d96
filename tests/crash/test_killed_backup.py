"""kill -9 in the middle of a backup: what it left beside its target goes with the next one, and no other."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from handfast.keys.files import private_folder
from tests.serving import PATIENCE, authority_in, eventually

HANDFAST = Path(sys.executable).with_name("handfast")


def command(ca: Path, target: Path) -> list[str]:
    return [str(one) for one in (HANDFAST, "backup", target, "--ca", ca)]


def folders(target: Path) -> list[Path]:
    return [one for one in target.iterdir() if one.is_dir()]


@contextmanager
def begun(ca: Path, target: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A backup in its midst: it has copied the database, and reads a certificate that does not end before this does."""
    pipe = ca / "certificates" / "zz.pem"
    os.mkfifo(pipe)
    with subprocess.Popen(command(ca, target), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as child:
        opened: list[int] = []

        def is_read() -> bool:
            with suppress(OSError):  # ENXIO: nobody reads yet
                opened.append(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
            return bool(opened)

        eventually(is_read, "the backup is under way")
        pipe.unlink()
        try:
            yield child
        finally:
            os.close(opened[0])
            child.wait(PATIENCE)


def test_what_a_killed_backup_left_goes_with_the_next_and_a_living_one_ends_well(tmp_path: Path) -> None:
    ca, target = tmp_path / "ca", tmp_path / "backups"
    authority_in(ca)
    target.mkdir()
    with begun(ca, target / "killed.tar") as killed:
        killed.kill()
    (left,) = folders(target)
    assert left.stat().st_mode & 0o777 == 0o700
    assert {"ca.sqlite", "new.tar"} <= {one.name for one in left.iterdir()}
    with begun(ca, target / "living.tar") as living:
        assert not left.exists(), "the second one swept it"
        (own,) = folders(target)
        subprocess.run(command(ca, target / "next.tar"), check=True, capture_output=True, timeout=PATIENCE)
        assert folders(target) == [own]
    assert living.returncode == 0
    assert sorted(one.name for one in target.iterdir()) == ["living.tar", "next.tar"]


def test_only_what_is_ours_by_its_name_is_swept(tmp_path: Path) -> None:
    others = [tmp_path / name for name in (".handfast-backup-0", ".handfast-other-0123456789abcdef", "data")]
    for one in others:
        one.mkdir()
    elsewhere = tmp_path / "data" / "keep"
    elsewhere.touch()
    (tmp_path / ".handfast-backup-0123456789abcdef").symlink_to(tmp_path / "data")
    with private_folder(tmp_path, "backup") as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()
    assert elsewhere.exists()
    assert all(one.is_dir() for one in others)
