"""The one SSLContext of ours: it delegates every connection to an immutable generation, so that all can be rotated.

A live context is never changed: loading a certificate into one that another thread uses crashes the interpreter.
"""

import os
import socket
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handfast.errors import ConfigError
from handfast.tls.revocations import Revocations


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate chain, leaf first, and its key, both PEM and the key not encrypted."""

    chain: str
    key: str


@dataclass(frozen=True, slots=True)
class Generation:
    """What is in force together: a context that nobody changes any more, and the revocations that go with it."""

    context: ssl.SSLContext
    revocations: Revocations | None = None


def server_generation(
    identity: Identity,
    *,
    client_roots: str,
    intermediates: str = "",
    revocations: Revocations | None = None,
    minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
    requires_client: bool = True,
) -> Generation:
    """A server's: clients need a certificate below client_roots (PEM), and get no ticket to resume with.

    A resumed session skips the chain, the clock and the revocations. TLS 1.2 can still resume by session identifier,
    as long as the generation lives: so a server asks handfast.tls.revocations about every connection, not OpenSSL's
    CRL flags. intermediates (PEM): CAs below the roots that complete the chain of a client who sends its certificate
    alone, as Chromium does to servers in Python, which name no CAs. Raises ConfigError for what does not load.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = minimum
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.num_tickets = 0
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
    _load(context, identity)
    # Not trusted by themselves: without X509_V_FLAG_PARTIAL_CHAIN every chain still has to end in a root.
    _trust(context, client_roots + intermediates)
    context.verify_mode = ssl.CERT_REQUIRED if requires_client else ssl.CERT_OPTIONAL
    return Generation(context, revocations)


def client_generation(identity: Identity | None, *, roots: str) -> Generation:
    """A client's: the server's name and chain are checked strictly against roots (PEM)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    if identity:
        _load(context, identity)
    _trust(context, roots)
    return Generation(context)


def _load(context: ssl.SSLContext, identity: Identity) -> None:
    """Python loads from files only: one for a moment, that nobody else can read, in memory where there are such."""
    with _file_of(f"{identity.key}\n{identity.chain}".encode("ascii")) as path:
        try:
            context.load_cert_chain(path)
        except (ssl.SSLError, OSError) as error:
            reason = getattr(error, "reason", "") or str(error)
            message = f"certificate and key cannot be loaded: {reason.replace('_', ' ').lower()}"
            raise ConfigError(message, hint="give the chain, leaf first, and the key that belongs to it") from None


@contextmanager
def _file_of(data: bytes) -> Iterator[str]:
    if hasattr(os, "memfd_create") and Path("/proc/self/fd").is_dir():
        with os.fdopen(os.memfd_create("handfast"), "wb", buffering=0) as memory:
            memory.write(data)
            yield f"/proc/self/fd/{memory.fileno()}"
        return
    with tempfile.TemporaryDirectory(prefix="handfast-") as directory:
        path = Path(directory) / "identity.pem"
        path.touch(mode=0o600)
        path.write_bytes(data)
        yield str(path)


def _trust(context: ssl.SSLContext, roots: str) -> None:
    try:
        context.load_verify_locations(cadata=roots)
    except (ssl.SSLError, ValueError) as error:
        message = f"the roots to trust cannot be loaded: {error}".lower()
        raise ConfigError(message, hint="give the root certificates in PEM") from None


class RotatingContext(ssl.SSLContext):
    """An SSLContext for anything that takes one. Assign `generation` to rotate everything at once.

    Connections that stand keep the generation that they began with.
    """

    generation: Generation

    def __new__(cls, generation: Generation) -> "RotatingContext":
        """Made as an ordinary context of the same kind, and then never used as one."""
        made = super().__new__(cls, generation.context.protocol)
        made.generation = generation
        return made

    def __init__(self, generation: Generation) -> None:
        """Everything was done when it was made."""

    def wrap_socket(self, sock: socket.socket, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        """A connection over a socket, by the generation of this moment."""
        return self.generation.context.wrap_socket(sock, *args, **kwargs)

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """A connection over memory, as asyncio makes it."""
        return self.generation.context.wrap_bio(*args, **kwargs)
