"""The matrix for people's eyes: at most 80 columns, a mark on every row, the remedy under a weak one."""

import textwrap
from collections.abc import Sequence
from dataclasses import asdict

from handfast.prove.matrix import CLIENT, Row

_WHO, _EXPECTED, _OBSERVED, _TLS, _TIME = 24, 9, 29, 7, 4
_EXPECTATIONS = {CLIENT: "by client"}
GREEN, RED, YELLOW, PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[33m", "\x1b[0m"


def matrix_text(title: str, rows: Sequence[Row], *, coloured: bool = False) -> str:
    """A heading with the verdict, then one row each."""
    wrong = sum(not row.as_expected for row in rows)
    weak = sum(bool(row.note) for row in rows)
    verdict = f"{wrong} not as expected" if wrong else f"{len(rows)} of {len(rows)} as expected"
    colour = RED if wrong else YELLOW if weak else GREEN
    space = max(1, 79 - len(title) - len(verdict))
    head = f"{title}{' ' * space}{_in(colour, verdict, coloured)}"
    columns = _line(" ", ("who", "expected", "observed", "TLS", "ms"))
    return "\n".join([head, columns, *(line for row in rows for line in _row(row, coloured=coloured))]) + "\n"


def matrix_json(title: str, rows: Sequence[Row]) -> dict[str, object]:
    """The same as data."""
    return {
        "program": title,
        "as_expected": all(row.as_expected for row in rows),
        "rows": [asdict(row) for row in rows],
    }


def _in(colour: str, text: str, coloured: bool) -> str:
    return f"{colour}{text}{PLAIN}" if coloured else text


def _row(row: Row, *, coloured: bool) -> list[str]:
    mark, colour = ("✓", GREEN) if row.as_expected else ("✗", RED)
    if row.note:
        mark, colour = "!", YELLOW
    observed = textwrap.wrap(_observed(row), _OBSERVED) or [""]
    tls = row.tls.replace(" ", "+")
    expected = _EXPECTATIONS.get(row.expected, row.expected)
    first = _line(_in(colour, mark, coloured), (row.title, expected, observed[0], tls, f"{round(row.seconds * 1000)}"))
    indent = " " * (2 + _WHO + 1 + _EXPECTED + 1)
    rest = [indent + text for text in observed[1:]]
    note = textwrap.wrap(row.note, 74, initial_indent="    ", subsequent_indent="    ") if row.note else []
    return [first, *rest, *note]


def _line(mark: str, cells: tuple[str, str, str, str, str]) -> str:
    who, expected, observed, tls, took = cells
    return (
        f"{mark} {who:<{_WHO}} {expected:<{_EXPECTED}} {observed:<{_OBSERVED}} {tls:<{_TLS}} {took:>{_TIME}}".rstrip()
    )


def _observed(row: Row) -> str:
    words = row.observed.removeprefix("client: ") if row.expected == CLIENT else row.observed
    if row.expected == CLIENT:
        words = words.split(",", 1)[0]
    return f"{words}, {row.identity}" if row.identity else words
