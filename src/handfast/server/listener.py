"""A listener: accepts connections within a bound, brings TLS up within a time, and stops without cutting off."""

import asyncio
import socket
import ssl
from dataclasses import dataclass, field

from uvicorn.config import Config
from uvicorn.server import ServerState

from handfast.server.addresses import Address
from handfast.server.app import Application
from handfast.server.connection import Connection, Terms
from handfast.server.limits import Limits
from handfast.tls.context import RotatingContext

# Between two looks at connections that are to end: nobody waits for this one but a stop.
_LOOK = 0.05
# How soon it is looked again for a connection that makes room, and how long a handshake may take when room is wanted.
_AGAIN = 0.25
_FAIR = 1.0
# How long a connection may take to say goodbye.
_FAREWELL = 3.0
# Octets that the system holds of an answer before they are on their way. It would take megabytes, and say for long that
# a slow client takes nothing.
_UNSENT = 131072


def config_of(application: Application, limits: Limits) -> Config:
    """uvicorn's own settings, for its protocol."""
    config = Config(
        app=application,
        interface="asgi3",
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=round(limits.idle.total_seconds()),
    )
    config.load()
    return config


@dataclass(slots=True)
class Listener:
    """One socket. context: None for plain HTTP. room: a place for each connection, shared by all listeners."""

    listening: socket.socket
    terms: Terms
    room: asyncio.Semaphore
    context: RotatingContext | None = None
    _accepting: "asyncio.Task[None] | None" = None
    _arriving: "dict[asyncio.Task[None], float]" = field(default_factory=dict)

    def start(self) -> None:
        """Accept from now on."""
        self._accepting = asyncio.create_task(self._accept())

    @property
    def address(self) -> Address:
        """Where it listens."""
        host, port = self.listening.getsockname()[:2]
        return Address(host, port)

    @property
    def state(self) -> ServerState:
        """The connections that stand."""
        return self.terms.state

    async def stop(self, grace: float) -> int:
        """Accept no more, let what is being answered finish, and end the rest; how many had to be cut off."""
        if self._accepting is not None:
            self._accepting.cancel()
        self.listening.close()
        for task in list(self._arriving):
            task.cancel()
        for connection in list(self.state.connections):
            connection.shutdown()
        loop = asyncio.get_running_loop()
        end = loop.time() + grace
        while (self.state.tasks or self._is_asked()) and loop.time() < end:
            await asyncio.sleep(_LOOK)
        late = len(self.state.tasks)
        for task in list(self.state.tasks):
            task.cancel()
        end = loop.time() + _FAREWELL
        while self.state.connections and loop.time() < end:
            await asyncio.sleep(_LOOK)
        for connection in list(self.state.connections):
            connection.transport.abort()
        return late

    def _is_asked(self) -> bool:
        return any(isinstance(one, Connection) and one.is_asking() for one in self.state.connections)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._place()
            try:
                raw, _ = await loop.sock_accept(self.listening)
            except OSError as error:
                # Out of descriptors, most likely: one that idles ends for the newcomer.
                self.room.release()
                self.terms.log("accept.failed", why=error.strerror)
                self._make_room()
                await asyncio.sleep(_AGAIN)
                continue
            except asyncio.CancelledError:
                self.room.release()
                raise
            task = asyncio.create_task(self._arrive(raw))
            self._arriving[task] = loop.time()
            task.add_done_callback(lambda done: self._arriving.pop(done, None))

    async def _place(self) -> None:
        """A place for one more: where none is free, others are asked to make room, again and again."""
        while True:
            if self.room.locked():
                self._make_room()
            try:
                async with asyncio.timeout(_AGAIN):
                    await self.room.acquire()
                return
            except TimeoutError:
                continue

    def _make_room(self) -> None:
        """End the connection that idles longest, or else the slowest handshake, rather than let a newcomer wait."""
        idle = [one for one in self.state.connections if isinstance(one, Connection) and one.is_idle()]
        idle = [one for one in idle if not one.transport.is_closing()]
        if idle:
            transport = min(idle, key=lambda one: one.idle_since).transport
            transport.close()
            asyncio.get_running_loop().call_later(_FAREWELL, transport.abort)
            return
        oldest = min(self._arriving, key=self._arriving.__getitem__, default=None)
        if oldest is not None and self._arriving[oldest] < asyncio.get_running_loop().time() - _FAIR:
            oldest.cancel()

    async def _arrive(self, raw: socket.socket) -> None:
        """Bring the connection up; its place is free again when it ends."""
        loop = asyncio.get_running_loop()
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT)
        made: list[Connection] = []

        def protocol() -> Connection:
            made.append(Connection(self.terms, loop, self.room.release))
            return made[0]

        secured = self.context is not None
        try:
            await loop.connect_accepted_socket(
                protocol,
                raw,
                ssl=self.context,
                ssl_handshake_timeout=self.terms.limits.handshake.total_seconds() if secured else None,
                # The rest of an answer belongs to it.
                ssl_shutdown_timeout=self.terms.limits.stall.total_seconds() if secured else None,
            )
        except (OSError, ssl.SSLError) as error:
            self.terms.log("handshake.failed", why=_reason(error))
        finally:
            if not (made and made[0].is_up):
                raw.close()
                self.room.release()


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message.lower()
    return (getattr(error, "reason", None) or error.strerror or str(error) or "no handshake").replace("_", " ").lower()
