"""Numbered migrations in plain SQL, from version 1, for both databases."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

from handfast.errors import Unavailable
from handfast.stores import words
from handfast.stores.database import Transaction

_COMMENT = "--"
# What plain SQL cannot compute of the rows that are there.
_FILLS: Mapping[int, Callable[[Transaction, words.Progress], None]] = {9: words.fill}


@dataclass(frozen=True, slots=True)
class Migrating:
    """A store on its way from one version of the schema to another. place: which one, without a password.

    number: the migration that is at work. done, total: of the certificates, when it looks at each of them.
    """

    place: str
    since: int
    until: int
    number: int
    done: int = 0
    total: int = 0
    is_over: bool = False

    def words(self) -> str:
        """How far it is, for people."""
        done = f", {self.done:,} of {self.total:,} certificates" if self.total else ""
        return f"step {self.number} of {self.until}{done}"


# Told before the first migration, after each statement and each thousand certificates, and when all is on the disk.
Watch = Callable[[Migrating], None]


def unwatched(_: Migrating) -> None:
    """For those who wait for nothing."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a database spells in its own way: the words in braces, and what follows a migration's statements."""

    words: Mapping[str, str]
    triggers: Callable[[int], Iterable[str]]


@cache
def migrations() -> tuple[tuple[int, tuple[str, ...]], ...]:
    """Each migration's number and statements, in order. The words in braces are for the dialect to fill in."""
    folder = resources.files("handfast.stores") / "schema"
    files = sorted(file.name for file in folder.iterdir() if file.name.endswith(".sql"))
    return tuple((int(name.split("-")[0]), _statements((folder / name).read_text(encoding="utf-8"))) for name in files)


def latest() -> int:
    """The version of the schema that this handfast writes."""
    return migrations()[-1][0]


def begun(place: str, version: int) -> Migrating:
    """A store of this version, which is about to be brought up to date."""
    return Migrating(place, version, latest(), version + 1)


def watched(begun: Migrating, write: Callable[[Watch], None], watch: Watch) -> None:
    """Write, and tell the watch of the begin and the end. Whoever makes a new store waits for nothing, and is not told.

    Raises what `write` does; Unavailable says what to do when it is another process that is at work.
    """
    told = watch if begun.since else unwatched
    told(begun)
    try:
        write(told)
    except Unavailable as error:
        hint = f"if another process is bringing it up to date, wait until that is done; else {error.hint}"
        raise Unavailable(error.message, hint=hint) from None
    told(replace(begun, number=begun.until, is_over=True))


def bring_up(transaction: Transaction, dialect: Dialect, begun: Migrating, watch: Watch) -> None:
    """Run every migration after the version that the store has, in one transaction: all of them, or none."""
    for number in range(begun.number, begun.until + 1):
        at = replace(begun, number=number)
        for statement in script(number, dialect):
            transaction.rows(statement)
            watch(at)
        if number in _FILLS:
            _FILLS[number](transaction, lambda done, total, at=at: watch(replace(at, done=done, total=total)))  # type: ignore[misc]  # bound where it is made


def script(number: int, dialect: Dialect) -> Iterator[str]:
    """The statements of a migration in a dialect."""
    for statement in (*dict(migrations())[number], *dialect.triggers(number)):
        for word, meaning in dialect.words.items():
            statement = statement.replace(word, meaning)  # noqa: PLW2901  # each word in turn
        yield statement


def _statements(text: str) -> tuple[str, ...]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith(_COMMENT)]
    return tuple(one.strip() for one in "\n".join(lines).split(";") if one.strip())
