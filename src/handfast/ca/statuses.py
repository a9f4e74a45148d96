"""What a relying party may know of a certificate: whether it was issued here, and whether it is revoked."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from handfast.ca.records import Reason


@dataclass(frozen=True, slots=True)
class Status:
    """is_issued: it was signed, as far as the store knows. revoked_at and reason: of a revocation or hold in force.

    A certificate that was revoked stays so when its record is gone, and when it was begun and never finished.
    """

    is_issued: bool
    revoked_at: datetime | None = None
    reason: Reason | None = None


NEVER_ISSUED = Status(is_issued=False)


class Statuses(Protocol):
    """Answers about certificates of one issuer, by serial number. Raises Unavailable as every part of a store does."""

    def of(self, issuer: str, serials: Iterable[int]) -> Mapping[int, Status]:
        """The status of each of the serials of which something is known; of the others nothing is."""
        ...

    def all(self, issuer: str, *, alive_at: datetime) -> Iterator[tuple[int, Status]]:
        """Every certificate that was issued and had not expired at that moment, and every revocation of such ones."""
        ...
