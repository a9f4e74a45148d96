"""`handfast serve` from start to stop: listeners, the service's own certificate, jobs and signals."""

import asyncio
import gc
import importlib.util
import signal
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from cryptography import x509
from uvicorn.server import ServerState

from handfast.ca.authority import Authority
from handfast.errors import HandfastError
from handfast.keys.passphrase import PassphraseSource
from handfast.pki.pem import to_pem
from handfast.protocols import feed
from handfast.protocols.exchange import Route
from handfast.server.addresses import Address, bind
from handfast.server.app import API, App, Application
from handfast.server.connection import Terms
from handfast.server.descriptors import make_room_for
from handfast.server.desk import Desk
from handfast.server.feed import Feeds
from handfast.server.health import Health
from handfast.server.jobs import JOBS, claim_of, keep_running, record_refusals
from handfast.server.listener import Listener, config_of
from handfast.server.log import take_up_libraries
from handfast.server.metrics import Metrics
from handfast.server.notify import notify
from handfast.server.own_certificate import Held, OwnCertificate, own_certificate
from handfast.server.peers import Visitor, visitor_of
from handfast.server.ready import ready_of
from handfast.server.routing import protocol_routes, router_of
from handfast.server.serve_settings import Plan
from handfast.server.service import Service
from handfast.server.tenants import unlock_all
from handfast.server.ticking import keep_date
from handfast.server.workers import Workers
from handfast.tls.context import Generation, RotatingContext, server_generation

# How often the service looks whether its certificate is due. A certificate of an hour is still renewed in time.
LOOK = timedelta(minutes=1)
_COLLECT_AFTER = 50_000


@dataclass(frozen=True, slots=True, order=True)
class Served:
    """A path, as routes write it, or what all paths below it begin with. is_plain: plain HTTP answers it too."""

    path: str
    is_plain: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """Where it listens, and what is served there."""

    https: Address
    http: Address | None
    metrics: Address | None
    served: tuple[Served, ...]
    certificate: x509.Certificate


@dataclass(slots=True, kw_only=True)
class Serving:
    """One run of the service."""

    service: Service
    plan: Plan
    own: OwnCertificate
    opened: Callable[[Opened], None]
    workers: Workers
    desk: Desk
    health: Health
    metrics: Metrics
    context: RotatingContext
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _renewing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _held: Held | None = None

    async def run(self) -> int:
        """Serve until SIGTERM or SIGINT; how many requests had to be cut off."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._on_reload)
        listeners = self._listeners()
        tasks = [
            asyncio.create_task(self._keep_certificate()),
            asyncio.create_task(keep_date(listeners[0].state)),
            asyncio.create_task(keep_running(JOBS, self.service, self.health, claim_of(self.service))),
        ]
        for listener in listeners:
            listener.start()
        _settle_garbage()
        self._tell(listeners)
        notify("READY=1")
        await self._stop.wait()
        return await self._end(listeners, tasks)

    def take(self, held: Held) -> None:
        """Serve new connections with this certificate; those that stand keep theirs."""
        self.context.generation = generation_of(self.service, held, self.plan.minimum)
        self._held = held
        self.health.certificate_until = held.leaf.not_valid_after_utc

    def _listeners(self) -> list[Listener]:
        routes, state, limits = protocol_routes(), ServerState(), self.plan.limits
        # Each listener holds a place for whoever comes next.
        room = asyncio.Semaphore(
            limits.connections + sum(map(bool, (self.plan.https, self.plan.http, self.plan.metrics)))
        )

        def visitor(address: str, secured: Any) -> Visitor:
            met = visitor_of(address, secured, known_issuers(self.service))
            return met if secured is None else self.metrics.met(met)

        def authority(tenant: str) -> Authority | None:
            return self.service.authorities.get(tenant)

        def listener(listening: socket.socket, app: App, served: Sequence[Route]) -> Listener:
            terms = Terms(
                config=config_of(app, limits),
                state=state,
                limits=limits,
                log=self.service.log,
                visitor_of=visitor,
                ready=ready_of(served, authority, self._counter),
            )
            return Listener(listening, terms, room, self.context if app.is_secure else None)

        found = [listener(bind(self.plan.https), self._app(routes, is_secure=True), routes)]
        if self.plan.http is not None:
            plain = tuple(route for route in routes if route.is_plain)
            found.append(listener(bind(self.plan.http), self._app(plain, is_secure=False), plain))
        if self.plan.metrics is not None:
            found.append(listener(bind(self.plan.metrics), self._app((), is_secure=False, shows_metrics=True), ()))
        return found

    def _app(self, routes: Sequence[Route], *, is_secure: bool, shows_metrics: bool = False) -> App:
        return App(
            service=self.service,
            router=router_of(routes),
            limits=self.plan.limits,
            workers=self.workers,
            desk=self.desk,
            health=self.health,
            is_secure=is_secure,
            api=api_of(self.service) if is_secure else None,
            feed=Feeds(self.service, self.workers, self.health) if is_secure else None,
            metrics=self.metrics,
            shows_metrics=shows_metrics,
            logs_requests=self.service.settings.serve.log_requests,
        )

    def _counter(self, path: str) -> Callable[[str], None]:
        metrics = self.metrics
        counters = {
            tenant: (metrics.requests.labels(tenant, path, 200).inc, metrics.ready.labels(tenant, path).inc)
            for tenant in self.service.authorities
        }

        def seen(tenant: str) -> None:
            for count in counters[tenant]:
                count()

        return seen

    def _tell(self, listeners: Sequence[Listener]) -> None:
        if self._held is None:
            return
        addresses = [listener.address for listener in listeners]
        self.opened(
            Opened(
                https=addresses[0],
                http=addresses[1] if self.plan.http else None,
                metrics=addresses[-1] if self.plan.metrics else None,
                served=all_served(),
                certificate=self._held.leaf,
            )
        )

    async def _keep_certificate(self) -> None:
        while True:
            await asyncio.sleep(LOOK.total_seconds())
            if self._held is None or self._held.is_due(self.service.clock()):
                await self._renew()

    async def _renew(self) -> None:
        async with self._renewing:
            try:
                held = await asyncio.to_thread(self.own.renewed)
                self.take(held)
            except HandfastError as error:
                self.service.log("certificate.not-renewed", why=error.message, hint=error.hint)
                return
        self.service.log("certificate.renewed", until=held.leaf.not_valid_after_utc.isoformat())

    def _on_reload(self) -> None:
        task = asyncio.get_running_loop().create_task(self._reload())
        task.add_done_callback(lambda done: done.exception())

    async def _reload(self) -> None:
        """SIGHUP: take up issuers that were added, and renew the certificate."""
        notify("RELOADING=1")
        try:
            await asyncio.to_thread(self.service.reload)
            await self._renew()
        except HandfastError as error:
            self.service.log("reload.failed", why=error.message, hint=error.hint)
        notify("READY=1")

    async def _end(self, listeners: Sequence[Listener], tasks: "Sequence[asyncio.Task[None]]") -> int:
        notify("STOPPING=1")
        self.health.is_stopping = True
        self.service.log("service.stopping")
        for task in tasks:
            task.cancel()
        grace = self.plan.limits.grace.total_seconds()
        late = max(await asyncio.gather(*(listener.stop(grace) for listener in listeners)))
        await asyncio.to_thread(self._record_refusals)
        self.service.log("service.stopped", cut_off=late)
        return late

    def _record_refusals(self) -> None:
        try:
            record_refusals(self.service, everything=True)
        except HandfastError as error:
            self.service.log("refusals.not-recorded", why=error.message)


def serve(service: Service, plan: Plan, passphrase: PassphraseSource, opened: Callable[[Opened], None]) -> int:
    """Serve until told to stop; how many requests had to be cut off. opened: told once, when it listens.

    Raises ConfigError when an address or a setting cannot work, and what issuing the own certificate raises.
    """
    metrics = Metrics(service)
    service.log = metrics.counting(service.log)
    take_up_libraries(service.log)
    make_room_for(plan.limits.connections)
    unlock_all(service)
    own = own_certificate(service, plan.names, passphrase)
    held = own.current()
    workers = Workers(plan.limits.workers)
    context = RotatingContext(generation_of(service, held, plan.minimum))
    with asyncio.Runner(loop_factory=_new_loop) as runner:
        desk = Desk(runner.get_loop())
        metrics.queue.labels("requests").set_function(lambda: workers.waiting + desk.waiting)
        serving = Serving(
            service=service,
            plan=plan,
            own=own,
            opened=opened,
            workers=workers,
            desk=desk,
            health=Health(service),
            metrics=metrics,
            context=context,
        )
        serving.take(held)
        workers.start()
        desk.start()
        try:
            return runner.run(serving.run())
        finally:
            workers.stop()
            desk.stop()


def generation_of(service: Service, held: Held, minimum: ssl.TLSVersion) -> Generation:
    """What TLS goes by: this certificate, and the CAs of all tenants for those who bring one of their own."""
    issuers = known_issuers(service)
    roots = [one for one in issuers if one.subject == one.issuer]
    between = [one for one in issuers if one.subject != one.issuer]
    return server_generation(
        held.identity(),
        client_roots="".join(map(to_pem, roots)),
        intermediates="".join(map(to_pem, between)),
        minimum=minimum,
        requires_client=False,
    )


def known_issuers(service: Service) -> tuple[x509.Certificate, ...]:
    """Every CA certificate of every tenant, each once."""
    issuers = [one for authority in service.authorities.values() for one in authority.issuers.values()]
    return tuple(dict.fromkeys(certificate for one in issuers for certificate in (one.certificate, *one.chain)))


def all_served() -> tuple[Served, ...]:
    """What HTTPS answers, in order: the protocols, the feed, and the API where it is installed."""
    found = {Served(route.path, route.is_plain) for route in protocol_routes()} | {Served(feed.PATH)}
    return tuple(sorted(found | {Served(API)} if has_api() else found))


def has_api() -> bool:
    """Whether what the REST API is made of is installed."""
    return importlib.util.find_spec("fastapi") is not None


def api_of(service: Service) -> Application | None:
    """The REST API, where it is installed."""
    if not has_api():
        return None
    application: Application = importlib.import_module("handfast.server.api").make_api(service)
    return application


def _new_loop() -> asyncio.AbstractEventLoop:
    """uvloop's where it is installed: a third less time for each request."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _settle_garbage() -> None:
    """What is there now stays: the collector need not look at it again, nor look often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 20, 50)
