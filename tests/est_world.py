"""EST without a network: an authority in memory, requests as a server hands them on, attributes that clients send."""

import base64
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import count
from secrets import token_bytes

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from handfast.ca.authority import Authority
from handfast.ca.enrollment import Enrollment
from handfast.ca.issuer import Issuer
from handfast.ca.name_patterns import parse_pattern
from handfast.ca.office import Proof
from handfast.ca.order import Issued, Order
from handfast.ca.policy import Policy, RequesterRole
from handfast.ca.ports import Randomness
from handfast.ca.records import Role
from handfast.ca.requesters import RequesterRecord
from handfast.keys.generate import new_secret
from handfast.pki import der
from handfast.pki.csr import build_request
from handfast.pki.csr_attributes import attribute
from handfast.pki.keys import PrivateKey
from handfast.pki.names import parse_names
from handfast.pki.profile import BUILT_IN
from handfast.pki.subject import parse_subject
from handfast.protocols.est import routes
from handfast.protocols.exchange import Peer, Request, Response
from handfast.stores.sqlite import open_store
from tests.pki_factory import NOW, authority_of, key_of, new_key

PREFIX = "/.well-known/est"
_ROUTES = {(route.methods[0], route.path): route for route in routes}


def est_authority(enrollment: Enrollment | None = None, policy: Policy | None = None) -> Authority:
    """An authority with a root and an issuing CA, that forgets everything."""
    ca, ticks, serials = authority_of(), count(), count((1 << 158) + 1)
    issuer = Issuer(
        name="issuing",
        role=Role.ISSUING,
        identity=ca.issuer,
        certificate=ca.issuing,
        chain=(ca.root,),
        unlock=lambda: ca.key,
    )
    return Authority(
        issuers={"issuing": issuer},
        default_issuer="issuing",
        profiles=BUILT_IN,
        policy=policy or Policy(),
        store=open_store(":memory:"),
        clock=lambda: NOW + timedelta(milliseconds=next(ticks)),
        new_serial=lambda: next(serials),
        enrollment=enrollment or Enrollment(),
        randomness=Randomness(new_key, token_bytes),
    )


def token_for(authority: Authority, *words: str, profile: str = "device") -> str:
    """A one-time token."""
    secret = new_secret("hft_")
    authority.office.make_token(secret, profile, words)
    return secret


def add_requester(
    authority: Authority, name: str, profile: str, *patterns: str, certificate: x509.Certificate | None = None
) -> str:
    """Somebody who may ask for certificates of that profile with such names; the secret."""
    secret = new_secret("hfr_")
    record = RequesterRecord(
        name=name,
        role=RequesterRole.REQUESTER,
        profiles=frozenset({profile}),
        patterns=tuple(map(parse_pattern, patterns)),
        created_at=NOW,
    )
    authority.office.add_requester(record, Proof(certificate, secret))
    return secret


def basic(secret: str, user: str = "") -> dict[str, str]:
    """The header of HTTP Basic."""
    return {"authorization": "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()}


def csr(subject: str = "CN=cam-7", *names: str, key: PrivateKey | None = None) -> bytes:
    """A request in DER."""
    built = build_request(key or key_of(), subject=parse_subject(subject), names=parse_names(names))
    return built.public_bytes(Encoding.DER)


def csr_with(
    attributes: Mapping[str, bytes], subject: str = "CN=cam-7", *names: str, key: PrivateKey | None = None
) -> bytes:
    """A request in DER with attributes besides, each with its value in DER."""
    signer = key or key_of()
    plain = x509.load_der_x509_csr(csr(subject, *names, key=signer))
    information = plain.tbs_certrequest_bytes
    fields = list(der.children(information, der.element_at(information)))
    kept = [information[one.begin : one.end] for one in der.children(information, fields[3])]
    extra = [attribute(dotted, value) for dotted, value in attributes.items()]
    parts = [information[one.begin : one.end] for one in fields[:3]]
    made = der.sequence([*parts, der.encode(0xA0, b"".join(sorted([*kept, *extra])))])
    # The algorithm of a request by the same key, and a signature by it.
    outer = plain.public_bytes(Encoding.DER)
    algorithm = list(der.children(outer, der.element_at(outer)))[1]
    signature = signer.sign(made, plain.signature_algorithm_parameters)  # type: ignore[call-arg, arg-type]  # ECDSA
    return der.sequence([made, outer[algorithm.begin : algorithm.end], der.encode(der.BIT_STRING, b"\0" + signature)])


def peer(certificate: x509.Certificate | None = None, tls_unique: bytes | None = None) -> Peer:
    """The other end of a connection."""
    chain = (certificate,) if certificate is not None else ()
    return Peer(address="192.0.2.1", chain=chain, tls_unique=tls_unique)


def ask(
    authority: Authority,
    operation: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    *,
    label: str | None = None,
    by: Peer | None = None,
) -> Response:
    """What the operation answers. body: DER, sent as base64; None for a GET."""
    method = "GET" if body is None else "POST"
    path = f"{PREFIX}/{operation}" if label is None else f"{PREFIX}/{{label}}/{operation}"
    request = Request(
        method=method,
        path=path.replace("{label}", label or ""),
        peer=by or peer(),
        parameters={} if label is None else {"label": label},
        headers={**({} if body is None else {"content-type": "application/pkcs10"}), **(headers or {})},
        body=base64.b64encode(body or b""),
    )
    return _ROUTES[method, path].handle(request, authority)


def as_sent(authority: Authority, body: bytes, headers: Mapping[str, str]) -> Response:
    """The answer to a body that is sent as it is."""
    request = Request(method="POST", path=f"{PREFIX}/simpleenroll", peer=peer(), headers=headers, body=body)
    return _ROUTES["POST", f"{PREFIX}/simpleenroll"].handle(request, authority)


def certificates_in(response: Response) -> list[x509.Certificate]:
    """The certificates of an answer."""
    return pkcs7.load_der_pkcs7_certificates(base64.b64decode(response.body))


def issued(authority: Authority, subject: str = "CN=cam-7", *names: str, profile: str = "device") -> Issued:
    """A certificate that the operator issued."""
    order = Order(
        profile=profile, public_key=key_of().public_key(), subject=parse_subject(subject), names=parse_names(names)
    )
    return authority.issue(order)


def with_approvals(authority: Authority, profile: str) -> Authority:
    """The same authority, where another must agree to certificates of that profile."""
    return replace(authority, policy=Policy(approvals={profile: 1}))
