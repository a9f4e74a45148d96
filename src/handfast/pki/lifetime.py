"""Lengths of time as people write them: `90d`, `12h`, `1y`."""

import re
from datetime import timedelta

from handfast.errors import Malformed

_UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    "y": timedelta(days=365),
}
_LIFETIME = re.compile(r"(?:[0-9]{1,9}[smhdwy])+")
_PART = re.compile(r"([0-9]+)([smhdwy])")
MAXIMUM = timedelta(days=365 * 100)
_HINT = "write a number and a unit: 90d, 12h, 30m, 2w, 1y"


def parse_lifetime(text: str) -> timedelta:
    """`90d`, `1d12h`, in s, m (minutes), h, d, w, y (of 365 days); positive, at most 100 years. Raises Malformed."""
    compact = text.strip().lower().replace(" ", "")
    if not _LIFETIME.fullmatch(compact):
        raise Malformed(f"{text[:40]!r} is not a length of time", hint=_HINT)
    total = timedelta()
    for number, unit in _PART.findall(compact):
        if int(number) * _UNITS[unit].total_seconds() > MAXIMUM.total_seconds():
            raise Malformed(f"{text[:40]!r} is over 100 years", hint=_HINT)
        total += int(number) * _UNITS[unit]
    if not timedelta() < total <= MAXIMUM:
        raise Malformed(f"{text[:40]!r} is not between one second and 100 years", hint=_HINT)
    return total


def format_lifetime(length: timedelta) -> str:
    """The shortest spelling that parse_lifetime() reads back: `90d`, `1d12h`."""
    seconds = int(length.total_seconds())
    parts = []
    for unit in "dhms":
        size = int(_UNITS[unit].total_seconds())
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
