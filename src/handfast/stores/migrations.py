"""Numbered migrations in plain SQL, from version 1, for both databases."""

from functools import cache
from importlib import resources

_COMMENT = "--"


@cache
def migrations() -> tuple[tuple[int, tuple[str, ...]], ...]:
    """Each migration's number and statements, in order. `{id}` and `{blob}` are for the dialect to fill in."""
    folder = resources.files("handfast.stores") / "schema"
    files = sorted(file.name for file in folder.iterdir() if file.name.endswith(".sql"))
    return tuple((int(name.split("-")[0]), _statements((folder / name).read_text(encoding="utf-8"))) for name in files)


def latest() -> int:
    """The version of the schema that this handfast writes."""
    return migrations()[-1][0]


def _statements(text: str) -> tuple[str, ...]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith(_COMMENT)]
    return tuple(one.strip() for one in "\n".join(lines).split(";") if one.strip())
