"""Who signed an OCSP response, and may they: the issuer, its delegate, or one of ours (RFC 6960 section 4.2.2.2)."""

from collections.abc import Iterator
from dataclasses import replace

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, mldsa, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from handfast.errors import Malformed
from handfast.validate.certificate import Certificate, read_certificate
from handfast.validate.der import SEQUENCE, items
from handfast.validate.distinguished_names import same_name
from handfast.validate.revocation.crl import ask_crls
from handfast.validate.revocation.extensions import has_extension
from handfast.validate.revocation.facts import CertificationAuthority, Question, authority_of

_MAXIMUM_CERTIFICATES = 8
_PSS = "1.2.840.113549.1.1.10"
_WEAK_HASHES = {"md5", "sha1"}


def responder_problem(response: ocsp.OCSPResponse, question: Question, notices: list[str]) -> str | None:
    """None when the response is signed by one who may answer for the certificate; else why not.

    Adds to `notices` what was accepted and is worth knowing.
    """
    weak = _weak_hash(response, question)
    if weak:
        return weak
    problem: str | None = None
    if _names(response, question.issuer):
        if _signature_verifies(response, question.issuer.public_key):
            return None
        problem = "its signature does not verify with the issuer's key"
    for certificate in _candidates(response, question):
        if not _names(response, authority_of(certificate)):
            continue
        if not _signature_verifies(response, authority_of(certificate).public_key):
            problem = problem or "its signature does not verify with the responder's key"
            continue
        refused = _delegate_problem(certificate, question, notices)
        if refused is None:
            return None
        problem = refused
    return problem or "the certificate of the responder that it names is not at hand"


def _weak_hash(response: ocsp.OCSPResponse, question: Question) -> str | None:
    try:
        algorithm = response.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return "its signature algorithm is not known"
    weak = _WEAK_HASHES if question.policy.strict else {"md5"}
    return f"it is signed with {algorithm.name}" if algorithm is not None and algorithm.name in weak else None


def _candidates(response: ocsp.OCSPResponse, question: Question) -> Iterator[Certificate]:
    for certificate in (*response.certificates[:_MAXIMUM_CERTIFICATES], *question.policy.trusted_responders):
        yield read_certificate(certificate)
    yield from question.signers.pool


def _names(response: ocsp.OCSPResponse, responder: CertificationAuthority) -> bool:
    """Whether the responderID is this one: by name, or by the SHA-1 of the key."""
    if response.responder_name is not None:
        return same_name(response.responder_name.public_bytes(), responder.name)
    digest = hashes.Hash(hashes.SHA1())  # noqa: S303  # the identifier that RFC 6960 defines, no protection
    digest.update(key_bits(responder))
    return digest.finalize() == response.responder_key_hash


def _delegate_problem(certificate: Certificate, question: Question, notices: list[str]) -> str | None:
    """Whether a certificate makes its subject a responder for the issuer; one that is configured needs no more."""
    parsed = certificate.to_x509()
    if parsed is None:
        return "its responder's certificate cannot be read"
    if parsed in question.policy.trusted_responders:
        return None
    if not _is_issued_by(parsed, certificate, question):
        return "its responder's certificate is not issued by the CA that issued the certificate"
    if not parsed.not_valid_before_utc <= question.at <= parsed.not_valid_after_utc:
        return "its responder's certificate is not valid at this time"
    problem = _usage_problem(parsed)
    return problem or _revocation_problem(certificate, question, notices)


def _is_issued_by(parsed: x509.Certificate, certificate: Certificate, question: Question) -> bool:
    """Directly: name and signature. RFC 6960 allows no certificate between."""
    issuer = question.issuer
    if not same_name(certificate.issuer, issuer.name):
        return False
    try:
        how = (parsed.signature_algorithm_parameters, parsed.signature_hash_algorithm)
    except (UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return verifies(issuer.public_key, certificate.signature, certificate.tbs, how)


def _usage_problem(certificate: x509.Certificate) -> str | None:
    try:
        extensions = certificate.extensions
        usages = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return "its responder's certificate is not for OCSP signing"
    except (x509.DuplicateExtension, ValueError, TypeError):
        return "its responder's certificate cannot be read"
    if ExtendedKeyUsageOID.OCSP_SIGNING not in usages:
        return "its responder's certificate is not for OCSP signing"
    for extension in extensions:
        if isinstance(extension.value, x509.KeyUsage) and not (
            extension.value.digital_signature or extension.value.content_commitment
        ):
            return "the key usage of its responder's certificate allows no signatures"
        if extension.critical and isinstance(extension.value, x509.UnrecognizedExtension):
            return "its responder's certificate has a critical extension that is not known"
    return None


def _revocation_problem(certificate: Certificate, question: Question, notices: list[str]) -> str | None:
    """With id-pkix-ocsp-nocheck, none; else by CRL only, since a responder cannot vouch for itself."""
    if has_extension(certificate, x509.OCSPNoCheck.oid):
        return None
    answer = ask_crls(replace(question, certificate=certificate))
    if answer.entry is not None:
        return "its responder's certificate is revoked"
    if not answer.is_complete:
        notices.append("whether the responder's own certificate is revoked is not known: it lacks ocsp-nocheck")
    return None


def _signature_verifies(response: ocsp.OCSPResponse, public_key: object) -> bool:
    algorithm = response.signature_hash_algorithm
    parameters: object = None
    if response.signature_algorithm_oid.dotted_string == _PSS and algorithm is not None:
        parameters = padding.PSS(padding.MGF1(algorithm), padding.PSS.AUTO)
    elif isinstance(public_key, ec.EllipticCurvePublicKey) and algorithm is not None:
        parameters = ec.ECDSA(algorithm)
    elif isinstance(public_key, rsa.RSAPublicKey):
        parameters = padding.PKCS1v15()
    return verifies(public_key, response.signature, response.tbs_response_bytes, (parameters, algorithm))


def verifies(
    public_key: object, signature: bytes, data: bytes, how: tuple[object, hashes.HashAlgorithm | None]
) -> bool:
    """Whether the signature over `data` is of this key; False too for kinds of keys that do not fit the algorithm.

    how: the padding or ECDSA parameters, and the hash, as cryptography reads them from the signed object.
    """
    try:
        _verify(public_key, signature, data, how)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def _verify(key: object, signature: bytes, data: bytes, how: tuple[object, hashes.HashAlgorithm | None]) -> None:
    parameters, algorithm = how
    if isinstance(key, rsa.RSAPublicKey) and algorithm and isinstance(parameters, padding.PKCS1v15 | padding.PSS):
        key.verify(signature, data, parameters, algorithm)
    elif isinstance(key, ec.EllipticCurvePublicKey) and isinstance(parameters, ec.ECDSA):
        key.verify(signature, data, parameters)
    elif isinstance(key, dsa.DSAPublicKey) and algorithm:
        key.verify(signature, data, algorithm)
    elif (isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey) and algorithm is None) or isinstance(
        key, mldsa.MLDSA44PublicKey | mldsa.MLDSA65PublicKey | mldsa.MLDSA87PublicKey
    ):
        key.verify(signature, data)
    else:
        raise InvalidSignature


def key_bits(authority: CertificationAuthority) -> bytes:
    """The content of subjectPublicKey's BIT STRING: what OCSP hashes as the key. Raises Malformed."""
    fields = items(authority.spki, SEQUENCE)
    if len(fields) != 2:
        raise Malformed("a public key is not an algorithm and bits", hint="obtain the CA certificate again")
    return fields[1][1][1:]
