"""A topic's figures: printed as a table, and kept in docs/benchmarks.md when asked."""

import os
import platform
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"


@dataclass(slots=True)
class Table:
    """One table of a topic: a title, a head, rows, and sentences below it."""

    title: str
    head: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, *cells: str) -> None:
        self.rows.append(cells)

    def plain(self) -> str:
        widths = [max(len(row[column]) for row in (self.head, *self.rows)) for column in range(len(self.head))]
        lines = [self.title, ""]
        for row in (self.head, *self.rows):
            first, *others = (
                cell.ljust(width) if not i else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            lines.append("  ".join((first, *others)).rstrip())
        return "\n".join([*lines, "", *self.notes])

    def markdown(self) -> str:
        lines = [f"### {self.title}", ""]
        lines.append("| " + " | ".join(self.head) + " |")
        lines.append("|---" + "|---:" * (len(self.head) - 1) + "|")
        lines += ["| " + " | ".join(row) + " |" for row in self.rows]
        return "\n".join([*lines, "", *self.notes])


def write(topic: str, summary: str, tables: list[Table]) -> None:
    """Replace the topic's section of the page, or add it."""
    begin, end = f"<!-- {topic} begins -->", f"<!-- {topic} ends -->"
    body = "\n\n".join([f"## {topic}", summary, *(table.markdown().rstrip() for table in tables), _circumstances()])
    section = f"{begin}\n{body}\n{end}"
    page = PAGE.read_text(encoding="utf-8")
    if begin in page:
        page = re.sub(re.escape(begin) + ".*?" + re.escape(end), lambda _: section, page, flags=re.DOTALL)
    else:
        page = page.rstrip() + "\n\n" + section + "\n"
    PAGE.write_text(page, encoding="utf-8")


def _circumstances() -> str:
    return (
        f"Measured {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end, "
        f"Python {platform.python_version()}, cryptography {version('cryptography')}."
    )
