"""A connection to the REST API of a service: over TLS, kept open, with bounded answers (RFC 9110)."""

import http.client
import json
import ssl
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from handfast.client.problems import error_of
from handfast.errors import ConfigError, HandfastError, Malformed, Refused, Unavailable

TIMEOUT = 60.0
LARGEST = 64 * 1024 * 1024
# Services close what idles; who asks on such a connection cannot know whether the request arrived.
_FRESH = 5.0
_HOSTNAME_MISMATCH = {62, 64}  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
_Broken = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, ssl.SSLEOFError)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a service is. path: of the tenant below it, or empty."""

    host: str
    port: int
    path: str

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"https://{host}:{self.port}{self.path}"


def parse_address(text: str) -> Address:
    """`https://ca.example.org:8443`, also with `/t/TENANT`; the scheme may be left out. Raises ConfigError."""
    hint = "write it as https://ca.example.org:8443"
    full = text if "://" in text else f"https://{text}"
    try:
        parts = urlsplit(full)
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"{text!r} is no address of a service: {error}", hint=hint) from None
    if parts.scheme != "https":
        raise ConfigError(
            f"the service {text!r} is not asked over {parts.scheme}: keys and secrets need TLS", hint=hint
        )
    if not parts.hostname or parts.username is not None or parts.query or parts.fragment or not full.isascii():
        raise ConfigError(f"{text!r} is no address of a service", hint=hint)
    return Address(parts.hostname, 443 if port is None else port, parts.path.rstrip("/").removesuffix("/api"))


@dataclass(slots=True, eq=False)
class Api:
    """One connection, made when it is first needed. context: trusts the service, shows a certificate. secret: or that.

    Not for several threads.
    """

    address: Address
    context: ssl.SSLContext
    secret: str | None = None
    timeout: float = TIMEOUT
    _connection: http.client.HTTPSConnection | None = None
    _answered: float = 0.0

    def get(self, *segments: str, **query: object) -> dict[str, Any]:
        """The document there; what is None in the query is left out. Raises what ask() raises."""
        given = {name: value for name, value in query.items() if value is not None}
        return self.ask("GET", path_of(*segments) + (f"?{urlencode(given)}" if given else ""), safe=True)

    def post(
        self, *segments: str, body: Mapping[str, object] | None = None, once: bool = False, again: bool = False
    ) -> dict[str, Any]:
        """The answer to a document. once: done once, however often it is sent, and without secrets in the answer.

        again: by itself it is of a kind that may be sent twice.
        """
        key = str(uuid.uuid4()) if once else None
        return self.ask("POST", path_of(*segments), body=body, safe=once or again, key=key)

    def delete(self, *segments: str) -> dict[str, Any]:
        """End what is there."""
        return self.ask("DELETE", path_of(*segments))

    def another(self) -> "Api":
        """A connection of its own to the same service, by the same proof: for another thread."""
        return Api(self.address, self.context, self.secret, self.timeout)

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, object] | None = None,
        safe: bool = False,
        key: str | None = None,
    ) -> dict[str, Any]:
        """One request, sent again over a new connection when it broke and sending again is safe. key: of idempotency.

        Raises the error that the service tells of, Unavailable when it does not answer, ConfigError when it is not the
        one that is trusted, Refused when it does not take the client's certificate, Malformed for no such answer.
        """
        headers = self._headers(key, has_body=body is not None)
        data = None if body is None else json.dumps(body).encode()
        received = self._sent(method, f"/api{path}", data, headers, safe=safe)
        return _document(received) if received else {}

    def fetch(self, path: str, message: bytes | None = None, media_type: str = "") -> bytes:
        """What the service gives to everybody, beside its API: GET, or POST of a message. Raises what ask() raises."""
        headers = {"User-Agent": "handfast"}
        if message is not None:
            headers["Content-Type"] = media_type
        return self._sent("GET" if message is None else "POST", path, message, headers, safe=True)

    def _sent(self, method: str, path: str, data: bytes | None, headers: Mapping[str, str], *, safe: bool) -> bytes:
        try:
            try:
                return self._once(method, path, data, headers)
            except _Broken:
                if not safe:
                    raise
                self.close()
                return self._once(method, path, data, headers)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise self._error(error) from error

    def close(self) -> None:
        """End the connection; the next request makes another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _once(self, method: str, path: str, data: bytes | None, headers: Mapping[str, str]) -> bytes:
        if self._connection is not None and time.monotonic() - self._answered > _FRESH:
            self.close()
        if self._connection is None:
            address = self.address
            self._connection = http.client.HTTPSConnection(
                address.host, address.port, context=self.context, timeout=self.timeout
            )
        self._connection.request(method, f"{self.address.path}{path}", body=data, headers=dict(headers))
        response = self._connection.getresponse()
        received = self._body(response)
        self._answered = time.monotonic()
        if not 200 <= response.status < 300:
            raise error_of(response.status, received, response.getheader("Retry-After"))
        return received

    def _body(self, response: http.client.HTTPResponse) -> bytes:
        received = response.read(LARGEST + 1)
        if len(received) > LARGEST:
            self.close()
            raise Malformed(f"the service answers with more than {LARGEST} bytes", hint="ask for less at once")
        return received

    def _headers(self, key: str | None, *, has_body: bool) -> dict[str, str]:
        headers = {"User-Agent": "handfast", "Accept": "application/json"}
        if has_body:
            headers["Content-Type"] = "application/json"
        if key is not None:
            headers["Idempotency-Key"] = key
        if self.secret is not None:
            headers["Authorization"] = f"Bearer {self.secret}"
        return headers

    def _error(self, error: Exception) -> HandfastError:
        if isinstance(error, ssl.SSLCertVerificationError):
            return self._distrusted(error)
        if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
            reason = (error.reason or str(error)).replace("_", " ").lower()
            hint = "check the client certificate: it must be of the service's authority, and valid now"
            if error.reason == "WRONG_VERSION_NUMBER":
                hint = "check the port: what answers there speaks no TLS; handfast serve says where HTTPS is"
            return Refused(f"no TLS connection to {self.address}: {reason}", hint=hint, code=error.reason or "tls")
        if isinstance(error, _Broken):
            hint = (
                "try again; if it stays so, check that the client certificate is of the service's authority, and valid"
            )
            return Unavailable(f"the service {self.address} ended the connection without an answer", hint=hint)
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        hint = "check the address, and that the service runs: handfast serve"
        return Unavailable(f"the service {self.address} does not answer: {reason.lower()}", hint=hint)

    def _distrusted(self, error: ssl.SSLCertVerificationError) -> HandfastError:
        if error.verify_code in _HOSTNAME_MISMATCH:
            hint = "call it by a name of its certificate; the setting serve.names of the service says which"
            return ConfigError(f"the certificate of the service is not for {self.address.host}", hint=hint)
        hint = "give the root of its authority with --server-ca: certificates/root.pem there, ca.pem beside a key"
        why = error.verify_message or str(error)
        return ConfigError(f"the service {self.address} is not to be trusted: {why}", hint=hint)


def path_of(*segments: str) -> str:
    """A path of these segments, whatever characters they have."""
    return "".join(f"/{quote(segment, safe='')}" for segment in segments)


def _document(data: bytes) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise Malformed("the service's answer is no JSON document", hint="check that the address is a handfast service")
    return document
