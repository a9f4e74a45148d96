"""uvicorn: an ASGI server in Python that tells the application who came (the TLS extension of ASGI)."""

from handfast.targets.contract import Group, Identity, RenderedFile, Setting, Status, Target
from handfast.targets.python_tls import ASYNCIO_REFUSALS, BROKEN_CRL, BROWSERS, DEPTH, RESUMPTION, asgi_files, fill

START = "serve.py"

_SERVE = '''\
"""uvicorn with mutual TLS for @NAME@: python serve.py. Written by handfast."""

import mtls
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from application import application


class Protocol(H11Protocol):
    """uvicorn does not tell the application who came: this does, for each connection."""

    def connection_made(self, transport):
        self.app = mtls.admit(self.app, transport.get_extra_info("ssl_object").getpeercert)
        super().connection_made(transport)


if __name__ == "__main__":
    uvicorn.run(
        application,
        host=@HOST@,
        port=@PORT@,
        http=Protocol,
        ssl_context_factory=lambda _config, _default: mtls.server_context(),
        # Nothing stands before this server, so nobody may say where a request came from.
        proxy_headers=False,
    )
'''


def render(setting: Setting) -> tuple[RenderedFile, ...]:
    """The starting script, the TLS module, and an application that greets."""
    host = '"0.0.0.0"' if not setting.listen else f'"{setting.listen}"'
    words = {"NAME": setting.name, "HOST": host, "PORT": str(setting.port)}
    start = RenderedFile(setting.file(START), fill(_SERVE, words), comment="starts the server: python serve.py")
    return (start, *asgi_files(setting))


target = Target(
    name="uvicorn",
    title="uvicorn (ASGI)",
    group=Group.APPLICATION,
    status=Status.PROVEN,
    render=render,
    directory="/opt/application",
    port=8443,
    install=(
        "python3 -m venv DIR/venv && DIR/venv/bin/pip install uvicorn",
        "DIR/venv/bin/python DIR/serve.py",
        BROWSERS,
    ),
    minimum="0.52",
    reload="none needed: every new connection looks whether the files have changed",
    kick="restart the server; idle connections end by themselves after 5 s",
    depth=DEPTH,
    resumption=RESUMPTION,
    broken_crl=BROKEN_CRL,
    identity=Identity("getpeercert() of the connection", 'scope["extensions"]["tls"]["client_cert_name"]'),
    refusals=ASYNCIO_REFUSALS,
)
