"""Certificate requests: a source of key and proof; what they ask for is a wish (PKCS#10, RFC 2986)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import SignatureAlgorithmOID

from handfast.errors import Malformed
from handfast.pki import der
from handfast.pki.csr_order import in_order
from handfast.pki.keys import (
    KeyKind,
    PrivateKey,
    PublicKey,
    hash_for,
    is_elliptic,
    is_rsa,
    kind_of,
    require_strong,
)
from handfast.pki.names import Name, from_general_names
from handfast.pki.pem import one_request, request_der

MAXIMUM_SIZE = 64 * 1024  # an ML-DSA-87 request has about 8 KB
_OWN_ALGORITHM: dict[KeyKind | None, x509.ObjectIdentifier] = {
    KeyKind.ED25519: SignatureAlgorithmOID.ED25519,
    KeyKind.ML_DSA_44: SignatureAlgorithmOID.ML_DSA_44,
    KeyKind.ML_DSA_65: SignatureAlgorithmOID.ML_DSA_65,
    KeyKind.ML_DSA_87: SignatureAlgorithmOID.ML_DSA_87,
}
# The version, and a subject of one common name up to its text; the groups are lengths.
_ONE_COMMON_NAME = re.compile(rb"\x02\x01\x00\x30(.)\x31(.)\x30(.)\x06\x03\x55\x04\x03\x0c(.)", re.DOTALL)
_PSS_ALONE = der.object_identifier("1.2.840.113549.1.1.10")
# Asking a request for its parameters makes them anew each time.
_ECDSA = {
    SignatureAlgorithmOID.ECDSA_WITH_SHA256: ec.ECDSA(hashes.SHA256()),
    SignatureAlgorithmOID.ECDSA_WITH_SHA384: ec.ECDSA(hashes.SHA384()),
}
_HINT = "make the request again with the key that it is for"


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """A request whose sender has the private key: proven by its signature.

    names: the subjectAltName wished for. wishes: every extension wished for, names included; nothing copies them.
    """

    public_key: PublicKey
    subject: x509.Name
    names: tuple[Name, ...]
    wishes: tuple[x509.Extension[x509.ExtensionType], ...]
    der: bytes


def parse_request(data: bytes, source: str = "input") -> CertificateRequest:
    """A PEM or DER request. Raises Malformed for one that is not whole or whose signature is not by its own key, and
    Unacceptable for a weak key."""
    if len(data) > MAXIMUM_SIZE:
        msg = f"{source} has {len(data)} bytes; a certificate request has at most {MAXIMUM_SIZE}"
        raise Malformed(msg, hint="give a certificate request")
    request, encoded, signed = _load(data, source)
    public_key = _public_key(request, source)
    require_strong(public_key)
    if is_rsa(public_key):
        _require_every_padding(signed, source)
    _require_possession(request, signed, key=public_key, source=source)
    return _request(request, public_key, encoded, signed, source)


def parse_wishes(data: bytes, source: str = "input") -> CertificateRequest:
    """A PEM or DER request whose key and signature count for nothing (RFC 7030 section 4.4.1).

    Raises Malformed.
    """
    if len(data) > MAXIMUM_SIZE:
        msg = f"{source} has {len(data)} bytes; a certificate request has at most {MAXIMUM_SIZE}"
        raise Malformed(msg, hint="give a certificate request")
    request, encoded, signed = _load(data, source)
    return _request(request, _public_key(request, source), encoded, signed, source)


def _request(
    request: x509.CertificateSigningRequest, public_key: PublicKey, encoded: bytes, signed: bytes, source: str
) -> CertificateRequest:
    wishes = _wishes(request, source)
    names = tuple(
        name
        for wish in wishes
        if type(wish.value) is x509.SubjectAlternativeName
        for name in from_general_names(wish.value)
    )
    return CertificateRequest(public_key, _subject(request, signed, source), names, wishes, encoded)


def build_request(key: PrivateKey, *, subject: x509.Name, names: Iterable[Name] = ()) -> x509.CertificateSigningRequest:
    """A request for this key, signed with it."""
    general_names = [name.to_general_name() for name in names]
    builder = x509.CertificateSigningRequestBuilder(subject)
    if general_names:
        critical = not list(subject)
        builder = builder.add_extension(x509.SubjectAlternativeName(general_names), critical=critical)
    return builder.sign(key, hash_for(key))  # type: ignore[arg-type]  # a DSA key never comes here


def proof_of(key: PrivateKey) -> CertificateRequest:
    """A request that wishes for nothing: it only proves that the key is there. Raises Unacceptable for a weak key."""
    return parse_request(build_request(key, subject=x509.Name([])).public_bytes(Encoding.DER))


def _subject(request: x509.CertificateSigningRequest, signed: bytes, source: str) -> x509.Name:
    """The subject in the string types of today, whatever the request has (RFC 5280 section 4.1.2.4)."""
    try:
        if _is_one_of_today(signed):
            return request.subject
        return x509.Name([x509.RelativeDistinguishedName(map(_in_utf8, rdn)) for rdn in request.subject.rdns])
    except ValueError as error:
        msg = f"the subject of the request in {source} cannot be certified: {error}"
        raise Malformed(msg, hint="make the request with another subject, or an empty one") from None


def _is_one_of_today(signed: bytes) -> bool:
    """True for the subject that nearly every request has: one common name, in UTF-8 and not too long."""
    found = _ONE_COMMON_NAME.match(signed, der.element_at(signed).start)
    if found is None:
        return False
    name, relative, attribute, text = (octet[0] for octet in found.groups())
    return 0 < text <= 64 and name == relative + 2 == attribute + 4 == text + 11


def _in_utf8(attribute: x509.NameAttribute[str | bytes]) -> x509.NameAttribute[str | bytes]:
    return x509.NameAttribute(attribute.oid, attribute.value) if isinstance(attribute.value, str) else attribute


def _public_key(request: x509.CertificateSigningRequest, source: str) -> PublicKey:
    try:
        return request.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        msg = f"the public key of the request in {source} cannot be read: {error}"
        raise Malformed(msg, hint="make the request with a P-256 key") from None


def _load(data: bytes, source: str) -> tuple[x509.CertificateSigningRequest, bytes, bytes]:
    """The request, its DER as it came, and the bytes that were signed."""
    request = _only_block(data)
    if request is not None:
        encoded = data if data[:1] == b"\x30" else request.public_bytes(Encoding.DER)
        information = der.element_at(encoded, der.element_at(encoded).start)
        return request, encoded, encoded[information.begin : information.end]
    try:
        request = one_request(data, source)
        return request, request.public_bytes(Encoding.DER), request.tbs_certrequest_bytes
    except Malformed:
        sent = request_der(data, source)
        ordered = in_order(sent) if sent is not None else None
        if sent is None or ordered is None:
            raise
    return one_request(ordered[0], source), sent, ordered[1]


def _only_block(data: bytes) -> x509.CertificateSigningRequest | None:
    """What nearly every request is, one block and nothing else, in a fifth of the time; None for the long way."""
    is_der = data[:1] == b"\x30"
    if not is_der and (not data.startswith(b"-----BEGIN CERTIFICATE REQUEST-----\n") or data.count(b"-----BEGIN") != 1):
        return None
    try:
        return x509.load_der_x509_csr(data) if is_der else x509.load_pem_x509_csr(data)
    except (ValueError, x509.InvalidVersion):
        return None


def _is_proven(request: x509.CertificateSigningRequest, signed: bytes, key: PublicKey) -> bool:
    # As request.is_signature_valid, which reads the key once more and encodes what was signed anew.
    try:
        known = _ECDSA.get(request.signature_algorithm_oid)
        if known is not None and is_elliptic(key):
            key.verify(request.signature, signed, known)
            return True
        parameters, algorithm = request.signature_algorithm_parameters, request.signature_hash_algorithm
        if is_elliptic(key) and isinstance(parameters, ec.ECDSA):
            key.verify(request.signature, signed, parameters)
        elif is_rsa(key) and isinstance(parameters, padding.PKCS1v15 | padding.PSS) and algorithm:
            key.verify(request.signature, signed, parameters, algorithm)
        elif request.signature_algorithm_oid == _OWN_ALGORITHM.get(kind_of(key)):
            key.verify(request.signature, signed)  # type: ignore[union-attr, call-arg]  # these kinds take no more
        else:
            return False
    except InvalidSignature:
        return False
    return True


def _require_every_padding(signed: bytes, source: str) -> None:
    """A key that is for PSS alone would be certified as any RSA key: its holder's TLS takes them for two keys."""
    _, _, info, *_ = der.children(signed, der.element_at(signed))
    algorithm = next(der.children(signed, info))
    identifier = next(der.children(signed, algorithm))
    if signed[identifier.begin : identifier.end] == _PSS_ALONE:
        msg = f"the key of the request in {source} is for RSASSA-PSS alone, which handfast does not certify"
        raise Malformed(msg, hint="make an RSA key for any padding, or better a P-256 key; it may sign with PSS too")


def _require_possession(request: x509.CertificateSigningRequest, signed: bytes, *, key: PublicKey, source: str) -> None:
    try:
        proven = _is_proven(request, signed, key)
    except (ValueError, UnsupportedAlgorithm) as error:
        msg = f"the signature on the request in {source} cannot be checked: {error}"
        raise Malformed(msg, hint="sign the request with SHA-256 or better") from None
    if not proven:
        msg = f"the request in {source} is not signed by the key in it: nothing proves that its sender has that key"
        raise Malformed(msg, hint=_HINT)


def _wishes(request: x509.CertificateSigningRequest, source: str) -> tuple[x509.Extension[x509.ExtensionType], ...]:
    try:
        return tuple(request.extensions)
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        msg = f"the extensions of the request in {source} cannot be read: {error}"
        raise Malformed(msg, hint=_HINT) from None
