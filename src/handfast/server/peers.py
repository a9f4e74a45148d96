"""Who is at the other end of a connection, and how its certificate stands at each request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from handfast.ca.authority import Authority
from handfast.ca.records import Reason
from handfast.ca.refusals import FAILED, Refusal
from handfast.errors import Denied
from handfast.protocols.exchange import Peer

# Where the Peer and the connection of a request are in its ASGI scope.
SCOPE_KEY = "handfast.visitor"
_DER = 2
_DEEPEST = 8


@dataclass(slots=True)
class Visitor:
    """One connection: its peer, and the tls extension of the ASGI specification."""

    peer: Peer
    extension: Mapping[str, Any] = field(default_factory=dict)


def peer_of_scope(scope: Mapping[str, Any]) -> Peer:
    """The authenticated other end, for an ASGI application below this one."""
    visitor: Visitor = scope[SCOPE_KEY]
    return visitor.peer


def visitor_of(address: str, secured: Any, issuers: Sequence[x509.Certificate]) -> Visitor:
    """The visitor of a connection. secured: its ssl object, None without TLS. issuers: to complete a chain from.

    After a resumption TLS keeps the leaf only; the chain is put together anew.
    """
    if secured is None:
        return Visitor(Peer(address=address))
    chain = _verified_chain(secured)
    if len(chain) == 1:
        chain = _completed(chain[0], issuers)
    version = secured.version() or ""
    peer = Peer(
        address=address,
        chain=chain,
        tls_version=version,
        is_resumed=bool(secured.session_reused),
        # What Python still gives for TLS 1.3 is not the binding that RFC 5929 defines (RFC 8446 appendix C.5).
        tls_unique=secured.get_channel_binding("tls-unique") if version == "TLSv1.2" else None,
    )
    return Visitor(peer, _extension(peer))


def _verified_chain(secured: Any) -> tuple[x509.Certificate, ...]:
    # Public from Python 3.13 on; the same method is on the inner object before.
    verified = getattr(secured, "get_verified_chain", None) or secured._sslobj.get_verified_chain  # noqa: SLF001  # 3.11 and 3.12
    ders = [one if isinstance(one, bytes) else one.public_bytes(_DER) for one in verified() or ()]
    leaf = secured.getpeercert(True)
    return tuple(x509.load_der_x509_certificate(der) for der in ders or ([leaf] if leaf else []))


def _completed(leaf: x509.Certificate, issuers: Sequence[x509.Certificate]) -> tuple[x509.Certificate, ...]:
    chain = [leaf]
    while chain[-1].issuer != chain[-1].subject and len(chain) < _DEEPEST:
        above = next((one for one in issuers if one.subject == chain[-1].issuer and _issued(one, chain[-1])), None)
        if above is None:
            break
        chain.append(above)
    return tuple(chain)


def _issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, TypeError, ValueError):
        return False
    return True


def _extension(peer: Peer) -> Mapping[str, Any]:
    pems = [one.public_bytes(Encoding.PEM).decode("ascii") for one in peer.chain]
    return {"client_cert_chain": pems, "tls_version": peer.tls_version, "resumed": peer.is_resumed}


def require_standing(authority: Authority, peer: Peer) -> None:
    """Raise Denied when the peer's certificate, or a CA above it, was revoked, put on hold or has expired since.

    Asked at each request, so that a connection that was kept alive does not outlive its certificate; one point read for
    each certificate below the root. One that is not on record passes: it proves nothing to us, and whoever asks for
    more authenticates it.
    """
    now = authority.clock()
    for certificate in peer.chain:
        whose = "the certificate that you presented" if certificate is peer.certificate else "the CA above you"
        word = "expired" if now > certificate.not_valid_after_utc else ""
        if not word and certificate.issuer == certificate.subject:
            return
        word = word or _revoked(authority, certificate)
        if word:
            authority.refusals.note(_refusal(peer, f"{whose} is {word}"), now)
            raise Denied(f"{whose} is {word}", hint="enroll anew, with a new key")


def _revoked(authority: Authority, certificate: x509.Certificate) -> str:
    """`revoked`, `on hold`, or nothing. CAs that followed one another may have one name."""
    for issuer in authority.issuers.values():
        if issuer.certificate.subject == certificate.issuer:
            last = authority.store.revocation(issuer.name, certificate.serial_number)
            if last is not None and last.reason is not Reason.REMOVE_FROM_CRL:
                return "on hold" if last.reason is Reason.CERTIFICATE_HOLD else "revoked"
    return ""


def _refusal(peer: Peer, words: str) -> Refusal:
    return Refusal(action=FAILED, reason=words, by="certificate", serial=peer.chain[0].serial_number)
