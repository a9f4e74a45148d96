"""Somebody between a client and a service, for tests: TLS that the client trusts, and answers that were exchanged."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from handfast.ca.order import Order
from handfast.keys.generate import generate_key
from handfast.pki.keys import KeyKind
from handfast.pki.names import parse_names
from handfast.pki.pem import to_pem
from handfast.pki.subject import parse_subject
from tests.serving import Running, opened

# From what was asked, in the body, and what the service answered.
Exchange = Callable[[bytes, bytes], bytes]


class Interposed:
    """Passes requests on as the client in a folder of client_files(). Set `exchanges` by the beginning of the path."""

    def __init__(self, service: Running, client: Path) -> None:
        self.service, self.client = service, client
        self.exchanges: dict[str, Exchange] = {}
        self.url = ""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Ask the service, and give its answer or another one."""
        asked = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        # As many connections there as here.
        connection = handler.__dict__.setdefault("there", self.service.connection(self.client))
        kept = {name: value for name, value in handler.headers.items() if name in {"Content-Type", "Idempotency-Key"}}
        connection.request(handler.command, handler.path, body=asked or None, headers=kept)
        response = connection.getresponse()
        data = response.read()
        for start, exchange in self.exchanges.items():
            if handler.path.startswith(start):
                data = exchange(asked, data)
        handler.send_response(response.status)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)


@contextmanager
def interposed(service: Running, client: Path, folder: Path) -> Iterator[Interposed]:
    """One that listens while the block runs, with a certificate of the service's own authority for localhost.

    folder: where that and its key are put.
    """
    between = Interposed(service, client)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            between.answer(self)

        def do_POST(self) -> None:
            between.answer(self)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name that http.server gives it
            return

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    http.socket = _context(service, folder).wrap_socket(http.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=http.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    between.url = f"https://localhost:{http.server_port}"
    try:
        yield between
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


def _context(service: Running, folder: Path) -> ssl.SSLContext:
    key = generate_key(KeyKind.P256)
    with opened(service.directory) as authority:
        issued = authority.issue(
            Order(
                profile="server",
                public_key=key.public_key(),
                subject=parse_subject("CN=localhost"),
                names=parse_names(["localhost"]),
            )
        )
    path = folder / "between.pem"
    path.write_text(to_pem(key) + "".join(map(to_pem, (issued.certificate, *issued.chain))))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
