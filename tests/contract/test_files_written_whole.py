"""Files are there whole or not at all, and nothing else is left: not after an interruption either."""

import os
from pathlib import Path

import pytest

from handfast.errors import ConfigError
from handfast.keys.files import write_atomically


def test_a_file_is_written_whole_with_its_mode(tmp_path: Path) -> None:
    write_atomically(tmp_path / "key.pem", "secret")

    assert (tmp_path / "key.pem").read_text() == "secret"
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["key.pem"]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError])
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_an_interruption_leaves_what_was_there_and_no_other_file(
    interruption: type[BaseException], step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_atomically(tmp_path / "key.pem", "before")

    def interrupted(*_: object) -> None:
        raise interruption

    holder: object = os if step == "fsync" else Path
    monkeypatch.setattr(holder, step, interrupted)
    with pytest.raises((KeyboardInterrupt, ConfigError)):
        write_atomically(tmp_path / "key.pem", "after")
    monkeypatch.undo()

    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("key.pem", "before")]
