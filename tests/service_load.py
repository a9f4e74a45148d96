"""Clients that enroll at a service and revoke some of what they got, and write down every answer that they had."""

import base64
import http.client
import json
import ssl
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.client import HTTPSConnection
from itertools import count

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from handfast.keys.generate import generate_key
from handfast.pki.csr import build_request
from handfast.pki.keys import KeyKind, PrivateKey
from handfast.pki.names import parse_names
from handfast.pki.subject import parse_subject

ENROLL = "/.well-known/est/simpleenroll"
# What a service without its database may answer: nothing was promised.
_NOT_NOW = 503
_PATIENCE = 60.0
_PAUSE = 0.1
# After so many certificates a client connects anew, to the replica that it likes best.
_EACH = 25


@dataclass(slots=True)
class Answered:
    """What clients were told. surprises: answers that no service gives to who asks as it should."""

    certificates: list[x509.Certificate] = field(default_factory=list)
    revoked: list[x509.Certificate] = field(default_factory=list)
    surprises: list[str] = field(default_factory=list)
    broken: int = 0
    refused: int = 0


@dataclass(slots=True, kw_only=True)
class Load:
    """Threads that ask until the block ends. ports: where the replicas are now, changed by whoever restarts them.

    fleet, officer: headers of a requester, and of somebody who may revoke. revoke_each: of so many certificates one.
    pause: seconds between a client's certificates, so that a replica can start beside the load.
    """

    ports: list[int]
    context: ssl.SSLContext
    fleet: str
    officer: str
    clients: int = 4
    revoke_each: int = 8
    pause: float = 0.02
    answered: Answered = field(default_factory=Answered)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _threads: Sequence[threading.Thread] = ()

    def __enter__(self) -> "Load":
        self._threads = [threading.Thread(target=self._work, args=(number,)) for number in range(self.clients)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _work(self, client: int) -> None:
        key, numbers, which = generate_key(KeyKind.P256), count(), client
        while not self._stopping.is_set():
            connection = HTTPSConnection(
                "localhost", self.ports[which % len(self.ports)], context=self.context, timeout=_PATIENCE
            )
            try:
                for _ in range(_EACH):
                    self._step(connection, key, f"c{client}-{next(numbers)}.example.org")
                    if self._stopping.wait(self.pause):
                        break
                which = client
            except (OSError, http.client.HTTPException):
                self.answered.broken += 1
                which += 1
                self._stopping.wait(_PAUSE)
            finally:
                connection.close()

    def _step(self, connection: HTTPSConnection, key: PrivateKey, name: str) -> None:
        request = build_request(key, subject=parse_subject(f"CN={name}"), names=parse_names([name]))
        body = base64.b64encode(request.public_bytes(Encoding.DER))
        answer = self._ask(connection, ENROLL, body, "application/pkcs10", self.fleet)
        if answer is None:
            return
        (certificate,) = pkcs7.load_der_pkcs7_certificates(base64.b64decode(answer))
        self.answered.certificates.append(certificate)
        if certificate.serial_number % self.revoke_each == 0:
            path = f"/api/certificates/{certificate.serial_number:x}/revoke"
            wanted = json.dumps({"reason": "superseded"}).encode()
            if self._ask(connection, path, wanted, "application/json", self.officer) is not None:
                self.answered.revoked.append(certificate)

    def _ask(self, connection: HTTPSConnection, path: str, body: bytes, kind: str, header: str) -> bytes | None:
        """The body of a good answer; None for one that promises nothing. What breaks off before its end was none."""
        connection.request("POST", path, body=body, headers={"Content-Type": kind, "Authorization": header})
        response = connection.getresponse()
        content = response.read()
        if response.status == http.client.OK:
            return content
        if response.status == _NOT_NOW:
            self.answered.refused += 1
            self._stopping.wait(_PAUSE)
        else:
            self.answered.surprises.append(f"{path}: {response.status} {content[:500]!r}")
            self._stopping.wait(1.0)
        return None


def requester_header(name: str, secret: str) -> str:
    """The Authorization of HTTP Basic."""
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()
