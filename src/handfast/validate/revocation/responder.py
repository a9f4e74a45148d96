"""Who signed an OCSP response, and may they: the issuer, its delegate, or one of ours (RFC 6960 section 4.2.2.2)."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from handfast.errors import Malformed
from handfast.validate.certificate import Certificate, read_authority
from handfast.validate.der import SEQUENCE, items, malformed
from handfast.validate.distinguished_names import same_name
from handfast.validate.keys import subject_key
from handfast.validate.revocation.crl import MOST_SIGNERS, ask_crls, signature_problem
from handfast.validate.revocation.extensions import UNREADABLE, has_extension
from handfast.validate.revocation.facts import CertificationAuthority, Question, authority_of
from handfast.validate.signatures import is_signed_by, scheme

_MAXIMUM_CERTIFICATES = 8
_USELESS_KEYS = {"key-rsa-too-small", "key-rsa-broken", "key-rsa-exponent", "key-unreadable"}


@dataclass(frozen=True, slots=True)
class SignedResponse:
    """An OCSP response with the parts of its DER that the signature is about."""

    response: ocsp.OCSPResponse
    message: bytes
    algorithm: bytes
    signature: bytes

    def is_by(self, public_key: PublicKeyTypes | None) -> bool:
        """Whether that key signed it."""
        return is_signed_by(public_key, scheme(self.algorithm), self.signature, self.message)


def signed_response(response: ocsp.OCSPResponse, data: bytes) -> SignedResponse:
    """The parts, from the DER of a successful response (RFC 6960 section 4.2.1). Raises Malformed."""
    explicit = items(data, SEQUENCE)[-1]
    wrapped = items(explicit[1], SEQUENCE)
    basic = items(wrapped[-1][1], SEQUENCE)
    if len(basic) < 3 or not basic[2][1]:
        raise malformed("an OCSP response is not what was signed, an algorithm and a signature")
    return SignedResponse(response, basic[0][2], basic[1][2], basic[2][1][1:])


def responder_problem(signed: SignedResponse, question: Question, notices: list[str]) -> str | None:
    """None when the response is signed by one who may answer for the certificate; else why not.

    Adds to `notices` what was accepted and is worth knowing.
    """
    response = signed.response
    weak = signature_problem(signed.algorithm, question)
    if weak:
        return weak
    problem: str | None = None
    if _names(response, question.issuer):
        if signed.is_by(question.issuer.public_key):
            return None
        problem = "its signature does not verify with the issuer's key"
    named = (each for each in _candidates(response, question) if _names(response, authority_of(each)))
    for certificate in islice(named, MOST_SIGNERS):
        if not signed.is_by(authority_of(certificate).public_key):
            problem = problem or "its signature does not verify with the responder's key"
            continue
        refused = _delegate_problem(certificate, question, notices)
        if refused is None:
            return None
        problem = refused
    return problem or "the certificate of the responder that it names is not at hand"


def _candidates(response: ocsp.OCSPResponse, question: Question) -> Iterator[Certificate]:
    for certificate in (*response.certificates[:_MAXIMUM_CERTIFICATES], *question.policy.trusted_responders):
        # The same one comes with every answer.
        yield read_authority(certificate)
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
    if not _is_issued_by(certificate, question):
        return "its responder's certificate is not issued by the CA that issued the certificate"
    if not parsed.not_valid_before_utc <= question.at <= parsed.not_valid_after_utc:
        return "its responder's certificate is not valid at this time"
    problem = _usage_problem(parsed) or _key_problem(certificate)
    return problem or _revocation_problem(certificate, question, notices)


def _is_issued_by(certificate: Certificate, question: Question) -> bool:
    """Directly: name and signature. RFC 6960 allows no certificate between."""
    if not same_name(certificate.issuer, question.issuer.name):
        return False
    if certificate.algorithm != certificate.inner_algorithm or signature_problem(certificate.algorithm, question):
        return False
    return _verifies(question.issuer.spki, certificate.algorithm, certificate.signature, certificate.tbs)


@lru_cache(maxsize=256)
def _verifies(spki: bytes, algorithm: bytes, signature: bytes, message: bytes) -> bool:
    """Remembered: one responder signs all answers of an issuer."""
    return is_signed_by(subject_key(spki).key, scheme(algorithm), signature, message)


def _key_problem(certificate: Certificate) -> str | None:
    broken = (message for code, message in subject_key(certificate.spki).problems if code in _USELESS_KEYS)
    return next((f"its responder's certificate: {message}" for message in broken), None)


def _usage_problem(certificate: x509.Certificate) -> str | None:
    try:
        extensions = certificate.extensions
        usages = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return "its responder's certificate is not for OCSP signing"
    except UNREADABLE:
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
    answer = ask_crls(question._replace(certificate=certificate))
    if answer.entry is not None:
        return "its responder's certificate is revoked"
    if not answer.is_complete:
        notices.append("whether the responder's own certificate is revoked is not known: it lacks ocsp-nocheck")
    return None


def key_bits(authority: CertificationAuthority) -> bytes:
    """The content of subjectPublicKey's BIT STRING: what OCSP hashes as the key. Raises Malformed."""
    fields = items(authority.spki, SEQUENCE)
    if len(fields) != 2:
        raise Malformed("a public key is not an algorithm and bits", hint="obtain the CA certificate again")
    return fields[1][1][1:]
