"""Addresses to listen at: read, and bound."""

import os
import socket
from dataclasses import dataclass

from handfast.errors import ConfigError

_BACKLOG = 512


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port; port 0: any that is free."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """`host:port`, `[address]:port`, or `:port` for every address of the machine. Raises ConfigError."""
    host, colon, port = text.rpartition(":")
    is_bracketed = host.startswith("[") and host.endswith("]")
    is_ambiguous = ":" in host and not is_bracketed
    if not colon or is_ambiguous or not port.isascii() or not port.isdigit() or int(port) > 65535:
        hint = "write it as 127.0.0.1:8443 or [::1]:8443: an IPv6 address needs brackets"
        raise ConfigError(f"{text!r} is no address to listen at", hint=hint)
    return Address((host[1:-1] if is_bracketed else host) or "::", int(port))


def bind(address: Address) -> socket.socket:
    """A socket that listens there; `::` takes IPv4 too. Raises ConfigError."""
    is_six = ":" in address.host
    if address.host == "::" and not socket.has_dualstack_ipv6():
        is_six, address = False, Address("0.0.0.0", address.port)  # noqa: S104  # every address, as asked
    try:
        listening = socket.create_server(
            (address.host, address.port),
            family=socket.AF_INET6 if is_six else socket.AF_INET,
            backlog=_BACKLOG,
            dualstack_ipv6=is_six and address.host == "::",
        )
    except OSError as error:
        msg = f"cannot listen at {address}: {_reason(error)}"
        raise ConfigError(msg, hint="choose another address or port, or end what listens there") from None
    listening.setblocking(False)
    return listening


def _reason(error: OSError) -> str:
    """The system's words: Python repeats the address behind them. Numbers below zero are the resolver's."""
    if error.errno is None or error.errno < 0:
        return (error.strerror or str(error)).partition(" (while attempting")[0].lower()
    return os.strerror(error.errno).lower()
