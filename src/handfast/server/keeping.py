"""The settings of what is kept, where and for how long: journal, retention and the audit log's witness."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from handfast.errors import ConfigError, Malformed
from handfast.pki.lifetime import parse_lifetime
from handfast.pki.nearest import nearest


@dataclass(frozen=True, slots=True)
class JournalSettings:
    """directory: relative to the authority's; better on another disk. keep: how long segments stay."""

    directory: str = "journal"
    keep: timedelta = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class RetentionSettings:
    """expired: how long after its end a certificate stays where lists and searches look."""

    expired: timedelta = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """witness: a file or an https URL that gets the signed heads of the audit log; empty: none does."""

    witness: str = ""


def parse_journal(key: str, value: object) -> JournalSettings:
    """The table `journal`. Raises ConfigError."""
    return JournalSettings(**_read(key, value, {"directory": _text, "keep": _lifetime}))


def parse_retention(key: str, value: object) -> RetentionSettings:
    """The table `retention`. Raises ConfigError."""
    return RetentionSettings(**_read(key, value, {"expired": _lifetime}))


def parse_audit(key: str, value: object) -> AuditSettings:
    """The table `audit`. Raises ConfigError."""
    return AuditSettings(**_read(key, value, {"witness": _text}))


def _read(key: str, value: object, parsers: Mapping[str, Callable[[str, object], Any]]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{key} must be a table", hint=f"write [{key}] on a line of its own")
    for name in value:
        if name not in parsers:
            raise ConfigError(f"there is no setting {key}.{name}", hint=nearest(name, tuple(parsers)))
    return {name: parsers[name](f"{key}.{name}", one) for name, one in value.items()}


def _text(key: str, value: object) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"{key} must be a text", hint='write it in quotes: "..."')
    return value


def _lifetime(key: str, value: object) -> timedelta:
    try:
        return parse_lifetime(_text(key, value))
    except Malformed as malformed:
        raise ConfigError(f"{key}: {malformed.message}", hint=malformed.hint) from None
