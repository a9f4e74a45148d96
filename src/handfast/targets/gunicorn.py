"""gunicorn: a WSGI server in Python that tells the application who came (the names of Apache's mod_ssl)."""

from handfast.targets.contract import Group, Identity, RenderedFile, Setting, Status, Target
from handfast.targets.python_tls import BROKEN_CRL, BROWSERS, DEPTH, REFUSALS, RESUMPTION, fill, module

CONFIG = "gunicorn.conf.py"

_CONFIG = '''\
"""gunicorn with mutual TLS for @NAME@: gunicorn -c gunicorn.conf.py. Written by handfast."""

import mtls

bind = "@HOST@:@PORT@"
wsgi_app = "application:application"
worker_class = "gthread"
threads = 4

# These two only switch TLS on; the rest of it is in mtls.py, and read again when the files have changed.
certfile = mtls.CERTIFICATE
keyfile = mtls.KEY
_newest = mtls.server_context()


def ssl_context(_config, _default):
    return _newest
'''

_APPLICATION = '''\
"""Put your application here; this one greets."""

import mtls


def greet(environ, start_response):
    body = f"hello {environ['SSL_CLIENT_S_DN']}\\n".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


application = mtls.admit(greet)
'''

_WSGI = '''

def admit(app):
    """The application, told who came: SSL_CLIENT_S_DN and SSL_CLIENT_VERIFY, which no header can set."""

    def admitted(environ, start_response):
        certificate = environ["gunicorn.socket"].getpeercert()
        reason = problem(certificate)
        if reason:
            start_response("403 Forbidden", [("Content-Type", "text/plain")])
            return [reason.encode()]
        environ["SSL_CLIENT_S_DN"] = subject(certificate)
        environ["SSL_CLIENT_M_SERIAL"] = certificate["serialNumber"]
        environ["SSL_CLIENT_VERIFY"] = "SUCCESS"
        return app(environ, start_response)

    return admitted
'''


def render(setting: Setting) -> tuple[RenderedFile, ...]:
    """gunicorn's own configuration, the TLS module, and an application that greets."""
    host = setting.listen or "0.0.0.0"  # noqa: S104  # a server is for everybody, unless it is told otherwise
    words = {"NAME": setting.name, "HOST": host, "PORT": str(setting.port)}
    tls = module(setting)
    return (
        RenderedFile(setting.file(CONFIG), fill(_CONFIG, words), comment="gunicorn's configuration"),
        RenderedFile(tls.path, tls.content + _WSGI, tls.mode, tls.comment),
        RenderedFile(setting.file("application.py"), _APPLICATION, comment="an application that greets: yours"),
    )


target = Target(
    name="gunicorn",
    title="gunicorn (WSGI)",
    group=Group.APPLICATION,
    status=Status.PROVEN,
    render=render,
    directory="/opt/application",
    port=8443,
    install=(
        "python3 -m venv DIR/venv && DIR/venv/bin/pip install gunicorn",
        f"DIR/venv/bin/gunicorn --chdir DIR -c {CONFIG}",
        BROWSERS,
    ),
    minimum="23",
    test=f"DIR/venv/bin/gunicorn --chdir DIR -c {CONFIG} --check-config",
    reload="none needed: every new connection looks whether the files have changed",
    kick="kill -HUP the master: new workers come, and the old ones end",
    depth=DEPTH,
    resumption=RESUMPTION,
    broken_crl=BROKEN_CRL,
    identity=Identity("getpeercert() of the connection", "SSL_CLIENT_S_DN and SSL_CLIENT_M_SERIAL in the environ"),
    refusals=REFUSALS,
)
