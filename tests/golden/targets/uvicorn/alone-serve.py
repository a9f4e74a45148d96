"""uvicorn with mutual TLS for www.example.org: python serve.py. Written by handfast."""

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
        host="127.0.0.1",
        port=8443,
        http=Protocol,
        ssl_context_factory=lambda _config, _default: mtls.server_context(),
        # Nothing stands before this server, so nobody may say where a request came from.
        proxy_headers=False,
    )
