"""The only plugin loader: what plugins a room has, and one of them by its name.

A built-in plugin is a module of the package `handfast.<room>` that has the room's marker at its top level; others come
from the entry points `handfast.<room>` of installed packages.
"""

import importlib
import re
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

from handfast.errors import ConfigError
from handfast.pki.nearest import nearest

MARKERS = {
    "keys": "open_keys",
    "stores": "open_store",
    "targets": "target",
    "prove.programs": "program",
    "doctor": "probe",
    "protocols": "routes",
}


@cache
def names(room: str) -> tuple[str, ...]:
    """The names of a room's plugins, sorted; nothing is imported for it."""
    return tuple(sorted({*_built_in(room), *_installed(room)}))


def load(room: str, name: str) -> ModuleType:
    """The module of a plugin. Raises ConfigError, naming the nearest, when there is none of that name."""
    if name in _built_in(room):
        return importlib.import_module(f"handfast.{room}.{name.replace('-', '_')}")
    entry = _installed(room).get(name)
    if entry is None:
        word = room.rpartition(".")[2].removesuffix("s")
        raise ConfigError(f"there is no {word} {name!r}", hint=nearest(name, names(room)))
    module = entry.load()
    if not isinstance(module, ModuleType) or not hasattr(module, MARKERS[room]):
        msg = f"the plugin {name!r} of {entry.value} is no module with {MARKERS[room]!r}"
        raise ConfigError(msg, hint="mend or remove the package that brings it")
    return module


@cache
def _built_in(room: str) -> tuple[str, ...]:
    marker = re.compile(rf"^(?:def |class )?{re.escape(MARKERS[room])}\b *[:=(]", re.MULTILINE)
    folder = Path(__file__).parent.joinpath(*room.split("."))
    files = sorted(path for path in folder.glob("*.py") if not path.name.startswith("_"))
    return tuple(path.stem.replace("_", "-") for path in files if marker.search(path.read_text(encoding="utf-8")))


@cache
def _installed(room: str) -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=f"handfast.{room}")}
