"""The reference pages, made from the program itself: every command's help, every setting, error and route."""

import importlib
import inspect
import json
import os
import pkgutil
from pathlib import Path
from typing import cast

import click

import handfast
from handfast import errors, registry
from handfast.cli import _program, _status
from handfast.pki.lifetime import format_lifetime
from handfast.pki.profile import BUILT_IN
from handfast.server.api import make_api
from handfast.server.service import Service
from handfast.server.settings import SETTINGS
from handfast.targets.contract import Target

FOLDER = Path(__file__).parent.parent.parent / "docs" / "reference"
SOURCE = Path(handfast.__file__).parent
_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 80, "terminal_width": 80}


def pages() -> dict[str, str]:
    """The text of each page by its file name."""
    return {
        "commands.md": commands(),
        "settings.md": settings(),
        "errors.md": error_classes(),
        "targets.md": targets(),
        "checks.md": checks(),
        "openapi.json": openapi(),
    }


def commands() -> str:
    parts = ["# Commands\n"]
    for name in sorted(_program.built_in()):
        command = _program.load(name)
        parts.append(_help(f"handfast {name}", command))
        if isinstance(command, click.Group):
            parts += [_help(f"handfast {name} {one}", command.commands[one]) for one in sorted(command.commands)]
    return "\n".join(parts)


def _help(path: str, command: click.Command) -> str:
    context = click.Context(command, info_name=path, **_SETTINGS)  # type: ignore[arg-type]  # the settings are of several types
    text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    return f"## {path}\n\n```text\n{text}\n```\n"


def settings() -> str:
    lines = ["# Settings: handfast.toml\n", "| setting | kind | default | what it is |", "|---|---|---|---|"]
    lines += [f"| `{one.name}` | {one.kind} | `{one.default or 'none'}` | {one.help} |" for one in SETTINGS]
    lines += ["", "## Profiles that come with handfast", "", "| profile | lifetime | what it is |", "|---|---|---|"]
    lines += [f"| `{one.name}` | {format_lifetime(one.lifetime)} | {one.title} |" for one in BUILT_IN.values()]
    return "\n".join(lines) + "\n"


def error_classes() -> str:
    lines = ["# Errors and exit statuses\n", "| error | status | means |", "|---|---|---|"]
    for cls, status in _status.STATUS.items():
        lines.append(f"| {cls.__name__} | {status} | {(inspect.getdoc(cls) or '').splitlines()[0]} |")
    assert errors.HandfastError in _status.STATUS
    lines += ["", "| status | means |", "|---|---|"]
    lines += [f"| {status} | {meaning.replace('|', '&#124;')} |" for status, meaning in _status.MEANINGS.items()]
    return "\n".join(lines) + "\n"


def targets() -> str:
    """Every relying party: a table of all, and then what each is like."""
    all_of_them = [registry.load("targets", name).target for name in registry.names("targets")]
    lines = ["# Servers, networks and devices\n", "What `handfast config NAME` writes for, and `handfast prove NAME` runs.\n"]
    lines += ["| name | what | status | CRLs | deny-list |", "|---|---|---|---|---|"]
    for one in all_of_them:
        denied = f"{one.denylist.form.value}{', while it runs' if one.denylist.hot else ''}" if one.denylist else ""
        lines.append(f"| [{one.name}](#{one.name}) | {one.title} | {one.status.value} | {one.crl.value} | {denied} |")
    lines += ["", "proven: real handshakes with the real program, in the tests; checked: by its own syntax check or its"]
    lines += ["schema; written: by the documentation only.", ""]
    for one in all_of_them:
        lines += _target(one)
    return "\n".join(lines).rstrip() + "\n"


def _target(one: Target) -> list[str]:
    hot = one.denylist.hot if one.denylist else ""
    facts = {
        "test": f"`{one.test}`" if one.test else "",
        "reload": f"`{one.reload}`" if one.reload else "",
        "open sessions": one.kick,
        "deny at once": f"`{hot}`" if hot else "",
        "depth": one.depth,
        "CRLs needed of": one.crl_scope.value,
        "resumption": one.resumption,
        "a broken CRL file": one.broken_crl,
        "identity": f"{one.identity.source}; handed on: {one.identity.handed_on}",
        "works from": one.minimum,
    }
    lines = [f"## {one.name}", "", f"{one.title}, {one.status.value}.", ""]
    lines += [f"- {label}: {_flat(text)}" for label, text in facts.items() if text]
    lines += [f"- lets in {weak.case.value}: {_flat(weak.what)}; remedy: {_flat(weak.remedy)}" for weak in one.weaknesses]
    lines += [f"- newer: {since.version}: {_flat(since.what)}" for since in one.newer]
    lines += [f"- option `{option.name}`: {_flat(option.help)} (`{option.default}`)" for option in one.options]
    if one.refusals:
        lines += ["", "| refused | the client sees | the log says |", "|---|---|---|"]
        lines += [f"| {no.case.value} | {_cell(no.client)} | {_cell(no.log)} |" for no in one.refusals]
    return [*lines, ""]


def _flat(text: str) -> str:
    return " ".join(text.split())


def _cell(text: str) -> str:
    return _flat(text).replace("|", "&#124;")


def checks() -> str:
    """Every check on a certificate before it is signed, and every other code of a finding outside the validator."""
    lines = ["# Checks and findings\n", "What is checked on a certificate before it is signed. What the validator finds"]
    lines += ["is in [its rules](../validation/rules.md).", "", "| code | what is so |", "|---|---|"]
    lines += [f"| `{code}` | {_cell(meaning)} |" for code, meaning in sorted(codes().items())]
    return "\n".join(lines) + "\n"


def openapi() -> str:
    """The REST API's own document, as a running service answers it at /api/openapi.json."""
    # Nobody is asked here, so there is no service behind it.
    document = make_api(cast("Service", None)).openapi()
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def codes() -> dict[str, str]:
    """The codes of all modules that have a table of them."""
    found: dict[str, str] = {}
    for module in pkgutil.walk_packages(handfast.__path__, "handfast."):
        if "\nCODES = {" in _source(module.name):
            found |= importlib.import_module(module.name).CODES
    return found


def _source(name: str) -> str:
    path = SOURCE.joinpath(*name.split(".")[1:])
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return path.read_text(encoding="utf-8")


if __name__ == "__main__":
    os.environ["COLUMNS"] = "80"
    FOLDER.mkdir(exist_ok=True)
    for file_name, content in pages().items():
        (FOLDER / file_name).write_text(content, encoding="utf-8")
