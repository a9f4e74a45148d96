"""gunicorn with mutual TLS for www.example.org: gunicorn -c gunicorn.conf.py. Written by handfast."""

import mtls

bind = "0.0.0.0:8443"
wsgi_app = "application:application"
worker_class = "gthread"
threads = 4

# These two only switch TLS on; the rest of it is in mtls.py, and read again when the files have changed.
certfile = mtls.CERTIFICATE
keyfile = mtls.KEY
_newest = mtls.server_context()


def ssl_context(_config, _default):
    return _newest
