"""The values in handfast.toml: what TOML has for a key becomes what the settings hold, or ConfigError names the key."""

from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from typing import Any, TypeVar

from handfast.errors import ConfigError, Malformed
from handfast.pki.lifetime import parse_lifetime
from handfast.pki.nearest import nearest

Item = TypeVar("Item")


def as_table(key: str, value: object) -> dict[str, Any]:
    """A table with any names in it, as a copy. Raises ConfigError."""
    if not isinstance(value, dict):
        raise ConfigError(f"{key} must be a table", hint=f"write [{key}] on a line of its own")
    return dict(value)


def as_known_table(key: str, value: object, known: Collection[str]) -> dict[str, Any]:
    """A table with none but the known names in it. Raises ConfigError that names the nearest one."""
    table = as_table(key, value)
    for name in table:
        if name not in known:
            raise ConfigError(f"there is no setting {key}.{name}", hint=nearest(name, known))
    return table


def as_fields(key: str, value: object, parsers: Mapping[str, Callable[[str, object], Any]]) -> dict[str, Any]:
    """What a table says, each value read by the parser of its name. Raises ConfigError, as the parsers do."""
    table = as_known_table(key, value, parsers)
    return {name: parsers[name](f"{key}.{name}", one) for name, one in table.items()}


def as_text(key: str, value: object, accepts: Callable[[str], object] | None = None) -> str:
    """A text. accepts: whether it will do; None: any does, the empty one too. Raises ConfigError."""
    if not isinstance(value, str) or (accepts is not None and not accepts(value)):
        raise ConfigError(f"{key} must be a text", hint='write it in quotes: "..."')
    return value


def as_list(
    key: str, value: object, parse: Callable[[str, object], Item], *, like: str = '"...", "..."'
) -> tuple[Item, ...]:
    """A list, each entry read by `parse`. like: entries to show in the hint. Raises ConfigError, as `parse` does."""
    if not isinstance(value, list):
        raise ConfigError(f"{key} must be a list", hint=f"write it in brackets: [{like}]")
    return tuple(parse(key, one) for one in value)


def as_texts(key: str, value: object) -> tuple[str, ...]:
    """A list of texts. Raises ConfigError."""
    return as_list(key, value, as_text)


def as_lifetime(key: str, value: object) -> timedelta:
    """A length of time, as `90d`: what parse_lifetime() takes. Raises ConfigError."""
    try:
        return parse_lifetime(as_text(key, value))
    except Malformed as malformed:
        raise ConfigError(f"{key}: {malformed.message}", hint=malformed.hint) from None


def as_number(key: str, value: object) -> int:
    """A whole number from 1 on; Python counts true as one, TOML does not. Raises ConfigError."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigError(f"{key} must be a whole number above zero", hint="write it without quotes: 1000")
    return value


def as_switch(key: str, value: object) -> bool:
    """True or false, and no text that says so. Raises ConfigError."""
    if not isinstance(value, bool):
        raise ConfigError(f"{key} must be true or false", hint="write it without quotes")
    return value
