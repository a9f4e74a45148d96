"""Where passphrases come from, and which files and credentials are refused."""

from pathlib import Path

import pytest

from handfast.errors import ConfigError
from handfast.keys.passphrase import (
    first_of,
    from_credentials,
    from_file,
    from_prompt,
    no_passphrase,
    require_long_enough,
)


def private(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("data", [b"correct horse", b"correct horse\n", b"correct horse\r\n", b"correct horse\nmore\n"])
def test_a_file_gives_its_first_line(tmp_path: Path, data: bytes) -> None:
    assert from_file(private(tmp_path / "p", data))("root") == b"correct horse"


def test_spaces_belong_to_the_passphrase(tmp_path: Path) -> None:
    assert from_file(private(tmp_path / "p", b" a b \n"))("root") == b" a b "


@pytest.mark.parametrize(("data", "told"), [(b"", "is empty"), (b"\nx", "is empty"), (b"x" * 1025, "no passphrase")])
def test_a_file_without_a_passphrase_is_refused(tmp_path: Path, data: bytes, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        from_file(private(tmp_path / "p", data))("root")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644, 0o666])
def test_a_file_that_others_may_use_is_refused_with_the_command_that_mends_it(tmp_path: Path, mode: int) -> None:
    path = private(tmp_path / "p", b"correct horse\n")
    path.chmod(mode)
    with pytest.raises(ConfigError, match="open to others") as caught:
        from_file(path)("root")
    assert caught.value.hint == f"run: chmod 600 {path}"


def test_a_file_is_read_only_when_a_key_needs_it(tmp_path: Path) -> None:
    source = from_file(tmp_path / "absent")
    with pytest.raises(ConfigError, match="cannot be read"):
        source("root")


def test_a_directory_is_no_passphrase_file(tmp_path: Path) -> None:
    place = tmp_path / "p"
    place.mkdir(mode=0o700)
    with pytest.raises(ConfigError, match="cannot be read"):
        from_file(place)("root")


def test_a_credential_of_the_keys_own_goes_before_that_of_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    private(tmp_path / "handfast-passphrase", b"of all\n")
    private(tmp_path / "handfast-passphrase-root", b"of root\n")
    source = from_credentials()
    assert source is not None
    assert (source("root"), source("issuing")) == (b"of root", b"of all")


def test_without_credentials_there_is_no_such_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert from_credentials() is None
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "absent"))
    assert from_credentials() is None
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    source = from_credentials()
    assert source is not None
    assert source("root") is None


def test_a_credential_may_be_readable_by_its_group_as_systemd_makes_it_and_by_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    path = private(tmp_path / "handfast-passphrase", b"of all\n")
    source = from_credentials()
    assert source is not None

    path.chmod(0o440)
    assert source("root") == b"of all"
    for mode in (0o444, 0o460):
        path.chmod(mode)
        with pytest.raises(ConfigError, match="open to others") as refused:
            source("root")
        assert refused.value.hint == f"run: chmod 440 {path}"


def test_whoever_is_at_the_terminal_is_asked_once_for_each_key() -> None:
    asked: list[str] = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return "grüße an alle" if "root" in prompt else ""

    source = from_prompt(ask)
    assert [source(name) for name in ("root", "root", "issuing")] == ["grüße an alle".encode()] * 2 + [None]
    assert asked == ["Passphrase of the key root", "Passphrase of the key issuing"]


def test_the_first_source_that_has_one_is_taken() -> None:
    assert first_of(None, no_passphrase, lambda name: name.encode(), lambda name: b"later")("root") == b"root"
    assert first_of(None, no_passphrase)("root") is None
    assert first_of()("root") is None


def test_a_short_passphrase_is_refused() -> None:
    require_long_enough(b"12345678")
    with pytest.raises(ConfigError, match="7 characters"):
        require_long_enough(b"1234567")
