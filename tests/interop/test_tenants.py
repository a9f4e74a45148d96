"""Several authorities in one service: each below its own path, and nothing of it by the credentials of another."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509.ocsp import OCSPCertStatus, OCSPResponseStatus, load_der_ocsp_response

from handfast.ca.office import Proof
from handfast.ca.policy import RequesterRole
from handfast.ca.requesters import SECRET_PREFIX, RequesterRecord
from handfast.ca.tokens import TOKEN_PREFIX
from handfast.keys.generate import generate_key, new_secret
from handfast.pki.csr import build_request
from handfast.pki.keys import KeyKind
from handfast.pki.ocsp import build_request as build_ocsp_request
from handfast.pki.ocsp import cert_id, issuer_keys
from handfast.pki.pem import to_pem
from handfast.pki.serial import serial_text
from handfast.pki.subject import parse_subject
from tests.databases import Server
from tests.interop.test_service_metrics import scrape
from tests.serving import PATIENCE, Running, authority_in, client_files, eventually, opened, running

UNAUTHORIZED = OCSPResponseStatus.UNAUTHORIZED
NAMES = ("", "acme", "umbrella")
# Each authority has the same names for everything, so that nothing is told apart by a name.
TENANTS = """
[tenants]
acme = "acme"
umbrella = "umbrella"
"""


@dataclass(frozen=True, slots=True)
class Tenant:
    """An authority in the service, an administrator's secret and certificate, and what it has that nobody may see."""

    prefix: str
    directory: Path
    secret: str
    folder: Path
    serial: str
    root: bytes

    @property
    def mark(self) -> str:
        """What is in the name of each of its objects."""
        return f"only-{self.prefix.strip('/').replace('/', '-') or 'default'}"


@dataclass(slots=True)
class World:
    """The service, and its tenants by name."""

    service: Running
    tenants: dict[str, Tenant]

    def ask(
        self, whose: Tenant, by: Tenant, method: str, path: str, *, proof: str, body: object = None
    ) -> tuple[int, str]:
        """Ask one tenant with the credentials of another: a `secret`, a `certificate`, or `both`."""
        connection = self.connection(by if proof in {"certificate", "both"} else None)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if proof in {"secret", "both"}:
            headers["Authorization"] = f"Bearer {by.secret}"
        connection.request(method, whose.prefix + path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        return response.status, response.read().decode("latin-1")

    def __iter__(self) -> Iterator[tuple[str, Tenant]]:
        return iter(self.tenants.items())

    def connection(self, by: Tenant | None) -> HTTPSConnection:
        """A connection that stays open, with the certificate of an administrator of that tenant."""
        key = "" if by is None else by.prefix or "default"
        if key not in _open:
            # Whoever is asked, the service's own certificate is of its own authority.
            context = self.service.context(None if by is None else by.folder)
            _open[key] = HTTPSConnection("localhost", self.service.https, context=context, timeout=PATIENCE)
        return _open[key]


_open: dict[str, HTTPSConnection] = {}


@pytest.fixture(scope="module", params=["SQLite", "PostgreSQL"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    workplace = tmp_path_factory.mktemp("tenants")
    ca = workplace / "ca"
    stores = dict.fromkeys(NAMES, "")
    if request.param == "PostgreSQL":
        # One in a database of its own, two in schemas of one database: they hear of each other's revocations.
        server: Server = request.getfixturevalue("postgresql_server")
        shared = server.new_database()
        places = {"": server.new_database(), **{name: f"{shared}&schema={name}" for name in NAMES[1:]}}
        stores = {name: f'store = "{place}"\n' for name, place in places.items()}
    authority_in(ca, stores[""] + TENANTS)
    for name in NAMES[1:]:
        authority_in(ca / name, stores[name])
    tenants = {name: _tenant(workplace, ca, name) for name in NAMES}
    with running(ca, "--metrics", "127.0.0.1:0", workplace=workplace) as service:
        yield World(service, tenants)
        for connection in _open.values():
            connection.close()
        _open.clear()


def _tenant(workplace: Path, ca: Path, name: str) -> Tenant:
    directory, secret = ca / name if name else ca, new_secret(SECRET_PREFIX)
    folder = workplace / (name or "default")
    administrator = client_files(directory, f"only-{f't-{name}' if name else 'default'}", folder)
    with opened(directory) as authority:
        record = RequesterRecord(
            name="root", role=RequesterRole.ADMINISTRATOR, profiles=None, patterns=None, created_at=authority.clock()
        )
        authority.office.add_requester(record, Proof(administrator.certificate, secret))
        authority.office.make_token(new_secret(TOKEN_PREFIX), "client", [f"only-{f't-{name}' if name else 'default'}"])
    root = (directory / "certificates" / "root.pem").read_bytes()
    serial = serial_text(administrator.record.serial)
    return Tenant(f"/t/{name}" if name else "", directory, secret, folder, serial, root)


PAIRS = [(one, another) for one in NAMES for another in NAMES if one != another]


def _operations(world: World) -> Iterator[tuple[str, str, object]]:
    """Method, path and body of everything in the API's own document, with parts of paths that are there."""
    document = json.loads(world.ask(world.tenants[""], world.tenants[""], "GET", "/api/openapi.json", proof="")[1])
    for path, methods in document["paths"].items():
        for method in methods:
            yield method.upper(), f"/api{path}", {} if method == "post" else None


@pytest.mark.parametrize(("whose", "by"), PAIRS)
def test_every_route_of_the_api_refuses_the_credentials_of_another_tenant(world: World, whose: str, by: str) -> None:
    one, another = world.tenants[whose], world.tenants[by]
    filled = {"which": one.serial, "name": "root", "identifier": "000000000000", "transaction": "0" * 20}
    asked = 0
    for method, template, body in _operations(world):
        path = re.sub(r"\{(\w+)\}", lambda found: filled[found[1]], template)
        for proof in ("secret", "certificate", "both"):
            status, text = world.ask(one, another, method, path, proof=proof, body=body)
            assert status in {401, 404}, (method, path, proof, text)
            assert one.mark not in text
            asked += 1
    assert asked > 60


@pytest.mark.parametrize(("whose", "by"), PAIRS)
def test_est_enrolls_nobody_by_the_credentials_of_another_tenant(world: World, whose: str, by: str) -> None:
    one, another = world.tenants[whose], world.tenants[by]
    csr = to_pem(build_request(generate_key(KeyKind.P256), subject=parse_subject("CN=stolen")))
    body = "".join(csr.splitlines()[1:-1])
    for operation in ("simpleenroll", "simplereenroll", "serverkeygen"):
        for by_certificate in (True, False):
            connection = world.connection(another if by_certificate else None)
            headers = {"Content-Type": "application/pkcs10"}
            if not by_certificate:
                headers["Authorization"] = f"Bearer {another.secret}"
            connection.request("POST", f"{one.prefix}/.well-known/est/{operation}", body, headers)
            response = connection.getresponse()
            text = response.read().decode("latin-1")
            assert response.status in {401, 403, 404}, (operation, text)
            assert one.mark not in text


@pytest.mark.parametrize("name", NAMES)
def test_a_tenants_own_credentials_are_good_at_its_own_path(world: World, name: str) -> None:
    one = world.tenants[name]
    for proof in ("secret", "certificate"):
        status, text = world.ask(one, one, "GET", "/api/certificates", proof=proof)
        labels = {record["label"] for record in json.loads(text)["certificates"]}
        assert status == 200
        assert one.mark in labels
        assert not labels & {other.mark for other in world.tenants.values() if other is not one}


@pytest.mark.parametrize("name", NAMES)
def test_what_is_public_is_each_tenants_own(world: World, name: str) -> None:
    one = world.tenants[name]
    issuing = world.ask(one, one, "GET", "/ca/issuing.cer", proof="")
    others = [world.ask(other, other, "GET", "/ca/issuing.cer", proof="") for other in world.tenants.values()]
    assert others.count(issuing) == 1
    assert issuing[0] == 200
    eventually(lambda: world.ask(one, one, "GET", "/crl/issuing.crl", proof="")[0] == 200, f"a CRL of {name!r}")
    document: dict[str, Any] = json.loads(world.ask(one, one, "GET", "/api/openapi.json", proof="")[1])
    assert document["servers"] == [{"url": f"{one.prefix}/api"}]


def test_a_revocation_is_in_its_own_tenants_feed_only(world: World) -> None:
    one = world.tenants["acme"]
    victim = client_files(one.directory, "victim", one.directory / "victim")
    with opened(one.directory) as authority:
        authority.revoke(victim.record)
    told = {name: world.ask(each, each, "GET", "/feed", proof="") for name, each in world.tenants.items()}
    assert {status for status, _ in told.values()} == {200}
    assert {name for name, (_, text) in told.items() if f"{victim.record.serial:x}" in text} == {"acme"}


def _asked(world: World, one: Tenant, request: bytes) -> bytes:
    """The OCSP answer of a tenant over plain HTTP."""
    connection = HTTPConnection("127.0.0.1", world.service.http, timeout=PATIENCE)
    try:
        connection.request("POST", f"{one.prefix}/ocsp", request)
        return connection.getresponse().read()
    finally:
        connection.close()


def _question(one: Tenant, serial: int) -> bytes:
    with opened(one.directory) as authority:
        identity = authority.issuer().identity
    return build_ocsp_request([cert_id(issuer_keys(identity.subject, identity.public_key)[0], serial)])


def test_a_revocation_leaves_the_answers_of_other_tenants_where_they_lie(world: World) -> None:
    gone = world.tenants["acme"]
    records = {name: client_files(one.directory, "asked", one.directory / "asked").record for name, one in world}
    questions = {name: _question(one, records[name].serial) for name, one in world}
    kept = {name: _asked(world, one, questions[name]) for name, one in world}
    for name, one in world:
        assert load_der_ocsp_response(kept[name]).certificate_status is OCSPCertStatus.GOOD
        assert _asked(world, one, questions[name]) == kept[name]
        # Of another tenant's certificate nothing is known, whatever it is asked about.
        other = next(each for each in NAMES if each != name)
        assert load_der_ocsp_response(_asked(world, one, questions[other])).response_status is UNAUTHORIZED
    eventually(lambda: _all_lie_ready(world, questions), "each tenant's answer lies ready")
    with opened(gone.directory) as authority:
        authority.revoke(records["acme"])

    def is_revoked() -> bool:
        answer = load_der_ocsp_response(_asked(world, gone, questions["acme"]))
        return answer.certificate_status is OCSPCertStatus.REVOKED

    eventually(is_revoked, "the revocation is told")
    for name, one in world:
        if one is not gone:
            assert _asked(world, one, questions[name]) == kept[name]


def _all_lie_ready(world: World, questions: dict[str, bytes]) -> bool:
    before = scrape(world.service)
    for name, one in world:
        _asked(world, one, questions[name])
    after = scrape(world.service)
    counters = [("answers_ready_total", {"tenant": name, "route": "/ocsp"}) for name, _ in world]
    return all(after(counter, **labels) == before(counter, **labels) + 1 for counter, labels in counters)


def test_requests_are_counted_by_tenant_and_what_is_none_adds_no_label(world: World) -> None:
    before = scrape(world.service)
    for _, one in world:
        assert world.ask(one, one, "GET", "/api/caller", proof="both")[0] == 200
        assert world.ask(one, one, "GET", "/.well-known/est/cacerts", proof="certificate")[0] == 200
    assert world.ask(world.tenants[""], world.tenants[""], "GET", "/t/nobody/api/caller", proof="secret")[0] == 404
    after = scrape(world.service)
    for name, _ in world:
        route = {"tenant": name, "route": "/.well-known/est/cacerts", "status": "200"}
        for sample, labels in (
            ("requests_total", {"tenant": name, "route": "/api", "status": "200"}),
            ("requests_total", route),
            ("validation_seconds_count", {"tenant": name}),
        ):
            assert after(sample, **labels) == before(sample, **labels) + 1, (sample, labels)
    assert after("requests_total", tenant="nobody", route="/api", status="404") == 0
    assert after("requests_total", tenant="", route="/api", status="404") >= 1


def test_each_tenant_says_whether_it_is_ready(world: World) -> None:
    for _, one in world:
        status, body = world.ask(one, one, "GET", "/health/ready", proof="secret")
        assert (status, json.loads(body)) == (200, {"status": "ready", "amiss": {}})


def test_no_tenant_is_no_path(world: World) -> None:
    default = world.tenants[""]
    for path in (
        "/t/nobody/api/caller", "/t/nobody/feed", "/t/nobody/.well-known/est/cacerts", "/t/nobody/ocsp/AAAA",
        "/t//ocsp/AAAA", "/t//api/caller", "/t/acme/health/live", "/t/acme", "/t/acme/t/umbrella/api/caller",
        "/t/../api/caller",
    ):  # fmt: skip
        assert world.ask(default, default, "GET", path, proof="secret")[0] == 404, path
