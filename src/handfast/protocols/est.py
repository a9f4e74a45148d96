"""EST: enrollment over secure transport (RFC 7030, with RFC 8951 and RFC 9908)."""

from cryptography.hazmat.primitives.serialization import Encoding

from handfast.ca import crossing
from handfast.ca.authority import Authority
from handfast.protocols.est_asking import place_of
from handfast.protocols.est_attributes import attributes_to_ask_for
from handfast.protocols.est_enrolling import simple_enroll, simple_reenroll
from handfast.protocols.est_keys import server_key_generation
from handfast.protocols.est_messages import certificates_response, spelled
from handfast.protocols.exchange import Handler, Request, Response, Route

_PREFIX = "/.well-known/est"
_NO_CMC = b"full CMC is not offered here; use simpleenroll, simplereenroll or serverkeygen\n"


def ca_certificates(request: Request, authority: Authority) -> Response:
    """Roots, chains and cross certificates; for everybody, who need not trust this connection yet."""
    place = place_of(request, authority)
    valid = crossing.ca_certificates(authority)
    return certificates_response((one.public_bytes(Encoding.DER) for one in valid), is_wrapped=place.is_wrapped)


def full_cmc(request: Request, authority: Authority) -> Response:
    """RFC 7030 section 4.3 leaves it open."""
    place_of(request, authority)
    return Response(status=501, body=_NO_CMC, media_type="text/plain; charset=utf-8")


def _spelling(handle: Handler) -> Handler:
    return lambda request, authority: spelled(lambda: handle(request, authority))


def _routes(operation: str, method: str, handle: Handler, *, is_issuing: bool = False) -> tuple[Route, ...]:
    """With and without a label."""
    paths = (f"{_PREFIX}/{operation}", f"{_PREFIX}/{{label}}/{operation}")
    spelling = _spelling(handle)
    return tuple(Route(methods=(method,), path=path, handle=spelling, is_issuing=is_issuing) for path in paths)


routes = (
    *_routes("cacerts", "GET", ca_certificates),
    *_routes("simpleenroll", "POST", simple_enroll, is_issuing=True),
    *_routes("simplereenroll", "POST", simple_reenroll, is_issuing=True),
    *_routes("csrattrs", "GET", attributes_to_ask_for),
    # Not among those that share a write: an RSA key takes long.
    *_routes("serverkeygen", "POST", server_key_generation),
    *_routes("fullcmc", "POST", full_cmc),
)
