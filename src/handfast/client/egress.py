"""The one egress client: every fetch that a certificate's own URLs cause goes through here, and is bounded."""

import http.client
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urljoin, urlsplit

from handfast.client.addresses import EgressPolicy, resolve
from handfast.errors import ConfigError, Malformed, Refused, Unavailable

_CHUNK = 1 << 16
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PORTS = {"http": 80, "https": 443}
_GIVE_IT = "try again later, or give the file yourself"


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent along with a POST: a body, its media type, more headers.

    wants_body: an answer without one (RFC 9110 section 15.3) is none; otherwise every success is.
    """

    body: bytes
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)
    wants_body: bool = True


def fetch(url: str, *, policy: EgressPolicy, message: Message | None = None) -> bytes:
    """The body that `url` answers with: GET, or POST of `message`.

    Raises Malformed for a URL that is not http(s), ConfigError for an address that may not be reached, Refused for an
    answer other than 200, Unavailable for everything that may pass.
    """
    place = url
    for _ in range(policy.redirects + 1):
        answer = _once(place, policy, message)
        if isinstance(answer, bytes):
            return answer
        place = urljoin(place, answer.url)
    if not policy.redirects:
        raise Unavailable(f"{url} redirects to another place, which is not followed", hint="give the URL of that place")
    raise Unavailable(f"{url} redirects more than {policy.redirects} times", hint=_GIVE_IT)


@dataclass(frozen=True, slots=True)
class _Redirect:
    url: str


def _once(url: str, policy: EgressPolicy, message: Message | None) -> bytes | _Redirect:
    parts = _parse(url)
    try:
        with _connected(parts, policy) as connection:
            return _exchange(connection, parts, policy, message)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unavailable(f"{url} cannot be fetched: {error or type(error).__name__}", hint=_GIVE_IT) from error


def _parse(url: str) -> SplitResult:
    hint = "only http and https URLs are fetched, without user names and in ASCII"
    try:
        parts = urlsplit(url)
        fine = parts.scheme in _PORTS and parts.hostname and parts.username is None and parts.port != 0
    except ValueError as error:
        raise Malformed(f"{url!r} is not a URL: {error}", hint=hint) from error
    if not fine or not url.isascii() or not url.isprintable() or " " in url:
        raise Malformed(f"{url!r} is not a URL that is fetched", hint=hint)
    return parts


@contextmanager
def _connected(parts: SplitResult, policy: EgressPolicy) -> Iterator[http.client.HTTPConnection]:
    """A connection to the one address that was checked; it is cut when the time for the whole fetch is over."""
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    address = resolve(host, port, policy)
    plain = socket.create_connection((str(address), port), timeout=policy.timeout)
    # A peer that trickles keeps every single read within its timeout: only cutting the connection ends that.
    timer = threading.Timer(policy.timeout, _cut, [plain])
    timer.daemon = True
    timer.start()
    connection = http.client.HTTPConnection(host, port, timeout=policy.timeout)
    try:
        secure = parts.scheme == "https"
        connection.sock = _trust(policy).wrap_socket(plain, server_hostname=host) if secure else plain
        yield connection
    finally:
        timer.cancel()
        connection.close()
        plain.close()


def _trust(policy: EgressPolicy) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if policy.anchors:
        context.load_verify_locations(cadata=policy.anchors)
    if policy.certificate:
        try:
            # Without a password nobody is asked for one at a terminal that is not there.
            context.load_cert_chain(policy.certificate, password="")
        except OSError as error:
            msg = f"{policy.certificate} cannot be presented: {error.strerror or error}"
            raise ConfigError(
                msg, hint="put the key, not encrypted, its certificate and chain into it, in PEM"
            ) from None
    return context


def _cut(plain: socket.socket) -> None:
    try:
        plain.shutdown(socket.SHUT_RDWR)
    except OSError:
        # It was closed meanwhile: nothing is left to cut.
        return


def _exchange(
    connection: http.client.HTTPConnection, parts: SplitResult, policy: EgressPolicy, message: Message | None
) -> bytes | _Redirect:
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"User-Agent": "handfast", "Accept": "*/*", "Connection": "close"}
    if message is None:
        connection.request("GET", target, headers=headers)
    else:
        headers |= {**message.headers, "Content-Type": message.content_type}
        connection.request("POST", target, body=message.body, headers=headers)
    response = connection.getresponse()
    location = response.getheader("Location")
    if response.status in _REDIRECTS and location:
        if parts.scheme == "https" and location.lower().startswith("http:"):
            raise ConfigError(f"{parts.geturl()} redirects from https to http", hint="give the file yourself")
        return _Redirect(location)
    if not _is_success(response.status, message):
        what = f"{parts.geturl()} answered {response.status} {response.reason}"
        raise Refused(what, hint=_GIVE_IT, code=str(response.status))
    return _body(response, parts.geturl(), policy)


def _is_success(status: int, message: Message | None) -> bool:
    if message is not None and not message.wants_body:
        return 200 <= status < 300
    return status == http.client.OK


def _body(response: http.client.HTTPResponse, url: str, policy: EgressPolicy) -> bytes:
    received = bytearray()
    while chunk := response.read(_CHUNK):
        received += chunk
        if len(received) > policy.largest:
            hint = "raise the limit if such a size is right, or give the file yourself"
            raise Malformed(f"{url} answers with more than {policy.largest} bytes", hint=hint)
    if response.length:
        raise Unavailable(f"{url} ended {response.length} bytes early", hint=_GIVE_IT)
    return bytes(received)
