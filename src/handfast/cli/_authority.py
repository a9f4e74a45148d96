"""Opening the authority that the options name, and who is asked for its passphrase."""

import getpass
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import click

from handfast.ca.authority import Authority
from handfast.cli._output import note
from handfast.cli._progress import progress_line
from handfast.cli._session import Session
from handfast.errors import ConfigError
from handfast.keys.passphrase import (
    PassphraseSource,
    first_of,
    from_credentials,
    from_file,
    from_prompt,
    no_passphrase,
    require_long_enough,
)
from handfast.server.assembly import Parts, assemble, open_parts, settings_text
from handfast.stores.migrations import Migrating, Watch


def opened() -> Authority:
    """The authority of this command line; it is closed when the command ends. Raises ConfigError, Unavailable."""
    return assemble(opened_parts())


def opened_parts(passphrase: PassphraseSource | None = None) -> Parts:
    """What the authority of this command line is put together from; it is closed when the command ends.

    passphrase: None for that of the options. Raises ConfigError, Unavailable.
    """
    session = current_session()
    source = passphrase or passphrase_source(session)
    with migration_shown() as watch:
        parts = open_parts(Path(session.directory), passphrase=source, watch=watch)
    click.get_current_context().call_on_close(parts.store.close)
    return parts


@contextmanager
def migration_shown() -> Iterator[Watch]:
    """Tells whoever waits at the terminal that a store is brought up to date, when that takes longer than a moment."""
    at_work: Migrating | None = None
    with progress_line(after=timedelta(seconds=1)) as report:

        def watch(at: Migrating) -> None:
            nonlocal at_work
            at_work = None if at.is_over else at
            report("updating the store", at.words())

        try:
            yield watch
        except KeyboardInterrupt:
            if at_work is not None:
                note(f"interrupted: the store {at_work.place} is as it was; the next command brings it up to date")
            raise


def current_session() -> Session:
    """What the shared options came to."""
    return click.get_current_context().ensure_object(Session)


def passphrase_source(session: Session, *, is_over: Callable[[], bool] = lambda: False) -> PassphraseSource:
    """The file that was named; else the service's credentials; else whoever is at the terminal, until it is over."""
    if session.passphrase_file is not None:
        path = Path(session.passphrase_file)
        if not path.is_file():
            hint = "give a file that holds the passphrase on its first line"
            raise ConfigError(f"the passphrase file {path} is not there", hint=hint)
        return from_file(path)
    return first_of(from_credentials(), from_prompt(ask_unseen, is_over=is_over) if sys.stdin.isatty() else None)


def ask_unseen(prompt: str) -> str:
    """What is typed at the terminal, without showing it."""
    return getpass.getpass(f"{prompt}: ")


def new_passphrase(*, none: bool) -> PassphraseSource:
    """Where the passphrase of new keys comes from; typed twice. Raises ConfigError when nobody can be asked."""
    session = current_session()
    if none:
        if session.passphrase_file is not None:
            raise ConfigError("--no-passphrase and --passphrase-file contradict each other", hint="give one of them")
        return no_passphrase
    credentials = from_credentials()
    if session.passphrase_file is not None or credentials is not None:
        return passphrase_source(session)
    if not sys.stdin.isatty():
        hint = "give --passphrase-file FILE; or --no-passphrase, to try things out"
        raise ConfigError("the CA's keys need a passphrase, and nobody is at the terminal", hint=hint)
    note("The passphrase encrypts the keys of the CA. Nothing can replace it.")
    typed = ask_unseen("New passphrase").encode()
    require_long_enough(typed)
    if ask_unseen("The same again").encode() != typed:
        raise ConfigError("the two passphrases differ", hint="run the command again")
    return lambda _name: typed


def passphrase_of_new(name: str, *, none: bool) -> PassphraseSource:
    """Where the passphrase of the new key of that name comes from, and those of the keys that are there already."""
    settings_text(Path(current_session().directory))  # nobody types a passphrase for an authority that is not there
    new, known = new_passphrase(none=none), passphrase_source(current_session())
    return lambda key: new(key) if key == name else known(key)
