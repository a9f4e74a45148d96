"""Numbered migrations in plain SQL, from version 1, for both databases."""

from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources

from handfast.stores import words
from handfast.stores.database import Transaction

_COMMENT = "--"
# What plain SQL cannot compute of the rows that are there.
_FILLS: Mapping[int, Callable[[Transaction], None]] = {9: words.fill}


@cache
def migrations() -> tuple[tuple[int, tuple[str, ...]], ...]:
    """Each migration's number and statements, in order. The words in braces are for the dialect to fill in."""
    folder = resources.files("handfast.stores") / "schema"
    files = sorted(file.name for file in folder.iterdir() if file.name.endswith(".sql"))
    return tuple((int(name.split("-")[0]), _statements((folder / name).read_text(encoding="utf-8"))) for name in files)


def latest() -> int:
    """The version of the schema that this handfast writes."""
    return migrations()[-1][0]


def backfill(transaction: Transaction, number: int) -> None:
    """What a migration does after its statements."""
    if number in _FILLS:
        _FILLS[number](transaction)


def _statements(text: str) -> tuple[str, ...]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith(_COMMENT)]
    return tuple(one.strip() for one in "\n".join(lines).split(";") if one.strip())
