"""The journal: what a restored backup needs to learn about the time since, written before anything is acknowledged."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from handfast.ca.records import CertificateRecord, CrlRecord, Finished, IssuerRecord, Revocation

Snapshots = Iterable[tuple[str, str]]


class Journal(Protocol):
    """Append-only, beside the store. A store tells it of what it has committed, and returns when both are durable.

    Every method raises Unavailable when the journal cannot be written: then nothing is acknowledged.
    """

    def begun(self, records: Sequence[CertificateRecord], snapshots: Snapshots = ()) -> None:
        """Certificates that are about to be signed. Need not be durable before one of them is finished."""
        ...

    def finished(self, finished: Sequence[Finished]) -> None:
        """Certificates that were signed. Durable, and what was written before too."""
        ...

    def revoked(self, revocation: Revocation) -> None:
        """A revocation, a hold or a release. Durable."""
        ...

    def listed(self, record: CrlRecord) -> None:
        """A CRL number that is taken. Durable."""
        ...

    def added(self, record: IssuerRecord) -> None:
        """A CA of this authority. Durable."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


@dataclass(frozen=True, slots=True)
class NoJournal:
    """For stores that are forgotten anyway, as in tests and rehearsals."""

    def begun(self, records: Sequence[CertificateRecord], snapshots: Snapshots = ()) -> None:
        pass

    def finished(self, finished: Sequence[Finished]) -> None:
        pass

    def revoked(self, revocation: Revocation) -> None:
        pass

    def listed(self, record: CrlRecord) -> None:
        pass

    def added(self, record: IssuerRecord) -> None:
        pass

    def close(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The text of a profile's version, under its digest."""

    digest: str
    text: str


@dataclass(frozen=True, slots=True)
class Signed:
    """A finished certificate in DER. Whose record it belongs to is told by its serial."""

    certificate: bytes


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A line that is not as it was written. is_torn: it has no end, as a crash leaves it: nobody was told it was done.

    revocation: what it seems to tell; None for what is none, or cannot be read at all.
    """

    is_torn: bool
    revocation: Revocation | None


Entry = CertificateRecord | Snapshot | Signed | Revocation | CrlRecord | IssuerRecord
