"""An authority in memory with a clock that stands until it is moved, for tests of who may do what."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from cryptography import x509

from handfast.ca.authority import Authority
from handfast.ca.issuer import Issuer
from handfast.ca.limits import Limits
from handfast.ca.name_patterns import parse_pattern
from handfast.ca.office import Proof
from handfast.ca.order import Issued, Order
from handfast.ca.policy import OPERATOR, Policy, Requester, RequesterRole
from handfast.ca.ports import Store
from handfast.ca.records import Role
from handfast.ca.requesters import RequesterRecord
from handfast.keys.generate import generate_key
from handfast.pki.draft import Holder, draft_certificate, sign_draft
from handfast.pki.issuer_identity import identity_of, self_issuer
from handfast.pki.keys import PublicKey
from handfast.pki.names import parse_names
from handfast.pki.profile import BUILT_IN
from handfast.pki.subject import parse_subject
from handfast.stores.sqlite import open_store

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
KEY = generate_key()
OTHER_KEY = generate_key()
_SUBJECT = parse_subject("CN=Test CA")
_ROOT = draft_certificate(
    BUILT_IN["root"],
    Holder(_SUBJECT, (), KEY.public_key()),
    issuer=self_issuer(_SUBJECT, KEY.public_key()),
    serial=1 << 158,
    now=NOW - timedelta(days=1),
)
CA = sign_draft(_ROOT, KEY)


@dataclass(slots=True)
class HandClock:
    """It shows what it was set to."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def advance(self, length: timedelta) -> None:
        self.now += length


@dataclass(frozen=True, slots=True)
class World:
    """An authority, its clock, and shorthands."""

    authority: Authority
    clock: HandClock = field(default_factory=HandClock)

    def issue(self, *names: str, by: Requester = OPERATOR, key: PublicKey | None = None, **changes: Any) -> Issued:
        return self.authority.issue(order(*names, by=by, key=key, **changes))

    def add(
        self,
        name: str,
        role: str,
        *,
        certificate: x509.Certificate | None = None,
        secret: str | None = None,
        profiles: frozenset[str] | None = None,
        patterns: tuple[str, ...] | None = None,
    ) -> Requester:
        """Make a requester; who it is once it is authenticated."""
        record = RequesterRecord(
            name=name,
            role=RequesterRole(role),
            profiles=profiles,
            patterns=None if patterns is None else tuple(map(parse_pattern, patterns)),
            created_at=self.clock(),
        )
        if certificate is None and secret is None:
            secret = f"hfr_{name}"
        self.authority.office.add_requester(record, Proof(certificate, secret))
        return record.requester()


def a_world(
    *,
    approvals: Mapping[str, int] | None = None,
    limits: Limits | None = None,
    allowed: Mapping[str, tuple[str, ...]] | None = None,
    location: str = ":memory:",
    first_serial: int = (1 << 158) + 1,
    store: Store | None = None,
) -> World:
    clock = HandClock()
    serials = count(first_serial)
    issuer = Issuer(
        name="issuing", role=Role.ISSUING, identity=identity_of(CA), certificate=CA, chain=(), unlock=lambda: KEY
    )
    names = {profile: tuple(map(parse_pattern, texts)) for profile, texts in (allowed or {}).items()}
    authority = Authority(
        issuers={"issuing": issuer},
        default_issuer="issuing",
        profiles=BUILT_IN,
        policy=Policy(names, approvals or {}),
        store=store or open_store(location),
        clock=clock,
        new_serial=lambda: next(serials),
        limits=limits or Limits(),
    )
    return World(authority, clock)


def order(*names: str, by: Requester = OPERATOR, key: PublicKey | None = None, **changes: Any) -> Order:
    """An order for a device's certificate with these names, unless something else is said."""
    base = Order(
        profile="device",
        public_key=key or OTHER_KEY.public_key(),
        subject=parse_subject(f"CN={names[0]}"),
        names=parse_names(names),
        requester=by,
    )
    return replace(base, **changes)
