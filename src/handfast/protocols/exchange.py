"""Request and Response: what a protocol is asked and answers, whatever server carries it (RFC 9110)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from cryptography import x509

from handfast.ca.authority import Authority

NO_HEADERS: Mapping[str, str] = {}
# A CSR with an RSA-4096 key, many names and line breaks is below 8 KiB; an ML-DSA-87 one below 16 KiB.
LARGEST_BODY = 65536


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """The authenticated other end of a TLS connection.

    chain: what it presented and TLS verified, leaf first; empty when it has no certificate, and never a statement
    about revocation. tls_unique: the channel binding of RFC 5929; None where it is not defined (TLS 1.3, plain HTTP,
    behind a proxy).
    """

    address: str
    chain: tuple[x509.Certificate, ...] = ()
    tls_version: str = ""
    is_resumed: bool = False
    tls_unique: bytes | None = None

    @property
    def certificate(self) -> x509.Certificate | None:
        """The one that the peer holds the key of."""
        return self.chain[0] if self.chain else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request, whole and bounded. path: as sent, decoded. parameters: from the route's braces. headers: lower case.

    is_secure: it came over TLS that ended in this process.
    """

    method: str
    path: str
    peer: Peer
    parameters: Mapping[str, str] = field(default_factory=dict)
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    is_secure: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What goes back. headers: beside Content-Type and Content-Length, which come from the other fields."""

    status: int = 200
    body: bytes = b""
    media_type: str = ""
    headers: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS)


Handler = Callable[[Request, Authority], Response]


@dataclass(frozen=True, slots=True)
class Prepared:
    """An answer (200) that lay ready. lines: its headers with type and length, each with its end of line."""

    lines: bytes
    body: bytes

    @classmethod
    def of(cls, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> "Prepared":
        """From headers by name, lower case."""
        return cls(header_lines(headers), body)


def header_lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Headers as they go out."""
    return b"".join(b"%s: %s\r\n" % header for header in headers)


# Asked on the event loop before anything else is done, with the body of a POST, or the raw path of a GET (percent
# signs and all, after the route's fixed beginning). It must neither wait nor sign; None: ask the handler.
Finder = Callable[[bytes, Authority], Prepared | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where a protocol answers. path: with names in braces, `{name:path}` for the rest with its slashes.

    is_plain: it is served without TLS too, since relying parties need it before they can trust anything.
    prepared: finds an answer that lies ready, for what is asked thousands of times a second.
    is_issuing: it mostly issues: such requests share their writes to the disk, and must not take long otherwise.
    """

    methods: tuple[str, ...]
    path: str
    handle: Handler
    largest_body: int = LARGEST_BODY
    is_plain: bool = False
    is_issuing: bool = False
    prepared: Finder | None = None
