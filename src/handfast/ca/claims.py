"""Claims: what a certificate uses up, in the same transaction that begins it. Each is counted, so that one wins."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class TokenUse:
    """A one-time token is redeemed. digest: its SHA-256. at: it must not have expired by then."""

    digest: bytes
    at: datetime


@dataclass(frozen=True, slots=True)
class ApprovalUse:
    """An approved request becomes the certificate with this serial. until: when that ends."""

    transaction: str
    serial: int
    issuer: str
    until: datetime


@dataclass(frozen=True, slots=True)
class QuotaUse:
    """One of the `limit` that `scope` has in the window from `start` until `end`. at: when it is wanted, in between."""

    scope: str
    start: datetime
    end: datetime
    limit: int
    at: datetime


Claim = TokenUse | ApprovalUse | QuotaUse
