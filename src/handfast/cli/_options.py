"""Options that several commands share, spelled once."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from handfast.cli._session import SERVICE_OPTIONS, Session

Function = TypeVar("Function", bound=Callable[..., Any])


def json_option(function: Function) -> Function:
    """`--json`, as the argument `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(function)


def authority_options(function: Function) -> Function:
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


def desk_options(function: Function) -> Function:
    """Those of authority_options, and those that name a service instead. All but --server are told by the top help."""
    for name, (metavar, text) in SERVICE_OPTIONS.items():
        function = click.option(
            f"--{name.replace('_', '-')}",
            metavar=metavar,
            expose_value=False,
            callback=_remember(name),
            hidden=name != "server",
            help=text,
        )(function)
    return authority_options(function)


def yes_option(function: Function) -> Function:
    """`--yes`, as the argument `yes`: do it without asking."""
    return click.option("--yes", "-y", is_flag=True, help="Do it without asking.")(function)


def examples(*lines: str) -> str:
    """An epilog of examples, each a line that works as it stands."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def _remember(attribute: str) -> Callable[[click.Context, click.Parameter, str | None], None]:
    def callback(context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
        session = context.ensure_object(Session)
        if value is not None:
            setattr(session, attribute, value)
            session.typed.add(attribute)

    return callback
