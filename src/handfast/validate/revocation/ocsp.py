"""Revocation by OCSP, for one certificate (RFC 6960; nonces by RFC 9654)."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from handfast.errors import Malformed
from handfast.validate.revocation.extensions import UNREADABLE
from handfast.validate.revocation.facts import Question
from handfast.validate.revocation.responder import key_bits, responder_problem, signed_response

MAXIMUM_BYTES = 1024 * 1024
_MAXIMUM_SINGLES = 256
_CERT_ID_HASHES = {"sha1", "sha256", "sha384", "sha512"}
_PROCESSED = {x509.OCSPNonce.oid.dotted_string}


class OCSPAnswer(NamedTuple):
    """What the responses say: a usable single response or None, by whose word, and why others were no use."""

    single: ocsp.OCSPSingleResponse | None = None
    source: str = ""
    notices: tuple[str, ...] = ()
    problems: tuple[tuple[str, str], ...] = ()


def load_response(data: bytes, *, source: str = "OCSP response") -> ocsp.OCSPResponse:
    """An OCSP response from DER; `source` names it in messages. Raises Malformed. Checks no signature."""
    if len(data) > MAXIMUM_BYTES:
        raise Malformed(f"{source}: over {MAXIMUM_BYTES} bytes", hint="no honest OCSP response is that long")
    try:
        return ocsp.load_der_ocsp_response(data)
    except UNREADABLE as error:
        hint = "give the DER that the responder sent (RFC 6960 section 4.2)"
        raise Malformed(f"{source}: not an OCSP response: {error}", hint=hint) from error


def ask_ocsp(question: Question) -> OCSPAnswer:
    """Look the certificate up in the responses at hand; a revocation wins over all else, then the latest word."""
    found: list[OCSPAnswer] = []
    problems: list[tuple[str, str]] = []
    for number, data in enumerate(question.facts.ocsp_responses, start=1):
        name = f"OCSP response {number}"
        try:
            answer = judge(load_response(data, source=name), data, question)
        except (Malformed, *UNREADABLE) as error:
            problems.append((name, f"it cannot be read: {error}"))
            continue
        if isinstance(answer, str):
            problems.append((name, answer))
        else:
            found.append(answer)
    if not found:
        return OCSPAnswer(problems=tuple(problems))
    best = max(found, key=lambda each: _weight(each.single))
    return OCSPAnswer(best.single, best.source, best.notices, tuple(problems))


def _weight(single: ocsp.OCSPSingleResponse | None) -> tuple[bool, bool, datetime]:
    assert single is not None  # noqa: S101  # only answers with a single response are weighed
    status = single.certificate_status
    revoked, good = status is ocsp.OCSPCertStatus.REVOKED, status is ocsp.OCSPCertStatus.GOOD
    return revoked, good, single.this_update_utc


def judge(response: ocsp.OCSPResponse, data: bytes, question: Question) -> OCSPAnswer | str:
    """An answer to the question; or why this response, of which `data` is the DER, is no use."""
    if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        return f"the responder answered {response.response_status.name.lower().replace('_', ' ')}"
    singles = list(_singles_for(response, question))
    if not singles:
        return "it is about another certificate, or another issuer"
    problem = _response_problem(response, question)
    if problem:
        return problem
    notices: list[str] = []
    problem = responder_problem(signed_response(response, data), question, notices)
    if problem:
        return problem
    current = [single for single in singles if freshness_problem(single, question) is None]
    if not current:
        return freshness_problem(singles[0], question) or "it is not current"
    nonce_notice = _nonce_notice(response, question)
    if nonce_notice:
        notices.append(nonce_notice)
    single = max(current, key=_weight)
    return OCSPAnswer(single, describe(response), tuple(notices))


def _singles_for(response: ocsp.OCSPResponse, question: Question) -> Iterator[ocsp.OCSPSingleResponse]:
    for number, single in enumerate(response.responses):
        if number >= _MAXIMUM_SINGLES:
            return
        if single.serial_number == question.certificate.serial and _is_about_issuer(single, question):
            yield single


def _is_about_issuer(single: ocsp.OCSPSingleResponse, question: Question) -> bool:
    """Whether the CertID names the issuer of the certificate (RFC 6960 section 4.1.1), by SHA-1 or SHA-2."""
    try:
        algorithm = single.hash_algorithm
    except UnsupportedAlgorithm:
        return False
    if algorithm.name not in _CERT_ID_HASHES:
        return False
    name = question.certificate.issuer
    key = key_bits(question.issuer)
    return single.issuer_name_hash == _digest(algorithm, name) and single.issuer_key_hash == _digest(algorithm, key)


def _digest(algorithm: hashes.HashAlgorithm, data: bytes) -> bytes:
    digest = hashes.Hash(algorithm)
    digest.update(data)
    return digest.finalize()


def _response_problem(response: ocsp.OCSPResponse, question: Question) -> str | None:
    for extension in response.extensions:
        if extension.critical and extension.oid.dotted_string not in _PROCESSED:
            return f"it has a critical extension that is not known ({extension.oid.dotted_string})"
    if response.produced_at_utc > question.at + question.policy.skew:
        return f"it was produced only at {response.produced_at_utc:%Y-%m-%d %H:%M} UTC"
    return _nonce_problem(response, question)


def _nonce(response: ocsp.OCSPResponse) -> bytes | None:
    try:
        return response.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
    except x509.ExtensionNotFound:
        return None


def _nonce_problem(response: ocsp.OCSPResponse, question: Question) -> str | None:
    wanted = question.policy.nonce
    if wanted is None:
        return None
    nonce = _nonce(response)
    if nonce is None:
        return "it repeats no nonce, and one was required" if question.policy.require_nonce else None
    return None if nonce == wanted else "its nonce is not the one that we sent: it may be a replay"


def _nonce_notice(response: ocsp.OCSPResponse, question: Question) -> str | None:
    if question.policy.nonce is not None and _nonce(response) is None:
        return "the responder did not repeat our nonce, so the response may have been made beforehand"
    return None


def freshness_problem(single: ocsp.OCSPSingleResponse, question: Question) -> str | None:
    """Whether the response is current at the moment asked about (RFC 6960 section 3.2)."""
    policy, begins, ends = question.policy, single.this_update_utc, single.next_update_utc
    if begins > question.at + policy.skew:
        return f"it begins only at {begins:%Y-%m-%d %H:%M} UTC"
    if ends is not None and ends < question.at:
        return f"it ended at {ends:%Y-%m-%d %H:%M} UTC"
    if ends is None and begins < question.at - policy.max_ocsp_age:
        return f"it is of {begins:%Y-%m-%d %H:%M} UTC and does not say how long it holds"
    return None


def describe(response: ocsp.OCSPResponse) -> str:
    """The response in words."""
    name = response.responder_name
    who = name.rfc4514_string() if name is not None else f"the key {(response.responder_key_hash or b'').hex()[:16]}…"
    return f"OCSP response of {response.produced_at_utc:%Y-%m-%d %H:%M} UTC by {who}"


def build_request(certificate: x509.Certificate, issuer: x509.Certificate, *, nonce: bytes | None = None) -> bytes:
    """The DER of the OCSP request to send: SHA-1 CertID, which every responder knows (RFC 5019 section 2.1.1)."""
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA1())  # noqa: S303  # an identifier, no protection
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)
