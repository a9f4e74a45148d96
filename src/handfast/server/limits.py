"""What one client may cost the service: bytes, connections and time, each with the reason for its default."""

from dataclasses import dataclass
from datetime import timedelta

# Larger than any head that a client of ours sends: a Basic or Bearer credential, a cookie or two of a proxy.
LARGEST_HEAD = 16384
MOST_HEADERS = 64
# An import or a bulk order through the API; a protocol's own routes say their own, smaller ones.
LARGEST_API_BODY = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """connections: on all listeners together. workers: threads in which handlers run.

    handshake: from the connection to the end of the TLS handshake. head, body: from the first byte to the last one.
    idle: a connection without a request. stall: an answer of which the client takes nothing. grace: how long a stop
    waits for requests that are being answered.
    """

    connections: int = 1000
    workers: int = 8
    handshake: timedelta = timedelta(seconds=10)
    head: timedelta = timedelta(seconds=10)
    body: timedelta = timedelta(seconds=20)
    idle: timedelta = timedelta(seconds=60)
    stall: timedelta = timedelta(seconds=20)
    grace: timedelta = timedelta(seconds=25)
    largest_head: int = LARGEST_HEAD
    most_headers: int = MOST_HEADERS
    largest_api_body: int = LARGEST_API_BODY
