"""A connection that stays open, and what is answered on it."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPSConnection

from handfast.prove.program import Stage, Visit
from handfast.prove.visit import client_context
from handfast.prove.visitors import Visitor


@contextmanager
def connected(stage: Stage, visitor: Visitor) -> Iterator[HTTPSConnection]:
    """An HTTP/1.1 connection of this visitor."""
    context: ssl.SSLContext = client_context(Visit(visitor), root=stage.pki.root)
    connection = HTTPSConnection("localhost", stage.setting.port, context=context, timeout=20)
    try:
        yield connection
    finally:
        connection.close()


def ask(connection: HTTPSConnection) -> int:
    """The status of one more request; 0 when the server has closed the connection. Never connects anew."""
    try:
        connection.request("GET", "/")
        answer = connection.getresponse()
        answer.read()
    except (OSError, HTTPException):
        return 0
    connection.auto_open = 0
    return answer.status
