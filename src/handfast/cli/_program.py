"""The `handfast` command: finds its subcommands by their files, and loads only the one that is called."""

import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import cast

import click

from handfast import __version__
from handfast.cli._session import SERVICE_OPTIONS, Session

SECTIONS = ("Start here", "Certificates", "The authority", "Servers and clients", "More")

EXAMPLES = """\
handfast: mutual TLS for people and devices, end to end.

  handfast quickstart                        see it all work, in a minute
  handfast init                              make your own CA in ./handfast-ca
  handfast issue --profile client alice      a certificate for a person or a device
  handfast issue www.example.org             a certificate for a server
  handfast config nginx www.example.org      a server that asks for certificates
  handfast revoke alice                      shut somebody out

`handfast --help` lists every command; `handfast COMMAND --help` has examples.
"""

_HELP_TOP = """\
Usage: handfast [--ca DIR | --server URL] COMMAND ...

Mutual TLS for people and devices, end to end: a private CA, and every server
and client that has to trust it."""

_HELP_OPTIONS = """\
Options, before or after COMMAND:
  --ca DIR                the authority [HANDFAST_CA, else ./handfast-ca]
  --passphrase-file FILE  the passphrase of the CA's keys, instead of a question
  --server URL            ask a service instead of a directory [HANDFAST_SERVER]
    --client-certificate FILE  who asks: a certificate with its chain, or the
                          folder that `handfast issue` wrote
    --client-key FILE     its key [in that file, or key.pem beside it]
    --secret-file FILE    a requester's secret, instead of a certificate
    --server-ca FILE      the root to trust [ca.pem beside the certificate]
  --version               print the version
  -h, --help              print this, or the help of a COMMAND
"""

_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 80}
_SUMMARY = re.compile(r'"""(.+?)(?:"""|\n)')
_SECTION = re.compile(r'^SECTION = "(.+)"', re.MULTILINE)


def program(arguments: Sequence[str]) -> click.Group:
    """The whole program. Only subcommands that the arguments (or the line being completed) name are loaded."""
    words = {*arguments, *os.environ.get("COMP_WORDS", "").split()}
    commands = {name: load(name) if name in words else _stub(name) for name in names(words)}
    return click.Group(
        "handfast",
        commands=commands,
        callback=_start,
        invoke_without_command=True,
        add_help_option=False,
        context_settings=_SETTINGS,
        params=[
            click.Option(["-h", "--help"], is_flag=True, is_eager=True, expose_value=False, callback=_help),
            click.Option(["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_version),
            click.Option(["--ca"], metavar="DIR", envvar="HANDFAST_CA"),
            click.Option(["--passphrase-file"], metavar="FILE", envvar="HANDFAST_PASSPHRASE_FILE"),
            *(
                click.Option([f"--{name.replace('_', '-')}"], metavar=metavar, envvar=f"HANDFAST_{name.upper()}")
                for name, (metavar, _) in SERVICE_OPTIONS.items()
            ),
        ],
    )


@cache
def built_in() -> Mapping[str, str]:
    """The names of the commands that come with handfast, and the paths of their files."""
    folder = os.path.dirname(__file__)  # noqa: PTH120  # pathlib costs a fifth of the start-up time
    with os.scandir(folder) as entries:
        found = [entry.path for entry in entries if entry.name.endswith(".py") and not entry.name.startswith("_")]
    return {os.path.basename(path)[:-3].replace("_", "-"): path for path in sorted(found)}  # noqa: PTH119  # likewise


def names(words: Iterable[str]) -> tuple[str, ...]:
    """The names of all commands. Installed packages are asked only when a word is none of the built-in ones."""
    known = built_in()
    if any(word in known for word in words):
        return tuple(known)
    return tuple(sorted({*known, *_installed()}))


def load(name: str) -> click.Command:
    """The command of this name: the `command` of its module, or what an installed package brings as `handfast.cli`."""
    if name not in built_in():
        entry = _installed()[name]
        return cast("click.Command", entry.load())  # type: ignore[attr-defined]  # an EntryPoint; importing its class costs start-up time
    import importlib

    command = importlib.import_module(f"handfast.cli.{name.replace('-', '_')}").command
    command.name = name
    return cast("click.Command", command)


def summary(name: str) -> tuple[str, str]:
    """The section in which a command is listed, and its line there: read from its file, without importing it."""
    path = built_in().get(name)
    if path is None:
        return SECTIONS[-1], "from an installed package"
    with open(path, encoding="utf-8") as file:  # noqa: PTH123  # pathlib costs a fifth of the start-up time
        text = file.read(6000)
    line, section = _SUMMARY.match(text), _SECTION.search(text)
    return section[1] if section else SECTIONS[-1], line[1].rstrip(".") if line else ""


def help_page() -> str:
    """What `handfast --help` prints."""
    listed: dict[str, list[str]] = {}
    for name in names(()):
        section, line = summary(name)
        listed.setdefault(section, []).append(f"  {name:<11} {line}")
    blocks = ("\n".join([f"{section}:", *listed[section]]) for section in sorted(listed, key=_place))
    return "\n\n".join([_HELP_TOP, *blocks, _HELP_OPTIONS])


def _place(section: str) -> int:
    return SECTIONS.index(section) if section in SECTIONS else len(SECTIONS)


def _stub(name: str) -> click.Command:
    return click.Command(name, short_help=summary(name)[1])


@cache
def _installed() -> Mapping[str, object]:
    # Reading what is installed takes as long as all the rest of the start; a look at the file names' contents does not.
    if not any(_brings_commands(folder) for folder in sys.path if folder):
        return {}
    from importlib.metadata import entry_points

    return {entry.name: entry for entry in entry_points(group="handfast.cli")}


def _brings_commands(folder: str) -> bool:
    try:
        with os.scandir(folder) as entries:
            candidates = [entry.path for entry in entries if entry.name.endswith((".dist-info", ".egg-info"))]
    except OSError:
        return False
    return any(_mentions_commands(f"{path}/entry_points.txt") for path in candidates)


def _mentions_commands(path: str) -> bool:
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123  # pathlib costs a fifth of the start-up time
            return "[handfast.cli]" in file.read()
    except (OSError, UnicodeDecodeError):
        return False


@click.pass_context
def _start(context: click.Context, /, **options: str | None) -> None:
    sources = {name: context.get_parameter_source(name) for name in options}
    typed = {name for name, source in sources.items() if source is click.core.ParameterSource.COMMANDLINE}
    context.obj = Session(**options, typed=typed)
    if os.environ.get("NO_COLOR"):
        context.color = False
    if context.invoked_subcommand is None:
        click.echo(EXAMPLES, nl=False)


def _help(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(help_page(), nl=False)
        context.exit()


def _version(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(f"handfast {__version__}")
        context.exit()
