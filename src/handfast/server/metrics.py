"""Metrics for Prometheus: what the service does, what it refuses and why, and how long what it has will last."""

import threading
from collections import Counter as Tally
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from handfast.ca.authority import Authority
from handfast.ca.due import ages
from handfast.ca.published import Which
from handfast.ca.records import AuditEvent
from handfast.errors import HandfastError
from handfast.protocols.exchange import Response
from handfast.server.log import Log, Value
from handfast.server.peers import Visitor
from handfast.server.service import DEFAULT_TENANT, Service

_NAMESPACE = "handfast"
_DAY = timedelta(days=1)
# A scrape reads at most so many events; the next one goes on.
_MOST_EVENTS = 50_000
_PIECE = 5_000
_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
ISSUED, REFUSED, REVOKED = "certificate.issued", "certificate.refused", "certificate.revoked"


@dataclass(slots=True)
class Metrics:
    """Everything that is counted. One for a service; safe to use from many threads.

    What happened to certificates is counted from the audit log, whichever replica did it; so it costs nothing when it
    happens, and every replica says the same.
    """

    service: Service
    registry: CollectorRegistry = field(default_factory=lambda: CollectorRegistry(auto_describe=True))
    _cursors: dict[str, int] = field(default_factory=dict)
    _reading: threading.Lock = field(default_factory=threading.Lock)
    requests: Counter = field(init=False)
    ready: Counter = field(init=False)
    handshakes: Counter = field(init=False)
    failed_handshakes: Counter = field(init=False)
    validation: Histogram = field(init=False)
    events: Counter = field(init=False)
    issued: Counter = field(init=False)
    refused: Counter = field(init=False)
    crl_age: Gauge = field(init=False)
    crl_left: Gauge = field(init=False)
    crls_late: Gauge = field(init=False)
    ca_days: Gauge = field(init=False)
    nearest_ca: Gauge = field(init=False)
    queue: Gauge = field(init=False)

    def __post_init__(self) -> None:
        self.requests = self._counter("requests", "Requests by route and status.", "tenant", "route", "status")
        self.ready = self._counter(
            "answers_ready", "Answers that lay ready, as OCSP's, of the requests.", "tenant", "route"
        )
        self.handshakes = self._counter("tls_handshakes", "TLS handshakes that came to an end.", "kind", "certificate")
        self.failed_handshakes = self._counter("tls_handshakes_failed", "TLS handshakes that failed.", "reason")
        self.validation = Histogram(
            "validation_seconds",
            "How long it took to look up how a peer's certificate stands.",
            ("tenant",),
            namespace=_NAMESPACE,
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.events = self._counter("events", "Audit events of the authority.", "tenant", "action")
        self.issued = self._counter("certificates_issued", "Certificates issued.", "tenant", "profile")
        self.refused = self._counter("certificates_refused", "Requests that were refused.", "tenant", "reason")
        self.crl_age = self._gauge("crl_age_seconds", "Time since the last CRL began.", "tenant", "issuer")
        self.crl_left = self._gauge("crl_left_seconds", "Time until the last CRL ends.", "tenant", "issuer")
        text = "CRLs, shards and deltas too, whose last quarter of life has begun."
        self.crls_late = self._gauge("crls_late", text, "tenant", "issuer")
        self.ca_days = self._gauge("ca_days_left", "Days until a CA certificate ends.", "tenant", "issuer")
        self.nearest_ca = self._gauge("nearest_ca_days_left", "Days until the first CA certificate ends.", "tenant")
        self.queue = self._gauge("queue_depth", "What waits: requests for a worker, notices to be delivered.", "queue")
        # Before the first request, and not at the first scrape: what happens in between is counted too.
        self._cursors = {name: one.store.last_event_id() for name, one in self.service.authorities.items()}

    def met(self, visitor: Visitor) -> Visitor:
        """Count the handshake that brought this visitor."""
        peer = visitor.peer
        kind = "resumed" if peer.is_resumed else "full"
        self.handshakes.labels(kind, "presented" if peer.chain else "none").inc()
        return visitor

    def answered(self, tenant: str, route: str, status: int) -> None:
        """Count a request. A tenant that there is not is counted as none: a label is never a client's choice."""
        known = tenant if tenant in self.service.authorities else DEFAULT_TENANT
        self.requests.labels(known, route, status).inc()

    def counting(self, log: Log) -> Log:
        """The same log, with the handshakes that fail counted by their reason."""

        def counted(event: str, **fields: Value) -> None:
            if event == "handshake.failed":
                self.failed_handshakes.labels(str(fields.get("why", ""))[:80]).inc()
            log(event, **fields)

        return counted

    def answer(self) -> Response:
        """The page for Prometheus. Reads the store."""
        waiting = [self._gather(tenant, authority) for tenant, authority in self.service.authorities.items()]
        self.queue.labels("notices").set(sum(waiting))
        body = generate_latest(self.registry)
        return Response(body=body, media_type=CONTENT_TYPE_LATEST, headers={"cache-control": "no-store"})

    def _gather(self, tenant: str, authority: Authority) -> int:
        """Read one tenant's store; how many of its notices wait."""
        try:
            with self._reading:
                for event in self._new_events(tenant, authority):
                    self._count(tenant, event)
            self._look_at_issuers(tenant, authority)
            return authority.store.notices.waiting()
        except HandfastError as error:
            # What is counted in the process is told all the same.
            self.service.log("metrics.incomplete", why=error.message, tenant=tenant or None)
            return 0

    def _new_events(self, tenant: str, authority: Authority) -> Iterator[AuditEvent]:
        """Those since the last scrape; for the first one, since the service began."""
        left = _MOST_EVENTS
        while left > 0:
            piece = authority.store.events(after=self._cursors[tenant], limit=_PIECE)
            yield from piece
            left -= len(piece)
            if piece:
                self._cursors[tenant] = piece[-1].id
            if len(piece) < _PIECE:
                return

    def _count(self, tenant: str, event: AuditEvent) -> None:
        self.events.labels(tenant, event.action).inc()
        if event.action == ISSUED:
            self.issued.labels(tenant, event.detail.get("profile", "")).inc()
        elif event.action == REFUSED:
            codes = [code for code in event.detail.get("findings", "").split(",") if code]
            for reason, count in Tally(codes or [event.detail.get("error", "")]).items():
                self.refused.labels(tenant, reason).inc(count)

    def _look_at_issuers(self, tenant: str, authority: Authority) -> None:
        now = authority.clock()
        days = []
        for issuer in authority.issuers.values():
            days.append((issuer.certificate.not_valid_after_utc - now) / _DAY)
            self.ca_days.labels(tenant, issuer.name).set(days[-1])
        if days:
            self.nearest_ca.labels(tenant).set(min(days))
        self._look_at_lists(tenant, authority, now)

    def _look_at_lists(self, tenant: str, authority: Authority, now: datetime) -> None:
        lists = ages(authority)
        for name in authority.issuers:
            late = sum(one.is_late(now) for one in lists if one.which.issuer == name)
            self.crls_late.labels(tenant, name).set(late)
        for one in lists:
            if one.which == Which(one.which.issuer):
                self.crl_age.labels(tenant, one.which.issuer).set((now - one.this_update).total_seconds())
                self.crl_left.labels(tenant, one.which.issuer).set((one.next_update - now).total_seconds())

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, namespace=_NAMESPACE, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, namespace=_NAMESPACE, registry=self.registry)
