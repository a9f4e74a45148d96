"""handfast's own HTTPS server in the small: it greets whoever comes with the identity that it saw."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509

from handfast.pki.oids import CLIENT_AUTH
from handfast.tls.context import Generation, RotatingContext

# Whoever has not finished a handshake and a request by then is not a client.
PATIENCE = 20.0
_LARGEST_REQUEST = 16384
_MOST_CONNECTIONS = 64
Log = Callable[[str], None]


@dataclass(slots=True)
class Greeter:
    """A server that listens from start() to stop(). Assign context.generation to rotate what it goes by.

    now: the clock. log: is told one line about every refusal, without names and numbers of those let in.
    """

    context: RotatingContext
    now: Callable[[], datetime]
    log: Log
    _listener: socket.socket | None = None
    _threads: list[threading.Thread] = field(default_factory=list)
    _places: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(_MOST_CONNECTIONS))

    def start(self, host: str, port: int) -> int:
        """Listen; gives the port (port 0: any that is free)."""
        listener = socket.create_server((host, port), backlog=64)
        listener.settimeout(0.2)
        self._listener = listener
        thread = threading.Thread(target=self._serve, args=(listener,), daemon=True)
        thread.start()
        self._threads = [thread]
        return int(listener.getsockname()[1])

    def stop(self) -> None:
        """Listen no more. Connections that stand end by themselves."""
        listener = self._listener
        if listener is not None:
            self._listener = None
            for thread in self._threads:
                thread.join()
            listener.close()

    def alive(self) -> bool:
        """Whether it listens."""
        return self._listener is not None

    def _serve(self, listener: socket.socket) -> None:
        while self._listener is listener:
            try:
                raw, _ = listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            self._places.acquire()
            threading.Thread(target=self._connection, args=(raw,), daemon=True).start()

    def _connection(self, raw: socket.socket) -> None:
        try:
            with raw:
                raw.settimeout(PATIENCE)
                self._greet(raw, self.context.generation)
        except (OSError, EOFError) as error:
            self.log(f"refused in the handshake: {_reason(error)}")
        finally:
            self._places.release()

    def _greet(self, raw: socket.socket, generation: Generation) -> None:
        with generation.context.wrap_socket(raw, server_side=True) as secured:
            read_request(secured)
            peer = secured.getpeercert(binary_form=True)
            if not peer:
                self.log("refused: no certificate")
                respond(secured, 403, "no certificate")
                return
            certificate = x509.load_der_x509_certificate(peer)
            against = self._reason_against(certificate, generation)
            if against:
                self.log(f"refused: {against}")
                respond(secured, 403, against)
            else:
                respond(secured, 200, f"hello {certificate.subject.rfc4514_string()}")
            with contextlib.suppress(OSError):
                secured.unwrap()

    def _reason_against(self, certificate: x509.Certificate, generation: Generation) -> str | None:
        if not is_for_clients(certificate):
            return "certificate not made for clients"
        return generation.revocations.reason_against(certificate, self.now()) if generation.revocations else None


def is_for_clients(certificate: x509.Certificate) -> bool:
    """Whether it says so: OpenSSL takes one without extensions for good for everything (RFC 5280 section 4.2.1.12)."""
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    return CLIENT_AUTH in usages


def read_request(secured: ssl.SSLSocket) -> bytes:
    """The head of one request, bounded. Raises EOFError when the client ends before it does."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = secured.recv(4096)
        if not piece or len(data) > _LARGEST_REQUEST:
            raise EOFError("no whole request")
        data += piece
    return data


def respond(secured: ssl.SSLSocket, status: int, text: str) -> None:
    """One answer in plain text, and the end of the connection."""
    body = (text + "\n").encode("utf-8", "replace")
    words = {200: "OK", 403: "Forbidden"}[status]
    head = (
        f"HTTP/1.1 {status} {words}\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    secured.sendall(head.encode() + body)


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message.lower()
    return (getattr(error, "reason", None) or str(error)).replace("_", " ").lower()
