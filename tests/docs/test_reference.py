"""The reference pages are what the program says now."""

import pytest

from tests.docs.reference import FOLDER, pages


@pytest.mark.parametrize("name", ["commands.md", "settings.md", "errors.md"])
def test_a_reference_page_is_current(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert (FOLDER / name).read_text(encoding="utf-8") == pages()[name], "run scripts/write-reference"
