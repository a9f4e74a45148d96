"""hypercorn: an ASGI server in Python that tells the application who came (the TLS extension of ASGI)."""

from handfast.targets.contract import Group, Identity, RenderedFile, Setting, Status, Target
from handfast.targets.python_tls import ASYNCIO_REFUSALS, BROKEN_CRL, BROWSERS, DEPTH, RESUMPTION, asgi_files, fill

START = "serve.py"

_SERVE = '''\
"""hypercorn with mutual TLS for @NAME@: python serve.py. Written by handfast."""

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
    config.bind = ["@HOST@:@PORT@"]
    config.alpn_protocols = ["http/1.1"]
    config.errorlog = "-"
    asyncio.run(serve(mtls.admit(application, PEER.get), config))
'''


def render(setting: Setting) -> tuple[RenderedFile, ...]:
    """The starting script, the TLS module, and an application that greets."""
    host = setting.listen or "0.0.0.0"  # noqa: S104  # a server is for everybody, unless it is told otherwise
    words = {"NAME": setting.name, "HOST": host, "PORT": str(setting.port)}
    start = RenderedFile(setting.file(START), fill(_SERVE, words), comment="starts the server: python serve.py")
    return (start, *asgi_files(setting))


target = Target(
    name="hypercorn",
    title="hypercorn (ASGI)",
    group=Group.APPLICATION,
    status=Status.PROVEN,
    render=render,
    directory="/opt/application",
    port=8443,
    install=(
        "python3 -m venv DIR/venv && DIR/venv/bin/pip install hypercorn",
        "DIR/venv/bin/python DIR/serve.py",
        BROWSERS,
    ),
    minimum="0.18",
    reload="none needed: every new connection looks whether the files have changed",
    kick="restart the server; idle connections end by themselves after 5 s",
    depth=DEPTH,
    resumption=RESUMPTION,
    broken_crl=BROKEN_CRL,
    identity=Identity("getpeercert() of the connection", 'scope["extensions"]["tls"]["client_cert_name"]'),
    refusals=ASYNCIO_REFUSALS,
)
