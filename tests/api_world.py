"""An authority, somebody of each kind who calls its API, and the API itself, in this process and without sockets."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509

from handfast.ca.authority import Authority
from handfast.ca.office import Proof
from handfast.ca.order import Issued, Order
from handfast.ca.policy import OPERATOR, Requester, RequesterRole
from handfast.ca.requesters import SECRET_PREFIX, RequesterRecord
from handfast.keys.generate import generate_key, new_secret
from handfast.keys.passphrase import no_passphrase
from handfast.pki.keys import KeyKind, PrivateKey
from handfast.pki.subject import parse_subject
from handfast.protocols.exchange import Peer
from handfast.server.api import make_api
from handfast.server.assembly import open_parts, utc_now
from handfast.server.peers import SCOPE_KEY, Visitor
from handfast.server.service import Service, service_of
from tests.serving import authority_in

Application = Any


@dataclass(frozen=True, slots=True)
class Who:
    """A caller: by a secret, or by a certificate."""

    secret: str | None = None
    certificate: x509.Certificate | None = None


NOBODY = Who()


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        """The body as JSON."""
        return json.loads(self.body) if self.body else {}


async def _ask(application: Application, scope: dict[str, Any], body: bytes) -> Answer:
    sent: list[dict[str, Any]] = []
    asked = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> dict[str, Any]:
        return next(asked, {"type": "http.disconnect"})

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await application(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], headers, b"".join(one.get("body", b"") for one in sent[1:]))


@dataclass(slots=True)
class World:
    """One authority and its API. key: the one that all certificates here are for."""

    service: Service
    api: Application
    runner: "asyncio.Runner"
    key: PrivateKey = field(default_factory=lambda: generate_key(KeyKind.P256))
    _count: int = 0

    @property
    def authority(self) -> Authority:
        """The service's own."""
        return self.service.authority

    def ask(self, who: Who, method: str, target: str, body: object = None, **more: str) -> Answer:
        """Call the API. more: headers, with _ for -."""
        path, _, query = target.partition("?")
        headers = [(b"content-type", b"application/json")] if body is not None and "content_type" not in more else []
        headers += [(name.replace("_", "-").encode(), value.encode()) for name, value in more.items()]
        if who.secret is not None:
            headers.append((b"authorization", f"Bearer {who.secret}".encode()))
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "https",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": headers,
            "client": ("192.0.2.1", 50000),
            "server": ("localhost", 8443),
            SCOPE_KEY: Visitor(Peer(address="192.0.2.1", chain=() if who.certificate is None else (who.certificate,))),
        }
        data = b"" if body is None else json.dumps(body).encode()
        return self.runner.run(_ask(self.api, scope, data))

    def requester(self, role: RequesterRole) -> tuple[Requester, Who]:
        """A new requester of that role who may ask for everything, and its secret."""
        secret = new_secret(SECRET_PREFIX)
        record = RequesterRecord(
            name=self.name(role.value), role=role, profiles=None, patterns=None, created_at=self.authority.clock()
        )
        self.authority.office.add_requester(record, Proof(secret=secret))
        return record.requester(), Who(secret)

    def issue(self, requester: Requester = OPERATOR) -> Issued:
        """A new client certificate of that requester."""
        subject = parse_subject(f"CN={self.name('thing')}")
        return self.authority.issue(
            Order(profile="client", public_key=self.key.public_key(), subject=subject, requester=requester)
        )

    def name(self, stem: str) -> str:
        """One that is nobody's yet."""
        self._count += 1
        return f"{stem}-{self._count}"


@contextmanager
def world_in(directory: Path, settings: str = "", *, clock: Callable[[], datetime] = utc_now) -> Iterator[World]:
    """A new authority in that directory."""
    authority_in(directory, settings)
    parts = open_parts(directory, passphrase=no_passphrase, clock=clock)
    service = service_of(parts)
    try:
        with asyncio.Runner() as runner:
            yield World(service, make_api(service), runner)
    finally:
        parts.store.close()
