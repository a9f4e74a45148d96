"""How many certificates somebody, or a profile, may have in a while: fixed windows, counted in the store."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from handfast.ca.claims import QuotaUse
from handfast.ca.policy import Requester
from handfast.errors import ConfigError, Malformed, RateLimited
from handfast.pki.lifetime import format_lifetime, parse_lifetime

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RATE = re.compile(r"\s*([0-9]{1,9})\s*/\s*([0-9a-z]+)\s*")


@dataclass(frozen=True, slots=True)
class Rate:
    """So many in so long a window."""

    count: int
    window: timedelta

    def __str__(self) -> str:
        return f"{self.count}/{format_lifetime(self.window)}"


@dataclass(frozen=True, slots=True)
class Limits:
    """None: no limit."""

    per_requester: Rate | None = None
    per_profile: Rate | None = None

    def uses(self, requester: Requester, profile: str, now: datetime) -> tuple[QuotaUse, ...]:
        """What one certificate takes of the limits. Nothing at the machine of the CA itself."""
        return () if requester.is_local else tuple(self._uses(requester, profile, now))

    def _uses(self, requester: Requester, profile: str, now: datetime) -> Iterator[QuotaUse]:
        for scope, rate in (
            (f"requester {requester.name}", self.per_requester),
            (f"profile {profile}", self.per_profile),
        ):
            if rate is not None:
                start = _EPOCH + (now - _EPOCH) // rate.window * rate.window
                yield QuotaUse(scope, start, start + rate.window, rate.count, now)


class Quotas(Protocol):
    """The part of the store that counts. Counting one is a claim (ca/claims.py), or take() when nothing is begun."""

    def taken(self, use: QuotaUse) -> int:
        """How many were taken in that window: one point read."""
        ...

    def take(self, uses: tuple[QuotaUse, ...]) -> None:
        """Take one of each. Raises RateLimited, having taken none."""
        ...


def require_room(quotas: Quotas, uses: tuple[QuotaUse, ...]) -> None:
    """Raise RateLimited before any work is done for what will be refused anyway."""
    for use in uses:
        if quotas.taken(use) >= use.limit:
            raise exceeded(use)


def exceeded(use: QuotaUse) -> RateLimited:
    """The error that says when to come again."""
    wait = max(use.end - use.at, timedelta(seconds=1))
    msg = f"the {use.scope} had {use.limit} certificates in {format_lifetime(use.end - use.start)}, which is the limit"
    return RateLimited(
        msg, hint="wait for the next window; the operator sets [limits] in handfast.toml", retry_after=wait
    )


def parse_rate(text: str) -> Rate:
    """A rate such as `100/1m`. Raises ConfigError."""
    found = _RATE.fullmatch(text.lower())
    try:
        rate = Rate(int(found[1]), parse_lifetime(found[2])) if found else None
    except Malformed:
        rate = None
    if rate is None or rate.count < 1:
        raise ConfigError(f"{text!r} is not a rate", hint='write a number and a length of time: "100/1m", "5000/1d"')
    return rate
