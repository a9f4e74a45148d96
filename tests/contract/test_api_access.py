"""Every route of the API, asked by every kind of caller, over what is its own and what is another's: as the table says.

The table is server/api/access.py. A route that is not in it, or not walked here, fails.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pytest
from fastapi.routing import APIRoute

from handfast.ca.order import Order
from handfast.ca.policy import OPERATOR, Requester, RequesterRole
from handfast.ca.records import CertificateRecord, Pending
from handfast.ca.tokens import TOKEN_PREFIX, TokenRecord
from handfast.keys.generate import generate_key, new_secret
from handfast.pki.csr import build_request
from handfast.pki.keys import KeyKind
from handfast.pki.pem import to_pem
from handfast.pki.serial import serial_text
from handfast.pki.subject import parse_subject
from handfast.server.api.access import OPERATIONS, Kind, Whose, kind_of
from tests.api_world import NOBODY, Who, World, world_in

APPROVED = """
[profiles.badge]
like = "client"
approvals = 1
"""


@dataclass(frozen=True, slots=True)
class Call:
    """A request, where it leads when it is allowed, and what of the answer shows that the object is there."""

    method: str
    target: str
    body: object = None
    status: int = 200
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody. owner: on whose account its objects are; own: the certificate that it presents."""

    who: Who
    requester: Requester
    own: CertificateRecord | None = None


@dataclass(frozen=True, slots=True)
class Cast:
    """The world with somebody of each kind, and a requester whose objects belong to none of them."""

    world: World
    callers: Mapping[Kind, Caller]
    strangers: Mapping[str, Who]
    another: Requester

    def certificate(self, owner: Caller | None) -> str:
        """The serial of a new certificate of somebody's; a device has just the one that it presents."""
        if owner is not None and owner.own is not None:
            return serial_text(owner.own.serial)
        return serial_text(self.world.issue(self._of(owner)).record.serial)

    def label(self, owner: Caller | None) -> str:
        """The label of a new certificate."""
        return self.world.issue(self._of(owner)).record.label

    def token(self, owner: Caller | None) -> TokenRecord:
        """A new token that somebody made."""
        secret = new_secret(TOKEN_PREFIX)
        return self.world.authority.office.make_token(secret, "client", [self.world.name("for")], by=self._of(owner))

    def transaction(self, owner: Caller | None) -> str:
        """A new request that waits."""
        key = generate_key(KeyKind.P256).public_key()
        subject = parse_subject(f"CN={self.world.name('badge')}")
        order = Order(profile="badge", public_key=key, subject=subject, requester=self._of(owner))
        answer = self.world.authority.enroll(order)
        assert isinstance(answer, Pending)
        return answer.transaction

    def requester(self) -> str:
        """The name of a new requester."""
        return self.world.requester(RequesterRole.REQUESTER)[0].name

    def held(self) -> str:
        """The serial of a certificate that is on hold."""
        record = self.world.authority.hold(self.world.issue(self.another).record)
        return serial_text(record.serial)

    def csr(self) -> str:
        """For a new key."""
        return to_pem(build_request(generate_key(KeyKind.P256), subject=parse_subject("CN=ignored")))

    def _of(self, owner: Caller | None) -> Requester:
        return self.another if owner is None else owner.requester


def _on(method: str, rest: str, body: object = None, status: int = 200) -> "Maker":
    return lambda cast, owner: Call(method, f"/certificates/{cast.certificate(owner)}{rest}", body, status)


Maker = Callable[[Cast, Caller | None], Call]


def _list_certificates(cast: Cast, owner: Caller | None) -> Call:
    label = cast.label(owner)
    return Call("GET", f"/certificates?text={label}", mark=label)


def _bundle(cast: Cast, owner: Caller | None) -> Call:
    return Call("POST", f"/certificates/{cast.certificate(owner)}/pkcs12", {"key": to_pem(cast.world.key)})


def _list_tokens(cast: Cast, owner: Caller | None) -> Call:
    return Call("GET", "/tokens", mark=cast.token(owner).id)


def _list_approvals(cast: Cast, owner: Caller | None) -> Call:
    return Call("GET", "/approvals", mark=cast.transaction(owner))


# How each operation is called, over something of this caller's, or (None) of another requester's.
CALLS: Mapping[str, Maker] = {
    # The name is the one that the token of this cast is for.
    "issue_certificate": lambda cast, _: Call("POST", "/certificates", {"profile": "client", "subject": "CN=a"}, 201),
    "list_certificates": _list_certificates,
    "show_certificate": _on("GET", ""),
    "download_certificate": _on("GET", "/download"),
    "bundle_certificate": _bundle,
    "renew_certificate": _on("POST", "/renew", {}, 201),
    "rekey_certificate": lambda cast, owner: Call(
        "POST", f"/certificates/{cast.certificate(owner)}/rekey", {"csr": cast.csr()}, 201
    ),
    "revoke_certificate": _on("POST", "/revoke", {}),
    "hold_certificate": _on("POST", "/hold"),
    "release_certificate": lambda cast, _: Call("POST", f"/certificates/{cast.held()}/release"),
    "add_requester": lambda cast, _: Call(
        "POST", "/requesters", {"name": cast.world.name("new"), "role": "requester", "secret": True}, 201
    ),
    "list_requesters": lambda cast, _: Call("GET", "/requesters", mark=cast.another.name),
    "remove_requester": lambda cast, _: Call("DELETE", f"/requesters/{cast.requester()}", status=204),
    "add_credential": lambda cast, _: Call(
        "POST", f"/requesters/{cast.requester()}/credentials", {"secret": True}, 201
    ),
    "make_token": lambda cast, _: Call(
        "POST", "/tokens", {"profile": "client", "names": [cast.world.name("for")]}, 201
    ),
    "list_tokens": _list_tokens,
    "revoke_token": lambda cast, owner: Call("DELETE", f"/tokens/{cast.token(owner).id}"),
    "list_approvals": _list_approvals,
    "approve_request": lambda cast, owner: Call("POST", f"/approvals/{cast.transaction(owner)}/approve"),
    "reject_request": lambda cast, owner: Call("POST", f"/approvals/{cast.transaction(owner)}/reject", {}),
    "list_profiles": lambda cast, _: Call("GET", "/profiles"),
    "list_issuers": lambda cast, _: Call("GET", "/issuers"),
    "publish_crl": lambda cast, _: Call("POST", "/issuers/issuing/crl"),
    "answer_ocsp": lambda cast, _: Call("POST", "/issuers/issuing/ocsp", {"serials": ["1f"]}),
    "list_publications": lambda cast, _: Call("GET", "/publications"),
    "list_events": lambda cast, _: Call("GET", "/audit"),
    "show_head": lambda cast, _: Call("GET", "/audit/head"),
    "list_heads": lambda cast, _: Call("GET", "/audit/heads"),
    "verify_events": lambda cast, _: Call("GET", "/audit/verify"),
    "show_statistics": lambda cast, _: Call("GET", "/statistics"),
    "show_caller": lambda cast, _: Call("GET", "/caller"),
}


@pytest.fixture(scope="module")
def cast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cast]:
    directory = tmp_path_factory.mktemp("access")
    with world_in(directory / "ca", APPROVED) as world, world_in(directory / "elsewhere") as elsewhere:
        callers = {Kind(role.value): _by_secret(world, role) for role in RequesterRole}
        another, _ = world.requester(RequesterRole.REQUESTER)
        yield Cast(world, callers, _strangers(world, elsewhere), another)


def _by_secret(world: World, role: RequesterRole) -> Caller:
    requester, who = world.requester(role)
    return Caller(who, requester)


def _strangers(world: World, elsewhere: World) -> Mapping[str, Who]:
    authority = world.authority
    revoked, held = world.issue(), world.issue()
    authority.revoke(revoked.record)
    authority.hold(held.record)
    gone, secret = world.requester(RequesterRole.ADMINISTRATOR)
    authority.office.remove_requester(gone.name)
    return {
        "nobody": NOBODY,
        "revoked": Who(certificate=revoked.certificate),
        "held": Who(certificate=held.certificate),
        "removed": secret,
        "unknown secret": Who("hfs_" + "A" * 43),
        "elsewhere's secret": elsewhere.requester(RequesterRole.ADMINISTRATOR)[1],
        "elsewhere's certificate": Who(certificate=elsewhere.issue().certificate),
    }


def _caller(cast: Cast, kind: Kind) -> Caller:
    """Somebody of that kind; devices and tokens anew each time, since what they present may be used up by it."""
    if kind is Kind.DEVICE:
        issued = cast.world.issue(cast.another)
        requester = Requester("device", certificate=issued.record)
        return Caller(Who(certificate=issued.certificate), requester, issued.record)
    if kind is Kind.TOKEN:
        secret = new_secret(TOKEN_PREFIX)
        made = cast.world.authority.office.make_token(secret, "client", ["a"], by=cast.another)
        return Caller(Who(secret), made.requester())
    return cast.callers[kind]


def test_the_table_and_this_walk_have_every_route(cast: Cast) -> None:
    routes = [one.name for one in cast.world.api.routes if isinstance(one, APIRoute)]
    documented = [one["operationId"] for path in cast.world.api.openapi()["paths"].values() for one in path.values()]
    assert sorted(documented) == sorted(OPERATIONS)
    assert sorted(routes or documented) == sorted(OPERATIONS)
    assert sorted(CALLS) == sorted(OPERATIONS)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_whom_it_is_not_for_gets_nothing_and_changes_nothing(cast: Cast, operation: str) -> None:
    call = CALLS[operation](cast, None)
    rule = OPERATIONS[operation]
    denied = {kind: _caller(cast, kind).who for kind in Kind if rule.whose(kind) is Whose.NONE}
    before = cast.world.authority.store.last_event_id()
    for kind, who in denied.items():
        assert cast.world.ask(who, call.method, call.target, call.body).status == 403, kind
    for stranger, who in cast.strangers.items():
        answer = cast.world.ask(who, call.method, call.target, call.body)
        assert (answer.status, answer.headers["content-type"]) == (401, "application/problem+json"), stranger
    assert cast.world.authority.store.last_event_id() == before


ALLOWED = [(operation, kind) for operation, rule in OPERATIONS.items() for kind in sorted(rule.kinds)]


@pytest.mark.parametrize(("operation", "kind"), ALLOWED)
def test_what_is_anothers(cast: Cast, operation: str, kind: Kind) -> None:
    call = CALLS[operation](cast, None)
    answer = cast.world.ask(_caller(cast, kind).who, call.method, call.target, call.body)
    if OPERATIONS[operation].whose(kind) is Whose.ANY:
        assert answer.status == call.status, answer.body
        assert call.mark in answer.body.decode()
    elif call.mark:
        assert (answer.status, call.mark in answer.body.decode()) == (200, False)
    else:
        assert answer.status == 404


OWN = [(operation, kind) for operation in OPERATIONS for kind in sorted(OPERATIONS[operation].own)]


@pytest.mark.parametrize(("operation", "kind"), OWN)
def test_what_is_ones_own(cast: Cast, operation: str, kind: Kind) -> None:
    caller = _caller(cast, kind)
    call = CALLS[operation](cast, caller)
    answer = cast.world.ask(caller.who, call.method, call.target, call.body)
    assert answer.status == call.status, answer.body
    assert call.mark in answer.body.decode()


def test_nobody_approves_what_they_asked_for_but_may_take_it_back(cast: Cast) -> None:
    administrator = cast.callers[Kind.ADMINISTRATOR]
    for operation, status in (("approve_request", 403), ("reject_request", 200)):
        call = CALLS[operation](cast, administrator)
        assert cast.world.ask(administrator.who, call.method, call.target, call.body).status == status


def test_what_is_anothers_is_answered_as_what_never_was(cast: Cast) -> None:
    requester = cast.callers[Kind.REQUESTER].who
    there = cast.world.ask(requester, "GET", f"/certificates/{cast.certificate(None)}").document
    never = cast.world.ask(requester, "GET", "/certificates/1234").document
    assert there.keys() == never.keys()
    assert (there["status"], there["hint"]) == (never["status"], never["hint"])


def test_a_page_of_another_site_cannot_use_a_browsers_certificate(cast: Cast) -> None:
    who = _caller(cast, Kind.DEVICE).who
    for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)):
        assert cast.world.ask(who, "GET", "/caller", sec_fetch_site=site).status == status


def test_a_body_that_a_form_could_send_is_none(cast: Cast) -> None:
    administrator = cast.callers[Kind.ADMINISTRATOR].who
    wanted = {"name": cast.world.name("new"), "role": "requester", "secret": True}
    for media_type in ("text/plain", "application/x-www-form-urlencoded"):
        answer = cast.world.ask(administrator, "POST", "/requesters", wanted, content_type=media_type)
        assert answer.status == 422


def test_the_kinds_are_what_the_core_takes_them_for(cast: Cast) -> None:
    for kind in Kind:
        caller = _caller(cast, kind)
        told = cast.world.ask(caller.who, "GET", "/caller").document
        assert told["kind"] == kind == kind_of(caller.requester)
    assert kind_of(OPERATOR) is Kind.DEVICE
