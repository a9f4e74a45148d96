"""The reference pages, made from the program itself: every command's help, every setting, profile and error."""

import inspect
import os
from pathlib import Path

import click

from handfast import errors
from handfast.cli import _program, _status
from handfast.pki.lifetime import format_lifetime
from handfast.pki.profile import BUILT_IN
from handfast.server.settings import SETTINGS

FOLDER = Path(__file__).parent.parent.parent / "docs" / "reference"
_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 80, "terminal_width": 80}


def pages() -> dict[str, str]:
    """The text of each page by its file name."""
    return {"commands.md": commands(), "settings.md": settings(), "errors.md": error_classes()}


def commands() -> str:
    parts = ["# Commands\n"]
    for name in sorted(_program.built_in()):
        command = _program.load(name)
        parts.append(_help(f"handfast {name}", command))
        if isinstance(command, click.Group):
            parts += [_help(f"handfast {name} {one}", command.commands[one]) for one in sorted(command.commands)]
    return "\n".join(parts)


def _help(path: str, command: click.Command) -> str:
    context = click.Context(command, info_name=path, **_SETTINGS)  # type: ignore[arg-type]  # the settings are of several types
    text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    return f"## {path}\n\n```text\n{text}\n```\n"


def settings() -> str:
    lines = ["# Settings: handfast.toml\n", "| setting | kind | default | what it is |", "|---|---|---|---|"]
    lines += [f"| `{one.name}` | {one.kind} | `{one.default or 'none'}` | {one.help} |" for one in SETTINGS]
    lines += ["", "## Profiles that come with handfast", "", "| profile | lifetime | what it is |", "|---|---|---|"]
    lines += [f"| `{one.name}` | {format_lifetime(one.lifetime)} | {one.title} |" for one in BUILT_IN.values()]
    return "\n".join(lines) + "\n"


def error_classes() -> str:
    lines = ["# Errors and exit statuses\n", "| error | status | means |", "|---|---|---|"]
    for cls, status in _status.STATUS.items():
        lines.append(f"| {cls.__name__} | {status} | {(inspect.getdoc(cls) or '').splitlines()[0]} |")
    assert errors.HandfastError in _status.STATUS
    lines += ["", "| status | means |", "|---|---|"]
    lines += [f"| {status} | {meaning.replace('|', '&#124;')} |" for status, meaning in _status.MEANINGS.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    os.environ["COLUMNS"] = "80"
    FOLDER.mkdir(exist_ok=True)
    for file_name, content in pages().items():
        (FOLDER / file_name).write_text(content, encoding="utf-8")
