"""CA keys as files: who may read them, which are refused, and that a crash leaves them whole or absent."""

import fcntl
import os
from pathlib import Path

import pytest

from handfast.errors import ConfigError, Conflict
from handfast.keys.file import FileKeys, open_keys
from handfast.keys.files import make_directory, read_private, remove_unless_held, write_atomically
from handfast.keys.generate import generate_key
from handfast.keys.passphrase import no_passphrase
from handfast.pki.keys import KeyKind

KEY = generate_key(KeyKind.P256)


def plain(tmp_path: Path) -> FileKeys:
    return open_keys(str(tmp_path / "keys"), no_passphrase)


def test_a_key_is_kept_and_loaded_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    keys = plain(tmp_path)
    assert keys.save("root", KEY) is False
    path = tmp_path / "keys" / "root.key"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert keys.names() == ("root",)
    assert not keys.is_encrypted("root")
    assert keys.load("root").public_key() == KEY.public_key()


def test_a_sealed_key_wants_the_right_passphrase_and_its_own_name(tmp_path: Path) -> None:
    place = str(tmp_path / "keys")
    assert open_keys(place, lambda name: b"correct horse").save("root", KEY) is True
    right, wrong = open_keys(place, lambda name: b"correct horse"), open_keys(place, lambda name: b"wrong horse")
    assert right.is_encrypted("root")
    assert right.load("root").public_key() == KEY.public_key()
    with pytest.raises(ConfigError, match="the passphrase does not open"):
        wrong.load("root")
    with pytest.raises(ConfigError, match="the key root needs its passphrase"):
        open_keys(place, no_passphrase).load("root")
    (tmp_path / "keys" / "root.key").rename(tmp_path / "keys" / "issuing.key")
    with pytest.raises(ConfigError, match="holds the key 'root', not 'issuing'"):
        right.load("issuing")


def test_a_short_passphrase_leaves_no_key(tmp_path: Path) -> None:
    keys = open_keys(str(tmp_path / "keys"), lambda name: b"short")
    with pytest.raises(ConfigError, match="5 characters"):
        keys.save("root", KEY)
    assert keys.names() == ()


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    keys = plain(tmp_path)
    keys.save("root", KEY)
    before = (tmp_path / "keys" / "root.key").read_bytes()
    with pytest.raises(Conflict, match="there is a key root already"):
        keys.save("root", generate_key(KeyKind.P256))
    assert (tmp_path / "keys" / "root.key").read_bytes() == before


def test_a_key_that_is_away_is_told_with_its_place(tmp_path: Path) -> None:
    keys = plain(tmp_path)
    with pytest.raises(ConfigError, match="this needs the key root") as caught:
        keys.load("root")
    assert str(tmp_path / "keys" / "root.key") in caught.value.hint
    assert not keys.is_encrypted("root")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    keys = plain(tmp_path)
    keys.save("root", KEY)
    path = tmp_path / "keys" / "root.key"
    path.chmod(mode)
    with pytest.raises(ConfigError, match="open to others") as caught:
        keys.load("root")
    assert caught.value.hint == f"run: chmod 600 {path}"


def test_a_directory_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    plain(tmp_path).save("root", KEY)
    (tmp_path / "keys").chmod(0o755)
    with pytest.raises(ConfigError, match="open to others") as caught:
        plain(tmp_path)
    assert caught.value.hint == f"run: chmod 700 {tmp_path / 'keys'}"


@pytest.mark.parametrize(
    "data", [b"", b"noise", b"{", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_a_damaged_key_is_refused(tmp_path: Path, data: bytes) -> None:
    keys = open_keys(str(tmp_path / "keys"), lambda name: b"correct horse")
    write_atomically(make_directory(tmp_path / "keys") / "root.key", data)
    with pytest.raises(ConfigError) as caught:
        keys.load("root")
    assert caught.value.hint


def test_a_directory_in_a_keys_place_is_refused(tmp_path: Path) -> None:
    make_directory(tmp_path / "keys" / "root.key")
    with pytest.raises(ConfigError, match="cannot be read"):
        plain(tmp_path).load("root")


def test_writing_replaces_the_whole_file_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "f"
    write_atomically(path, b"long before")
    write_atomically(path, "after", mode=0o644)
    assert (read_text(path), path.stat().st_mode & 0o777) == ("after", 0o644)
    assert [one.name for one in tmp_path.iterdir()] == ["f"]


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("theirs")
    (tmp_path / "f").symlink_to(tmp_path / "theirs")
    write_atomically(tmp_path / "f", "ours")
    assert (read_text(tmp_path / "theirs"), read_text(tmp_path / "f")) == ("theirs", "ours")


def test_what_cannot_be_written_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    for place in (tmp_path / "d", tmp_path / "absent" / "f"):
        with pytest.raises(ConfigError, match="cannot be written"):
            write_atomically(place, "x")
    assert [one.name for one in tmp_path.iterdir()] == ["d"]


def test_a_file_where_a_directory_is_wanted_is_told(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("")
    for place in (tmp_path / "f", tmp_path / "f" / "below"):
        with pytest.raises(ConfigError):
            make_directory(place)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_private(tmp_path / "absent")


def read_text(path: Path) -> str:
    return path.read_text()


def test_what_a_process_left_is_removed_and_what_one_is_still_at_stays(tmp_path: Path) -> None:
    folder = tmp_path / "left"
    (folder / "inside").mkdir(parents=True)
    held = os.open(folder, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    remove_unless_held(folder, os.open(folder, os.O_RDONLY))
    assert (folder / "inside").is_dir()
    os.close(held)
    remove_unless_held(folder, os.open(folder, os.O_RDONLY))
    assert not folder.exists()
