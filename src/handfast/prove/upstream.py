"""The application behind a proxy under proof: greets with the identity it was told, and shows every header it got."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

IDENTITY = "x-client-subject"


class _Greeter(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle(self) -> None:
        """Serve until the proxy leaves; how it leaves is its own affair."""
        try:
            super().handle()
        except ConnectionError:
            pass

    def do_GET(self) -> None:
        """Answer with "hello <identity>", then one line per header."""
        identity = next((value for name, value in self.headers.items() if name.lower() == IDENTITY), "")
        lines = [f"hello {identity or 'nobody'}", *(f"{name}: {value}" for name, value in self.headers.items())]
        body = ("\n".join(lines) + "\n").encode("utf-8", "replace")
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is the base class's
        """Says nothing: the proof prints its own table."""


@contextmanager
def greeter() -> Iterator[str]:
    """Run the application on loopback; gives its "127.0.0.1:port"."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Greeter)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
