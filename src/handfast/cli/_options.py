"""Options that several commands share, spelled once."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from handfast.cli._session import AT_THE_DIRECTORY, SERVICE_OPTIONS, Session, only_here
from handfast.errors import ConfigError

Function = TypeVar("Function", bound=Callable[..., Any])


def json_option(function: Function) -> Function:
    """`--json`, as the argument `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(function)


def authority_options(function: Function) -> Function:
    """Those of a command that needs the authority's directory, and refuses --server."""
    return directory_options(AT_THE_DIRECTORY)(function)


def directory_options(hint: str) -> Callable[[Function], Function]:
    """The same, with words of its own on what to do instead of giving --server."""
    return lambda function: _place_options(_refusing(lambda server: only_here(server, hint=hint))(function))


def no_authority(hint: str) -> Callable[[Function], Function]:
    """For a command that asks no authority: it refuses --server, and says what it goes by instead."""
    message = "this command asks no authority: --server does nothing for it"
    return _refusing(lambda _server: ConfigError(message, hint=hint))


def desk_options(function: Function) -> Function:
    """Those that name a directory or a service. All but --ca and --server are told by the top help."""
    for name, (metavar, text) in SERVICE_OPTIONS.items():
        function = click.option(
            f"--{name.replace('_', '-')}",
            metavar=metavar,
            expose_value=False,
            callback=_remember(name),
            hidden=name != "server",
            help=text,
        )(function)
    return _place_options(function)


def yes_option(function: Function) -> Function:
    """`--yes`, as the argument `yes`: do it without asking."""
    return click.option("--yes", "-y", is_flag=True, help="Do it without asking.")(function)


def examples(*lines: str) -> str:
    """An epilog of examples, each a line that works as it stands."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def _place_options(function: Function) -> Function:
    """`--ca` and `--passphrase-file` after the command: into the Session, which is the context's object."""
    passphrase = click.option(
        "--passphrase-file",
        metavar="FILE",
        expose_value=False,
        callback=_remember("passphrase_file"),
        help="Read the passphrase of the CA's keys from FILE.",
    )
    directory = click.option(
        "--ca", metavar="DIR", expose_value=False, callback=_remember("ca"), help="The authority's directory."
    )
    return directory(passphrase(function))


def _refusing(error: Callable[[str], ConfigError]) -> Callable[[Function], Function]:
    """Refuses `--server`, before and after the command. Of what the environment says, who needs to know finds out."""

    def callback(context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
        session = context.ensure_object(Session)
        typed = session.server if "server" in session.typed else None
        if value is not None or typed is not None:
            raise error(str(value or typed))

    return click.option("--server", metavar="URL", expose_value=False, is_eager=True, hidden=True, callback=callback)


def _remember(attribute: str) -> Callable[[click.Context, click.Parameter, str | None], None]:
    def callback(context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
        session = context.ensure_object(Session)
        if value is not None:
            setattr(session, attribute, value)
            session.typed.add(attribute)

    return callback
