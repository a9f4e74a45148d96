"""hypercorn with mutual TLS for www.example.org: python serve.py. Written by handfast."""

import asyncio
import ssl
from contextvars import ContextVar

import mtls
from hypercorn.asyncio import serve
from hypercorn.config import Config

from application import application

# hypercorn does not tell the application who came. asyncio starts the task that serves a connection at the end of its
# handshake, and a task keeps the context variables of the moment: so each connection finds its own certificate here.
PEER = ContextVar("PEER")


class Connection(ssl.SSLObject):
    def do_handshake(self):
        super().do_handshake()
        PEER.set(self.getpeercert())


class MutualTls(Config):
    @property
    def ssl_enabled(self):
        return True

    def create_ssl_context(self):
        context = mtls.server_context()
        context.sslobject_class = Connection
        return context


if __name__ == "__main__":
    config = MutualTls()
    config.bind = ["127.0.0.1:8443"]
    config.alpn_protocols = ["http/1.1"]
    config.errorlog = "-"
    asyncio.run(serve(mtls.admit(application, PEER.get), config))
