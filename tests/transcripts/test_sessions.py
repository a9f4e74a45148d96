"""Sessions at the command line: what is typed, and what is printed. HANDFAST_REWRITE_GOLDEN=1 writes them anew."""

import os
import re
import shlex
from pathlib import Path

import pytest

from handfast.cli import run

FOLDER = Path(__file__).parent / "sessions"
SESSIONS = sorted(FOLDER.glob("*.txt"))
# What differs each time. Widths are kept where tables are aligned by them.
MASKS = (
    (re.compile(r"\b[0-9a-f]{64}\b"), "<sha256>"),
    (re.compile(r"\b(?:[0-9A-F]{2}:){31}[0-9A-F]{2}\b"), "<sha256>"),
    (re.compile(r"\b[0-9a-f]{36,40}\b"), "<serial>"),
    (re.compile(r"\b[0-9a-f]{16}\b"), "<16 digits>"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:Z| UTC)?"), "<time>"),
    (re.compile(r"\d{4}-\d\d-\d\d"), "<date>"),
    (re.compile(r"\b[A-Za-z2-9]{5}(?:-[A-Za-z2-9]{5}){3,}\b"), "<password>"),
)


def masked(text: str, folder: Path) -> str:
    text = text.replace(str(folder), "<here>")
    for pattern, mask in MASKS:
        text = pattern.sub(mask, text)
    # Columns are as wide as what was in them.
    return "\n".join(re.sub(r" {2,}", "  ", line).rstrip() for line in text.splitlines())


def played(commands: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    parts = []
    for command in commands:
        if command.startswith("write "):
            _, name, content = command.split(" ", 2)
            (folder / name).write_text(content.replace("\\n", "\n"))
            parts.append(f"$ {command}")
            continue
        status = run(shlex.split(command)[1:])
        captured = capsys.readouterr()
        # The terminal shows both; which came first is nobody's promise.
        shown = masked("\n".join(part.rstrip() for part in (captured.out, captured.err) if part.strip()), folder)
        parts.append("\n".join(filter(None, (f"$ {command}", shown, f"[status {status}]" if status else ""))))
    return "\n".join(parts) + "\n"


@pytest.mark.parametrize("session", SESSIONS, ids=lambda path: path.stem)
def test_a_session_goes_as_it_went(
    session: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HANDFAST_CA", raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("NO_COLOR", "1")
    expected = session.read_text(encoding="utf-8")
    commands = [line.removeprefix("$ ") for line in expected.splitlines() if line.startswith("$ ")]

    went = played(commands, tmp_path, capsys)

    if os.environ.get("HANDFAST_REWRITE_GOLDEN"):
        session.write_text(went, encoding="utf-8")
    assert went == expected or os.environ.get("HANDFAST_REWRITE_GOLDEN")


def test_there_are_sessions() -> None:
    assert SESSIONS
