"""Keys that the service makes for a device over EST, kept nowhere and written nowhere (RFC 7030 section 4.4)."""

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from handfast.ca.authority import Authority
from handfast.ca.issuer import Issuer
from handfast.ca.order import Order
from handfast.ca.policy import Grant, Requester
from handfast.ca.records import Pending
from handfast.errors import Denied, Malformed
from handfast.pki import der
from handfast.pki.cms import ASYMMETRIC_KEY_PACKAGE, SIGNED_DATA, certificates_only, signed_data
from handfast.pki.cms_envelope import CIPHERS, EcRecipient, Recipient, RsaRecipient, SharedKey, enveloped
from handfast.pki.csr import parse_wishes
from handfast.pki.csr_attributes import RequestAttributes
from handfast.pki.keys import KeyKind, PrivateKey, describe_key, is_elliptic, is_rsa, kind_of
from handfast.pki.profile import Profile
from handfast.protocols.est_asking import asked
from handfast.protocols.est_enrolling import enrolling_order, pending_response, renewing_order
from handfast.protocols.est_messages import CERTIFICATES_TYPE, base64_text
from handfast.protocols.exchange import Request, Response

_BOUNDARY = b"handfast-est-boundary"
_KEY_TYPE = "application/pkcs8"
_ENCRYPTED_TYPE = "application/pkcs7-mime; smime-type=server-generated-key"
_HINT = "leave the attribute out: TLS protects the key on its way"


def server_key_generation(request: Request, authority: Authority) -> Response:
    """A new key and its certificate. The key in the request, which may be a dummy, only says which kind is wanted."""
    one = asked(request, authority, parse=parse_wishes)
    renews = one.requester.certificate is not None and Grant.ISSUE not in one.requester.grants
    order = renewing_order(one, authority) if renews else enrolling_order(one, authority)
    _require_no_approvals(order, authority)
    cipher = _cipher(one.attributes)
    recipient = _recipient(one.attributes, one.requester, authority)
    key = authority.randomness.new_key(_kind(order, authority.profile(order.profile)))
    issued = authority.enroll(_for_key(order, key))
    if isinstance(issued, Pending):
        return pending_response(issued, authority)
    data, media_type = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()), _KEY_TYPE
    if recipient is not None:
        issuer = authority.issuer(issued.record.issuer)
        data, media_type = _encrypted(data, recipient, cipher, authority, issuer), _ENCRYPTED_TYPE
    parts = ((media_type, data), (CERTIFICATES_TYPE, certificates_only((issued.der,))))
    return _multipart(parts, is_wrapped=one.place.is_wrapped)


def _for_key(order: Order, key: PrivateKey) -> Order:
    return Order(
        profile=order.profile,
        public_key=key.public_key(),
        subject=order.subject,
        names=order.names,
        requester=order.requester,
        replaces=order.replaces,
    )


def _require_no_approvals(order: Order, authority: Authority) -> None:
    """Who asks again would ask for another key: nobody could approve it."""
    if order.replaces is None and authority.policy.approvals.get(order.profile, 0):
        msg = f"certificates of the profile {order.profile} wait for approval, and a key is not kept so long"
        raise Denied(msg, hint="make the key on the device, and use simpleenroll")


def _kind(order: Order, profile: Profile) -> KeyKind:
    wanted = kind_of(order.public_key)
    if wanted is None:
        raise Denied(f"a {describe_key(order.public_key)} key is not made here", hint=f"ask for {KeyKind.P256}")
    if wanted not in profile.key_kinds:
        kinds = ", ".join(sorted(profile.key_kinds))
        raise Denied(f"the profile {profile.name} does not allow {wanted} keys", hint=f"ask for one of: {kinds}")
    return wanted


def _cipher(attributes: RequestAttributes) -> str:
    if attributes.capabilities is None:
        return next(iter(CIPHERS))
    for dotted in CIPHERS:
        if der.object_identifier(dotted) in attributes.capabilities:
            return dotted
    if attributes.decrypt_key is None and attributes.asymmetric_key is None:
        return next(iter(CIPHERS))
    raise Malformed("the SMIMECapabilities of the request have no AES in CBC mode", hint="add aes256-CBC to them")


def _recipient(attributes: RequestAttributes, requester: Requester, authority: Authority) -> Recipient | None:
    """Whom the key is encrypted for, if for anybody. Raises Denied: it never goes out in the clear instead."""
    if attributes.decrypt_key is not None and attributes.asymmetric_key is not None:
        raise Malformed("the request names two keys to encrypt the new key with", hint="name one")
    if attributes.decrypt_key is not None:
        shared = authority.enrollment.decrypt_keys.get(attributes.decrypt_key)
        if shared is None:
            raise Denied("the key that DecryptKeyIdentifier names is not known here", hint=_HINT)
        return SharedKey(attributes.decrypt_key, shared)
    if attributes.asymmetric_key is None:
        return None
    certificate = None if requester.certificate is None else requester.certificate.x509()
    if certificate is None or _identifier(certificate) != attributes.asymmetric_key:
        msg = "AsymmetricDecryptKeyIdentifier is not the subjectKeyIdentifier of the certificate that you presented"
        raise Denied(msg, hint=_HINT)
    return _holder_of(certificate, attributes.asymmetric_key, authority)


def _holder_of(certificate: x509.Certificate, identifier: bytes, authority: Authority) -> Recipient:
    public_key = certificate.public_key()
    kind = kind_of(public_key)
    if is_rsa(public_key):
        return RsaRecipient(identifier, public_key)
    if kind is not None and is_elliptic(public_key):
        ephemeral = authority.randomness.new_key(kind)
        if isinstance(ephemeral, ec.EllipticCurvePrivateKey):
            return EcRecipient(identifier, public_key, ephemeral)
    msg = f"nothing can be encrypted for a {describe_key(public_key)} key"
    raise Denied(msg, hint=_HINT)


def _identifier(certificate: x509.Certificate) -> bytes:
    return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest


def _encrypted(key: bytes, recipient: Recipient, cipher: str, authority: Authority, issuer: Issuer) -> bytes:
    """The key in its package, signed by the CA that made it, encrypted (RFC 7030 section 4.4.2)."""
    package = der.sequence([key])
    signed = signed_data(
        ASYMMETRIC_KEY_PACKAGE, package, certificate=issuer.certificate, key=issuer.unlock(), at=authority.clock()
    )
    return enveloped(SIGNED_DATA, signed, recipient, cipher=cipher, octets=authority.randomness.octets)


def _multipart(parts: tuple[tuple[str, bytes], ...], *, is_wrapped: bool) -> Response:
    """The parts of a multipart/mixed (RFC 2046 section 5.1.1)."""
    body = b"".join(
        b"--%s\r\nContent-Type: %s\r\nContent-Transfer-Encoding: base64\r\n\r\n%s\r\n"
        % (_BOUNDARY, media_type.encode(), base64_text(data, is_wrapped=is_wrapped).rstrip())
        for media_type, data in parts
    )
    media_type = f"multipart/mixed; boundary={_BOUNDARY.decode()}"
    return Response(body=body + b"--%s--\r\n" % _BOUNDARY, media_type=media_type, headers={"cache-control": "no-store"})
