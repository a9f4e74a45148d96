"""Put your application here; this one greets."""


async def application(scope, receive, send):
    if scope["type"] != "http":
        return
    body = f"hello {scope['extensions']['tls']['client_cert_name']}\n".encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
