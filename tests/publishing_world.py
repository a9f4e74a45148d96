"""An authority that publishes lists, for tests: its clock, its key and its store are in the test's hands."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

from cryptography import x509

from handfast.ca.authority import Authority
from handfast.ca.due import publish_due
from handfast.ca.issuer import Issuer
from handfast.ca.order import Order
from handfast.ca.policy import Policy
from handfast.ca.ports import Store
from handfast.ca.published import ListKind, Which
from handfast.ca.records import CertificateRecord, Role
from handfast.errors import ConfigError
from handfast.keys.generate import generate_key
from handfast.pki.crl import around_entries, number_of
from handfast.pki.draft import Holder, draft_certificate, sign_draft
from handfast.pki.issuer_identity import PublicationUrls, identity_of, self_issuer
from handfast.pki.keys import PrivateKey
from handfast.pki.profile import BUILT_IN
from handfast.pki.subject import parse_subject
from handfast.stores.sqlite import open_store

START = datetime(2026, 5, 1, 12, tzinfo=UTC)
KEY = generate_key()
SUBJECT = parse_subject("CN=Test CA")
CA = sign_draft(
    draft_certificate(
        BUILT_IN["root"],
        Holder(SUBJECT, (), KEY.public_key()),
        issuer=self_issuer(SUBJECT, KEY.public_key()),
        serial=1 << 158,
        now=START,
    ),
    KEY,
)
FULL = Which("issuing")
DELTA = Which("issuing", kind=ListKind.DELTA)


@dataclass
class World:
    """An authority whose clock and key are in the test's hands."""

    shards: int = 0
    has_deltas: bool = False
    now: datetime = START
    key: PrivateKey | None = KEY
    unlocking: Callable[[], PrivateKey] | None = None
    store: Store = field(default_factory=lambda: open_store(":memory:"))
    authority: Authority = field(init=False)

    def __post_init__(self) -> None:
        serials = count((1 << 158) + 1)
        urls = PublicationUrls(crl=("http://pki.example.org/crl/issuing.crl",), shards=self.shards)
        issuer = Issuer(
            name="issuing",
            role=Role.ISSUING,
            identity=identity_of(CA, urls),
            certificate=CA,
            chain=(),
            unlock=self.unlock,
        )
        self.authority = Authority(
            issuers={"issuing": issuer},
            default_issuer="issuing",
            profiles=BUILT_IN,
            policy=Policy(),
            store=self.store,
            clock=lambda: self.now,
            new_serial=lambda: next(serials),
            has_deltas=self.has_deltas,
        )

    def unlock(self) -> PrivateKey:
        if self.unlocking is not None:
            return self.unlocking()
        if self.key is None:
            raise ConfigError("the key is not here", hint="bring it")
        return self.key

    def issue(self, lifetime: timedelta | None = None) -> CertificateRecord:
        subject = parse_subject("CN=cam")
        order = Order(profile="device", public_key=KEY.public_key(), subject=subject, lifetime=lifetime)
        return self.authority.issue(order).record

    def publish(self) -> list[str]:
        return [one.which.file_name for one in publish_due(self.authority, self.now).published]

    def crl(self, which: Which) -> x509.CertificateRevocationList:
        published = self.authority.store.publications.get(which)
        assert published is not None
        crl = x509.load_der_x509_crl(published.der)
        assert len(crl) == published.entries
        assert number_of(published.der) == published.record.number
        return crl

    def whole(self, which: Which) -> bytes:
        """The published list with entries that are all taken from the store anew."""
        published = self.store.publications.get(which)
        assert published is not None
        entries = self.store.publications.entries(published)
        assert entries.count == published.entries
        front, tail = around_entries(published.der)
        return b"".join((front, *entries.pieces.values(), tail))

    def listed(self, which: Which) -> dict[int, x509.ReasonFlags | None]:
        return {one.serial_number: reason_of(one) for one in self.crl(which)}


def reason_of(entry: x509.RevokedCertificate) -> x509.ReasonFlags | None:
    for extension in entry.extensions:
        if isinstance(extension.value, x509.CRLReason):
            return extension.value.reason
    return None
