"""The settings below [serve]: what `handfast serve` goes by."""

import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from handfast.errors import ConfigError, Malformed
from handfast.pki.names import Name, parse_name, parse_names
from handfast.server.addresses import Address, parse_address
from handfast.server.limits import Limits

TLS_VERSIONS = {"1.3": ssl.TLSVersion.TLSv1_3, "1.2": ssl.TLSVersion.TLSv1_2}
# What a client on the same machine calls it.
_LOCAL = ("localhost", "127.0.0.1", "::1")
_DEFAULTS = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to serve where. https, http: the addresses; without http, nothing is served in plain.

    metrics: where Prometheus asks, in plain; None for nowhere.
    """

    https: Address
    http: Address | None
    names: tuple[Name, ...]
    metrics: Address | None = None
    minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeSettings:
    """As in handfast.toml. http: empty for no plain listener. names: empty for the machine's own."""

    listen: str = "127.0.0.1:8443"
    http: str = "127.0.0.1:8080"
    metrics: str = ""
    names: tuple[str, ...] = ()
    tls_minimum: str = "1.3"
    connections: int = _DEFAULTS.connections
    workers: int = _DEFAULTS.workers
    handshake_timeout: timedelta = _DEFAULTS.handshake
    request_timeout: timedelta = _DEFAULTS.body
    idle_timeout: timedelta = _DEFAULTS.idle
    stop_timeout: timedelta = _DEFAULTS.grace
    largest_body: int = _DEFAULTS.largest_api_body
    log_requests: bool = False

    def plan(self, *, listen: str | None, http: str | None, names: Sequence[str], metrics: str | None = None) -> Plan:
        """What to serve; what was given on the command line goes before the settings. Raises ConfigError."""
        plain = self.http if http is None else http
        shown = self.metrics if metrics is None else metrics
        return Plan(
            https=parse_address(listen or self.listen),
            http=parse_address(plain) if plain else None,
            metrics=parse_address(shown) if shown else None,
            names=_names(names or self.names),
            minimum=_version(self.tls_minimum),
            limits=Limits(
                connections=self.connections,
                workers=self.workers,
                handshake=self.handshake_timeout,
                head=self.handshake_timeout,
                body=self.request_timeout,
                stall=self.request_timeout,
                idle=self.idle_timeout,
                grace=self.stop_timeout,
                largest_api_body=self.largest_body,
            ),
        )


def _names(given: Sequence[str]) -> tuple[Name, ...]:
    try:
        return parse_names(given) if given else tuple(map(parse_name, [*_machine(), *_LOCAL]))
    except Malformed as malformed:
        raise ConfigError(f"the names of the service: {malformed.message}", hint=malformed.hint) from None


def _machine() -> list[str]:
    """The machine's host name, when it is one that a certificate can say."""
    name = socket.gethostname()
    try:
        parse_name(f"dns:{name}")
    except Malformed:
        return []
    return [] if name in _LOCAL else [f"dns:{name}"]


def _version(text: str) -> ssl.TLSVersion:
    if text not in TLS_VERSIONS:
        raise ConfigError(f"serve.tls_minimum cannot be {text!r}", hint='write "1.3" or, for old clients, "1.2"')
    return TLS_VERSIONS[text]
