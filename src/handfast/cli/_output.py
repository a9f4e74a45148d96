"""What people and programs see: lines, tables that fit the terminal, JSON, and errors with their hints."""

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import IO, Any

import click

from handfast.errors import HandfastError, RateLimited, Unacceptable, Unavailable
from handfast.findings import Finding, Severity

_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTICE: "cyan"}
STATE_COLOURS = {"valid": "green", "revoked": "red", "held": "yellow", "expired": "cyan"}
_OUR_COLOURS = re.compile(r"(\x1b\[(?:0|1|31|32|33|36)m)")


def say(text: str = "") -> None:
    """A line of the command's answer, on stdout."""
    click.echo(clean(text), color=_has_colour(sys.stdout))


def note(text: str) -> None:
    """A line about the work, on stderr: not part of the answer."""
    click.echo(clean(text), err=True, color=_has_colour(sys.stderr))


def print_json(value: object) -> None:
    """One JSON document on stdout. Times are RFC 3339 in UTC, lengths seconds, bytes and fingerprints hexadecimal."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))


def print_fields(fields: Iterable[tuple[str, object]]) -> None:
    """Lines of a label and a value, aligned; a value of several lines is indented, an empty one left out."""
    shown = [(label, str(value)) for label, value in fields if value not in {None, ""}]
    width = max((len(label) for label, _ in shown), default=0)
    for label, value in shown:
        first, *others = value.split("\n")
        say(f"{label:<{width}}  {first}")
        for other in others:
            say(f"{'':<{width}}  {other}")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, whole: Sequence[str] = ()) -> None:
    """A table as wide as the terminal, 80 columns elsewhere; cells that are too long go on in the next line.

    whole: columns that are never broken. On a terminal too narrow for a table, each row becomes lines.
    """
    listed = [[clean(str(cell)) for cell in row] for row in rows]
    width = terminal_width()
    if width < 12 * len(columns):
        _print_as_lines(columns, listed)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in whole)
    for row in listed:
        table.add_row(*(Text(cell, style=_rich_style(cell)) for cell in row))
    colour = _has_colour(sys.stdout)
    console = Console(width=width, force_terminal=colour, no_color=not colour, highlight=False)
    with console.capture() as capture:
        console.print(table)
    for line in capture.get().splitlines():
        click.echo(line.rstrip(), color=True)


def print_findings(findings: Iterable[Finding], stream: IO[str] | None = None) -> None:
    """Each finding with its way out; on stderr unless another stream is given."""
    target = stream or sys.stderr
    for finding in sorted(findings, key=lambda one: -one.severity.rank):
        word = click.style(f"{finding.severity}", fg=_COLOURS[finding.severity])
        lines = (f"  {word}: {finding.message} ({finding.code})", f"    fix: {finding.fix}")
        click.echo("\n".join(clean(line) for line in lines), file=target, color=_has_colour(target))


def print_failure(error: HandfastError, *, as_json: bool, kind: str | None = None) -> None:
    """The error and its hint on stderr; with as_json also an object on stdout that says the same."""
    if as_json:
        print_json({"error": {**_described(error), "kind": kind or kind_of(error)}})
    colour = _has_colour(sys.stderr)
    click.echo(click.style("error: ", fg="red", bold=True) + clean(error.message), err=True, color=colour)
    if isinstance(error, Unacceptable):
        print_findings(error.findings)
    click.echo(click.style("hint: ", fg="cyan") + clean(error.hint), err=True, color=colour)


def kind_of(error: HandfastError) -> str:
    """The word for an error's class in JSON: `not-found` for NotFound."""
    name = type(error).__name__
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("-")


def finding_json(finding: Finding) -> dict[str, str]:
    """A finding as JSON has it."""
    return {name: str(getattr(finding, name)) for name in ("code", "severity", "message", "fix", "reference")}


def ask(question: str, *, default: bool = False) -> bool:
    """A yes or no from whoever sits at the terminal; without one, the default."""
    if not is_interactive():
        return default
    return click.confirm(question, default=default, err=True)


def is_interactive() -> bool:
    """True when a person can see a question and answer it."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def terminal_width() -> int:
    """The columns there are: the terminal's, or what COLUMNS says, or 80."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdigit() and int(columns) > 0:
        return int(columns)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def clean(text: str) -> str:
    """The text without what a terminal would obey: certificates come from anybody. Colours of our own stay."""
    parts = _OUR_COLOURS.split(text)
    return "".join(part if number % 2 else _escaped(part) for number, part in enumerate(parts))


def state_word(state: str) -> str:
    """A certificate's state in its colour."""
    return click.style(state, fg=STATE_COLOURS.get(state))


def _escaped(text: str) -> str:
    return "".join(one if one.isprintable() or one in "\n\t" else f"\\x{ord(one):02x}" for one in text)


def _print_as_lines(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    for number, row in enumerate(rows):
        if number:
            say()
        print_fields(zip(columns, row, strict=True))


def _rich_style(cell: str) -> str:
    return STATE_COLOURS.get(cell, "")


def _has_colour(stream: IO[str]) -> bool:
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def _described(error: HandfastError) -> dict[str, object]:
    described: dict[str, object] = {"message": error.message, "hint": error.hint}
    if isinstance(error, Unacceptable):
        described["findings"] = [finding_json(finding) for finding in error.findings]
    if isinstance(error, RateLimited | Unavailable) and error.retry_after is not None:
        described["retry_after"] = error.retry_after
    return described


def _plain(value: object) -> object:
    for cls, plain in _PLAIN.items():
        if isinstance(value, cls):
            return plain(value)
    return str(value)


_PLAIN: Mapping[type, Callable[[Any], object]] = {
    datetime: lambda value: value.isoformat(timespec="seconds").replace("+00:00", "Z"),
    timedelta: lambda value: int(value.total_seconds()),
    bytes: lambda value: value.hex(),
    frozenset: sorted,
}
