"""What the authority needs from outside: a store that remembers, and a place where the CA keys are."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NoReturn, Protocol

from handfast.ca.answers import Answers
from handfast.ca.approving import Approvals
from handfast.ca.audit_head import Heads
from handfast.ca.claims import Claim
from handfast.ca.journal import Journal
from handfast.ca.limits import Quotas
from handfast.ca.notices import NoticeQueue
from handfast.ca.published import Publications
from handfast.ca.records import (
    AuditEvent,
    CertificateRecord,
    CrlRecord,
    Finished,
    IssuerRecord,
    Listing,
    Page,
    Revocation,
)
from handfast.ca.requesters import Requesters
from handfast.ca.statuses import Statuses
from handfast.ca.tokens import Tokens
from handfast.errors import ConfigError
from handfast.pki.keys import KeyKind, PrivateKey

Clock = Callable[[], datetime]
NewSerial = Callable[[], int]
Events = Sequence[AuditEvent]


@dataclass(frozen=True, slots=True)
class Randomness:
    """Keys and octets that nobody can guess. octets: that many."""

    new_key: Callable[[KeyKind], PrivateKey]
    octets: Callable[[int], bytes]


def _none(_: object) -> NoReturn:
    raise ConfigError("this authority makes no keys for others", hint="let the device make its own key")


no_randomness = Randomness(_none, _none)


class Leases(Protocol):
    """Who of several replicas does a job."""

    def claim(self, name: str, owner: str, length: timedelta) -> bool:
        """True when the job is the owner's from now on for so long: nobody had it, or it was its own already."""
        ...

    def release(self, name: str, owner: str) -> None:
        """Give it back before its end."""
        ...


class Store(Protocol):
    """A durable memory: what a method has returned from survives the machine. Safe to use from many threads.

    Every method raises Unavailable when the store does not answer. Events are written in the same transaction as what
    they tell of.
    """

    @property
    def requesters(self) -> Requesters:
        """Who may ask."""
        ...

    @property
    def tokens(self) -> Tokens:
        """One-time enrollment tokens."""
        ...

    @property
    def approvals(self) -> Approvals:
        """Requests that wait until others agree."""
        ...

    @property
    def answers(self) -> Answers:
        """What was answered under idempotency keys."""
        ...

    @property
    def quotas(self) -> Quotas:
        """What rate limits count."""
        ...

    def begin(
        self,
        records: Sequence[CertificateRecord],
        *,
        snapshots: Iterable[tuple[str, str]] = (),
        claims: Sequence[Claim] = (),
    ) -> list[int]:
        """Remember certificates that are about to be signed; their ids. snapshots: (digest, text) of their profiles.

        claims: what they use up in the same transaction. All or none. Raises Conflict when a serial or a row of a
        batch is there already, Unauthenticated for a token that is used, RateLimited beyond a limit.
        """
        ...

    def finish(self, finished: Sequence[Finished], events: Events = ()) -> None:
        """Remember the certificates that were made for records that were begun. All or none."""
        ...

    def by_serial(self, serial: int) -> tuple[CertificateRecord, ...]:
        """The records with this serial: at most one for each issuer."""
        ...

    def by_fingerprint(self, prefix: bytes) -> tuple[CertificateRecord, ...]:
        """The records whose SHA-256 or SHA-1 fingerprint begins so; at most ten."""
        ...

    def by_name(self, name: str) -> tuple[CertificateRecord, ...]:
        """The newest hundred records with this label, common name or subject alternative name, newest first."""
        ...

    def by_batch(self, batch: str, rows: Sequence[str]) -> tuple[CertificateRecord, ...]:
        """The records that were made for these rows of a bulk issue."""
        ...

    def search(self, listing: Listing) -> Page:
        """One page of what the listing asks for."""
        ...

    def revocation(self, issuer: str, serial: int) -> Revocation | None:
        """The last revocation of a certificate, also of one whose record is gone."""
        ...

    def append_revocation(self, revocation: Revocation, event: AuditEvent) -> None:
        """Append it. Raises Conflict when its sequence number is taken: somebody else was faster."""
        ...

    def tell_again(self, known: Revocation | CertificateRecord) -> None:
        """Have the journal tell of what is in the store, though a crash or a full disk was in between.

        Raises Unavailable while it cannot.
        """
        ...

    def changes(self, issuer: str, *, after: int, until: int) -> Iterator[Revocation]:
        """The revocations with an id in (after, until], in the order in which they were appended."""
        ...

    @property
    def publications(self) -> Publications:
        """The published CRLs."""
        ...

    def last_crl(self, issuer: str) -> CrlRecord | None:
        """The CRL with the highest number."""
        ...

    def begin_crl(self, record: CrlRecord, event: AuditEvent) -> None:
        """Remember a CRL that is about to be signed. Raises Conflict when its number is taken."""
        ...

    def last_revocation_id(self) -> int:
        """The id of the newest revocation; 0 when there is none."""
        ...

    def change_mark(self) -> int:
        """A number that is another one once anybody, also another process, committed a revocation.

        Cheap enough to ask at each request; it may change for other reasons too. Only == and != mean something.
        """
        ...

    @property
    def is_local(self) -> bool:
        """Whether a read waits for nobody but this machine, and so may be made where nothing may wait."""
        ...

    @property
    def statuses(self) -> Statuses:
        """What is said of certificates to those who rely on them."""
        ...

    def issuers(self) -> tuple[IssuerRecord, ...]:
        """The CAs of this authority, oldest first."""
        ...

    def add_issuer(self, record: IssuerRecord, event: AuditEvent) -> None:
        """Remember a CA. Raises Conflict when the name is taken."""
        ...

    def append(self, *events: AuditEvent) -> None:
        """Remember events that have no other trace, in one transaction."""
        ...

    def events(self, *, after: int = 0, limit: int = 100) -> tuple[AuditEvent, ...]:
        """Audit events in the order in which they were written."""
        ...

    def certificate_count(self) -> int:
        """How many certificates were ever begun."""
        ...

    def last_event_id(self) -> int:
        """The id of the newest audit event; 0 when there is none."""
        ...

    @property
    def leases(self) -> Leases:
        """Which replica does what."""
        ...

    @property
    def notices(self) -> NoticeQueue:
        """What people are to be told."""
        ...

    def note(self, key: str) -> str | None:
        """What was noted under this key."""
        ...

    def set_note(self, key: str, value: str, event: AuditEvent) -> None:
        """Note something, in place of what was there."""
        ...

    def with_journal(self, journal: Journal) -> "Store":
        """The same store, which tells the journal of what it has committed, before it returns."""
        ...

    @property
    def heads(self) -> Heads:
        """Signed heads of the audit chain."""
        ...

    def retire(self, *, ended_before: datetime, now: datetime, limit: int = 200) -> int:
        """Move certificates that ended before to the archive, where they are found by serial, fingerprint and batch.

        Revocations follow when they are on no CRL any more (RFC 5280 section 3.3). At most `limit` of certificates,
        and of the revocations of each issuer, in one transaction; how many it moved.
        """
        ...

    def copy_to(self, location: str) -> None:
        """Everything as it was at one moment, into a new file that a backup holds, while others write."""
        ...

    def close(self) -> None:
        """Let go of files and connections, the journal's too."""
        ...


class KeyStore(Protocol):
    """Where the private keys of CAs are. A key that cannot leave its device is a subclass of cryptography's class."""

    def names(self) -> tuple[str, ...]:
        """The keys that are there."""
        ...

    def is_encrypted(self, name: str) -> bool:
        """True when the key is encrypted at rest; False also when it is not there."""
        ...

    def load(self, name: str) -> PrivateKey:
        """The key. Raises ConfigError when it is not there or the passphrase is wrong."""
        ...

    def save(self, name: str, key: PrivateKey) -> bool:
        """Keep a new key, durably; True when it is encrypted at rest. Raises Conflict when the name is taken."""
        ...
