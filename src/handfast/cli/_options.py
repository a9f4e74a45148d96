"""Options that several commands share, spelled once."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from handfast.cli._session import AT_THE_DIRECTORY, SERVICE_OPTIONS, Session
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

    def refuse(session: Session, server: str | None) -> None:
        session.instead = hint
        if server is not None:
            raise session.refusal(server)

    return lambda function: _place_options(_service_refused(refuse)(function))


def no_authority(hint: str) -> Callable[[Function], Function]:
    """For a command that asks no authority: it refuses --server, and says what it goes by instead."""

    def refuse(_session: Session, server: str | None) -> None:
        if server is not None:
            raise ConfigError("this command asks no authority: --server does nothing for it", hint=hint)

    return _service_refused(refuse)


def desk_options(function: Function) -> Function:
    """Those that name a directory or a service. All but --ca and --server are told by the top help."""
    for name, (metavar, text) in SERVICE_OPTIONS.items():
        function = click.option(
            _spelled(name),
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


def _service_refused(refuse: Callable[[Session, str | None], None]) -> Callable[[Function], Function]:
    """`--server`, which `refuse` gets when somebody typed it, before or after the command. What stands in the
    environment is meant for other commands too: only whoever needs the directory refuses that."""

    def callback(context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
        session = context.ensure_object(Session)
        refuse(session, value or (session.server if "server" in session.typed else None))

    def refused(function: Function) -> Function:
        for name in SERVICE_OPTIONS:
            if name != "server":
                function = _hidden(name, _without_service)(function)
        return _hidden("server", callback, is_eager=True)(function)

    return refused


def _hidden(name: str, callback: Callable[..., None], *, is_eager: bool = False) -> Callable[[Function], Function]:
    return click.option(_spelled(name), expose_value=False, is_eager=is_eager, hidden=True, callback=callback)


def _without_service(_context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    """--server, which is looked at first, was not given with it."""
    if value is not None:
        msg = f"{_spelled(parameter.name or '')} is for a service, which this command does not ask"
        raise ConfigError(msg, hint="leave it out")


def _spelled(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _remember(attribute: str) -> Callable[[click.Context, click.Parameter, str | None], None]:
    def callback(context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
        session = context.ensure_object(Session)
        if value is not None:
            setattr(session, attribute, value)
            session.typed.add(attribute)

    return callback
