"""Who asks for what over EST: labels, credentials, channel binding (RFC 7030 sections 3.2.2, 3.2.3 and 3.5)."""

import base64
import binascii
import hmac
from collections.abc import Callable
from dataclasses import dataclass

from handfast.ca.authenticating import Credentials
from handfast.ca.authority import Authority
from handfast.ca.enrollment import ChannelBinding
from handfast.ca.policy import Requester
from handfast.ca.tokens import TOKEN_PREFIX
from handfast.errors import Denied, NotFound, RequestError, Unauthenticated
from handfast.pki.csr import CertificateRequest, parse_request
from handfast.pki.csr_attributes import RequestAttributes, attributes_of
from handfast.pki.profile import Profile
from handfast.protocols.est_messages import request_bytes
from handfast.protocols.exchange import Peer, Request

Parse = Callable[[bytes, str], CertificateRequest]
_SOURCE = "the body"
_LABEL_HINT = "a label is one of [est.labels] or the name of a profile"


@dataclass(frozen=True, slots=True)
class Place:
    """Where it was asked. profile: empty without a label."""

    profile: str
    is_wrapped: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for a certificate, by somebody who is known and whose key is proven to be at hand."""

    place: Place
    requester: Requester
    csr: CertificateRequest
    attributes: RequestAttributes


def place_of(request: Request, authority: Authority) -> Place:
    """What the label says. Raises NotFound."""
    name, enrollment = request.parameters.get("label"), authority.enrollment
    if name is None:
        return Place("", enrollment.is_wrapped)
    label = enrollment.labels.get(name)
    if label is not None:
        return Place(label.profile or name, label.is_wrapped)
    if name not in authority.profiles or authority.profiles[name].is_ca:
        raise NotFound(f"there is no label {name[:80]!r}", hint=_LABEL_HINT)
    return Place(name, enrollment.is_wrapped)


def profile_of(place: Place, requester: Requester | None, authority: Authority) -> Profile:
    """The label's profile; without a label, the token's, or else the one of the settings."""
    if not place.profile and requester is not None and requester.bond is not None and requester.profiles:
        return authority.profile(next(iter(requester.profiles)))
    return authority.profile(place.profile or authority.enrollment.profile)


def asked(request: Request, authority: Authority, *, parse: Parse = parse_request) -> Asked:
    """What is asked, and by whom. parse: reads the DER.

    Raises Unauthenticated, Denied, NotFound, Malformed or Unacceptable.
    """
    place, credentials = place_of(request, authority), credentials_of(request)
    if credentials.certificate is None and credentials.secret is None:
        csr, attributes, credentials = _with_token(request, parse)
        return Asked(place, authority.authenticate(credentials), csr, attributes)
    requester = authority.authenticate(credentials)
    csr = parse(request_bytes(request), _SOURCE)
    attributes = attributes_of(csr.der)
    require_bound(attributes.challenge, request.peer, authority.enrollment.channel_binding)
    return Asked(place, requester, csr, attributes)


def credentials_of(request: Request) -> Credentials:
    """The certificate of the connection, and user and secret of HTTP Basic (RFC 7617). Raises Unauthenticated."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if not scheme:
        return Credentials(request.peer.certificate)
    if scheme.lower() == "bearer":
        return Credentials(request.peer.certificate, None, value.strip())
    try:
        text = base64.b64decode(value.strip(), validate=True).decode("utf-8") if scheme.lower() == "basic" else ""
    except (binascii.Error, ValueError):
        text = ""
    user, colon, secret = text.partition(":")
    if not colon:
        raise Unauthenticated("the Authorization header is not HTTP Basic", hint="send user and secret by HTTP Basic")
    return Credentials(request.peer.certificate, user, secret)


def _with_token(request: Request, parse: Parse) -> tuple[CertificateRequest, RequestAttributes, Credentials]:
    """Without other credentials, a challengePassword that is a token is one. Its prefix is in no base64."""
    try:
        csr = parse(request_bytes(request), _SOURCE)
        attributes = attributes_of(csr.der)
    except RequestError:
        # Many clients ask first without anything, to be told how to authenticate.
        raise Unauthenticated("this needs a certificate, a secret or a token", hint="authenticate") from None
    if attributes.challenge is None or not attributes.challenge.startswith(TOKEN_PREFIX):
        raise Unauthenticated("this needs a certificate, a secret or a token", hint="authenticate")
    return csr, attributes, Credentials(secret=attributes.challenge)


def require_bound(challenge: str | None, peer: Peer, binding: ChannelBinding) -> None:
    """Raise Denied unless the challengePassword is this connection's, or there need be none (RFC 7030 section 3.5)."""
    if binding is ChannelBinding.IGNORE or (challenge is None and binding is ChannelBinding.VERIFY):
        return
    if peer.tls_unique is None:
        msg = "the channel binding in the challengePassword cannot be checked: TLS 1.3, or a proxy, has no tls-unique"
        if challenge is None:
            msg = "a channel binding is required, and TLS 1.3, or a proxy, has no tls-unique"
        raise Denied(msg, hint="leave out the challengePassword, use TLS 1.2, or set est.channel_binding to ignore")
    expected = base64.b64encode(peer.tls_unique)
    if not hmac.compare_digest((challenge or "").encode(), expected):
        msg = "the challengePassword is not the tls-unique of this connection"
        raise Denied(msg, hint="make the request anew for each connection, with base64(tls-unique) in it")
