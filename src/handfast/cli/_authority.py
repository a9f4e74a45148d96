"""Opening the authority that the options name, and who is asked for its passphrase."""

import getpass
import sys
from pathlib import Path

import click

from handfast.ca.authority import Authority
from handfast.cli._session import Session
from handfast.errors import ConfigError
from handfast.keys.passphrase import PassphraseSource, first_of, from_credentials, from_file, from_prompt
from handfast.server.assembly import open_authority


def opened() -> Authority:
    """The authority of this command line; it is closed when the command ends. Raises ConfigError, Unavailable."""
    context = click.get_current_context()
    session = current_session()
    authority = open_authority(Path(session.directory), passphrase=passphrase_source(session))
    context.call_on_close(authority.store.close)
    return authority


def current_session() -> Session:
    """What the shared options came to."""
    return click.get_current_context().ensure_object(Session)


def passphrase_source(session: Session) -> PassphraseSource:
    """The file that was named; else the service's credentials; else whoever is at the terminal."""
    if session.passphrase_file is not None:
        path = Path(session.passphrase_file)
        if not path.is_file():
            hint = "give a file that holds the passphrase on its first line"
            raise ConfigError(f"the passphrase file {path} is not there", hint=hint)
        return from_file(path)
    return first_of(from_credentials(), from_prompt(ask_unseen) if sys.stdin.isatty() else None)


def ask_unseen(prompt: str) -> str:
    """What is typed at the terminal, without showing it."""
    return getpass.getpass(f"{prompt}: ")
