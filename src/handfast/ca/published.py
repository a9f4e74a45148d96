"""What is published: the newest CRL of each kind and shard, the same on every replica (RFC 5280 section 5)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from handfast.ca.records import AuditEvent, CrlRecord, Revocation


class ListKind(StrEnum):
    """full: all that is revoked. delta: what changed since a base (section 5.2.4)."""

    FULL = "full"
    DELTA = "delta"


@dataclass(frozen=True, slots=True)
class Which:
    """One of an issuer's lists. shard: 0 for the list of all its certificates, above it for a part of them."""

    issuer: str
    shard: int = 0
    kind: ListKind = ListKind.FULL

    @property
    def file_name(self) -> str:
        """What the list is called where it is published."""
        middle = f"-{self.shard}" if self.shard else ""
        return f"{self.issuer}{middle}{'-delta' if self.kind is ListKind.DELTA else ''}.crl"


@dataclass(frozen=True, slots=True)
class Base:
    """The CRL that a delta is upon: its number, the last revocation in it, and since when it is the base."""

    number: int
    covers: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Published:
    """A list as it is published. entries: how many. der: empty when only the rest was asked for.

    alive_at: certificates that had ended before are not on it any more.
    """

    which: Which
    record: CrlRecord
    alive_at: datetime
    entries: int = 0
    der: bytes = b""
    base: Base | None = None

    @property
    def half_life(self) -> datetime:
        """From then on the next one is due, whether or not anything changed."""
        return self.record.this_update + (self.record.next_update - self.record.this_update) / 2

    @property
    def late_at(self) -> datetime:
        """From then on somebody is told: three quarters of its life are over, and there is no newer one."""
        return self.record.this_update + (self.record.next_update - self.record.this_update) * 3 / 4


@dataclass(frozen=True, slots=True)
class Entries:
    """The entries of a list in DER, in the order of their revocations. count: how many they are.

    pieces: by a number that no id of a revocation in the piece, or in one before it, is above; in rising order.
    """

    pieces: Mapping[int, bytes]
    count: int


@dataclass(frozen=True, slots=True)
class Kept:
    """A published list, without the DER, and its entries: the next one is made upon it."""

    published: Published
    entries: Entries


class Publications(Protocol):
    """The published lists in a store. Raises Unavailable as every part of a store does."""

    def get(self, which: Which) -> Published | None:
        """The newest one, whole."""
        ...

    def all(self, issuer: str) -> tuple[Published, ...]:
        """The newest of each of an issuer's lists, without the DER."""
        ...

    def kept(self, which: Which) -> Kept | None:
        """The newest one, in pieces; None also for one that an earlier handfast published, and kept whole."""
        ...

    def put(self, published: Published, entries: Entries, event: AuditEvent, *, upon: Kept | None = None) -> bool:
        """Publish it; False, and nothing is done, when there is one with as high a number or thisUpdate.

        entries: those in its DER. upon: the list that they were made from; pieces that are the same are not written.
        """
        ...

    def outdate(self, issuer: str) -> None:
        """Newer lists of this issuer than those here are out there: give these to nobody, and make all of them anew."""
        ...

    def newest(self, issuer: str) -> Mapping[int, int]:
        """The id of the last revocation of each shard that has one; under 0, that of all."""
        ...

    def entries(self, wanted: Published) -> Entries:
        """The entries of such a list, all taken from the revocations. wanted: without entries and DER."""
        ...

    def leaving(self, before: Published, wanted: Published, changes: Sequence[Revocation]) -> Sequence[tuple[int, int]]:
        """Ids and serials of revocations that stand on the list before, and not on the one wanted: those of changed
        certificates, and of those that ended. Maybe of some that do not stand on it either.
        """
        ...

    def changes(self, which: Which, *, after: int, until: int) -> Iterator[Revocation]:
        """The revocations of the list's certificates with an id in (after, until], in order."""
        ...

    def revocations(self, *, after: int, limit: int) -> tuple[Revocation, ...]:
        """The revocations of all issuers after that id, in order."""
        ...
