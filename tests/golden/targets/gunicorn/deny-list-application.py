"""Put your application here; this one greets."""

import mtls


def greet(environ, start_response):
    body = f"hello {environ['SSL_CLIENT_S_DN']}\n".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


application = mtls.admit(greet)
