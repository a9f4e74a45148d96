"""A protocol as a package of its own would bring it: what tests of the service ask for."""

import json
import time
from pathlib import Path

from handfast.ca.authority import Authority
from handfast.errors import Denied
from handfast.protocols.exchange import Prepared, Request, Response, Route


def whoami(request: Request, authority: Authority) -> Response:
    peer = request.peer
    said = {
        "subject": peer.certificate.subject.rfc4514_string() if peer.certificate else None,
        "chain": len(peer.chain),
        "version": peer.tls_version,
        "is_resumed": peer.is_resumed,
        "binding": peer.tls_unique is not None,
    }
    return Response(body=json.dumps(said).encode(), media_type="application/json")


def echo(request: Request, authority: Authority) -> Response:
    return Response(body=request.body, media_type="application/octet-stream")


def wait(request: Request, authority: Authority) -> Response:
    """Say that it began, and go on when it is let go."""
    folder = Path(request.headers["x-folder"])
    (folder / "begun").touch()
    while not (folder / "go").exists():
        time.sleep(0.02)
    return Response(body=b"done")


def refuse(request: Request, authority: Authority) -> Response:
    raise Denied("you may not", hint="ask somebody")


def fail(request: Request, authority: Authority) -> Response:
    raise ValueError(request.body.decode())


def large(request: Request, authority: Authority) -> Response:
    return Response(body=b"x" * 5_000_000, media_type="application/octet-stream")


def label(request: Request, authority: Authority) -> Response:
    return Response(body=request.parameters["label"].encode())


def ready(asked: bytes, authority: Authority) -> Prepared | None:
    """An answer lies ready for what begins with r."""
    body = b"ready:" + asked
    headers = ((b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode()))
    return Prepared.of(headers, body) if asked.startswith(b"r") else None


def not_ready(request: Request, authority: Authority) -> Response:
    return Response(body=f"handled:{request.parameters.get('asked', '')}".encode() + request.body)


routes = (
    Route(methods=("GET",), path="/trial/whoami", handle=whoami),
    Route(methods=("POST",), path="/trial/echo", handle=echo, largest_body=1000),
    Route(methods=("GET",), path="/trial/wait", handle=wait),
    Route(methods=("GET",), path="/trial/refuse", handle=refuse),
    Route(methods=("POST",), path="/trial/fail", handle=fail),
    Route(methods=("GET",), path="/trial/large", handle=large, is_plain=True),
    Route(methods=("GET",), path="/trial/label/{label}/end", handle=label, is_plain=True),
    Route(methods=("POST",), path="/trial/ready", handle=not_ready, largest_body=100, is_plain=True, prepared=ready),
    Route(methods=("GET",), path="/trial/ready/{asked:path}", handle=not_ready, is_plain=True, prepared=ready),
)
