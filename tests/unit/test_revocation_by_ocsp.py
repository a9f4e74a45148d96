"""Revocation by OCSP, rule by rule of RFC 6960 and RFC 9654: an acceptance and a refusal for each."""

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from handfast.errors import Malformed
from handfast.validate.revocation import RevocationStatus, Status, build_request, load_response
from tests.unit.revocation_world import (
    CA,
    CA_KEY,
    HOUR,
    LEAF,
    NOW,
    OTHER_KEY,
    REQUIRE,
    ask,
    certificate,
    crl,
    entry,
    leaf,
    responder,
    response,
    said,
)

NONCE = bytes(range(32))
WITH_NONCE = replace(REQUIRE, nonce=NONCE)


def delegated(signer: x509.Certificate, *others: x509.Certificate) -> bytes:
    return response(responder=signer, key=OTHER_KEY, certificates=[signer, *others])


def tampered(data: bytes) -> bytes:
    """Another signature: the last octet of a response without certificates is the signature's."""
    return data[:-1] + bytes([data[-1] ^ 1])


def refused(status: RevocationStatus, words: str) -> bool:
    return status.status is Status.UNDETERMINED and words in said(status)


def test_the_issuer_may_answer_itself() -> None:
    assert ask(responses=[response()]).status is Status.GOOD


@pytest.mark.parametrize("by", list(ocsp.OCSPResponderEncoding))
def test_the_responder_is_known_by_name_or_by_key(by: ocsp.OCSPResponderEncoding) -> None:
    assert ask(responses=[response(by=by)]).status is Status.GOOD
    assert refused(ask(responses=[response(by=by, responder=responder(), key=OTHER_KEY)]), "is not at hand")


@pytest.mark.parametrize("algorithm", [hashes.SHA1(), hashes.SHA256()], ids=["SHA-1", "SHA-256"])
def test_the_certificate_is_known_by_either_hash(algorithm: hashes.HashAlgorithm) -> None:
    assert ask(responses=[response(algorithm=algorithm)]).status is Status.GOOD


def test_a_revoked_certificate_is_revoked_with_time_and_reason() -> None:
    status = ask(responses=[response(status=ocsp.OCSPCertStatus.REVOKED)])
    assert status.status is Status.REVOKED
    assert said(status).startswith("revoked since 2040-06-01 07:00 UTC (key compromise), says the OCSP response of ")


def test_an_unknown_certificate_is_undetermined_unless_a_list_knows_it() -> None:
    unknown = response(status=ocsp.OCSPCertStatus.UNKNOWN)
    assert refused(ask(responses=[unknown]), "does not know it")
    assert ask(crl(), responses=[unknown]).status is Status.GOOD


def test_a_revocation_wins_over_everything_else() -> None:
    revoked = response(status=ocsp.OCSPCertStatus.REVOKED, begins=NOW - 2 * HOUR)
    assert ask(responses=[response(), revoked]).status is Status.REVOKED
    assert ask(crl(entry()), responses=[response()]).status is Status.REVOKED


def test_a_response_about_another_certificate_is_no_use() -> None:
    assert refused(ask(responses=[response(leaf(serial=5))]), "another certificate")


def test_a_response_about_another_issuer_is_no_use() -> None:
    other = certificate("CA", OTHER_KEY, issuer="CA", issuer_key=OTHER_KEY)
    assert refused(ask(responses=[response(issuer=other)]), "another issuer")


def test_a_response_that_the_issuers_key_did_not_sign_is_no_use() -> None:
    assert refused(ask(responses=[tampered(response())]), "does not verify with the issuer's key")


def test_the_issuer_may_delegate() -> None:
    assert ask(responses=[delegated(responder())]).status is Status.GOOD


@pytest.mark.parametrize(
    ("signer", "words"),
    [
        (responder(may_sign=False), "not for OCSP signing"),
        (responder(issuer_key=OTHER_KEY), "not issued by the CA"),
        (responder(issuer="Other CA"), "not issued by the CA"),
        (responder(not_after=NOW - HOUR), "not valid at this time"),
        (certificate("responder", OTHER_KEY, issuer="CA", issuer_key=CA_KEY), "not for OCSP signing"),
    ],
    ids=["another usage", "another key", "another CA", "expired", "no usage"],
)
def test_a_delegate_needs_a_certificate_of_the_issuer_for_ocsp_signing(signer: x509.Certificate, words: str) -> None:
    assert refused(ask(responses=[delegated(signer)]), words)


def test_the_delegates_certificate_may_come_from_elsewhere() -> None:
    signer = responder()
    bare = response(responder=signer, key=OTHER_KEY)
    assert refused(ask(responses=[bare]), "is not at hand")
    assert ask(responses=[bare], pool=[signer]).status is Status.GOOD


def test_a_response_that_the_delegates_key_did_not_sign_is_no_use() -> None:
    signer = responder()
    forged = tampered(response(responder=signer, key=OTHER_KEY))
    assert refused(ask(responses=[forged], pool=[signer]), "does not verify with the responder's key")


def test_a_responder_may_be_trusted_by_configuration() -> None:
    foreign = responder(issuer="Other CA", issuer_key=OTHER_KEY, may_sign=False)
    trusting = replace(REQUIRE, trusted_responders=(foreign,))
    assert ask(responses=[delegated(foreign)], policy=trusting).status is Status.GOOD
    assert ask(responses=[delegated(foreign)]).status is Status.UNDETERMINED


def test_a_delegate_whose_own_status_is_not_known_is_accepted_and_that_is_said() -> None:
    status = ask(responses=[delegated(responder(no_check=False))])
    assert status.status is Status.GOOD
    assert [finding.code for finding in status.findings] == ["ocsp-response-weak"]


def test_a_delegate_that_is_revoked_is_refused() -> None:
    signer = responder(no_check=False)
    status = ask(crl(entry(77)), responses=[delegated(signer)], about=LEAF)
    assert status.status is Status.GOOD
    assert status.source.startswith("CRL")
    assert refused(
        ask(crl(entry(77), ends=NOW - HOUR, begins=NOW - 2 * HOUR), responses=[delegated(signer)]), "revoked"
    )


def test_a_response_that_repeats_our_nonce_is_good_and_one_with_another_is_refused() -> None:
    assert ask(responses=[response(nonce=NONCE)], policy=WITH_NONCE).findings == ()
    assert refused(ask(responses=[response(nonce=bytes(32))], policy=WITH_NONCE), "may be a replay")


def test_a_response_without_our_nonce_is_accepted_with_a_word_unless_one_is_required() -> None:
    (finding,) = ask(responses=[response()], policy=WITH_NONCE).findings
    assert "did not repeat our nonce" in finding.message
    strict = replace(WITH_NONCE, require_nonce=True)
    assert refused(ask(responses=[response()], policy=strict), "no nonce")


def test_a_response_that_ended_or_has_not_begun_is_no_use() -> None:
    assert refused(ask(responses=[response()], at=NOW + 2 * HOUR), "it ended at")
    assert refused(ask(responses=[response(begins=NOW + HOUR / 2)]), "it begins only at")


def test_a_response_without_an_end_holds_for_as_long_as_policy_says() -> None:
    week = timedelta(days=7)
    assert ask(responses=[response(ends=None, begins=NOW - week)]).status is Status.GOOD
    late = response(ends=None, begins=NOW - week - timedelta(seconds=1))
    assert refused(ask(responses=[late]), "does not say how long it holds")


def test_a_response_that_was_made_only_later_is_no_use() -> None:
    then = NOW - timedelta(days=20 * 365)
    about = response(begins=then - HOUR, ends=NOW)
    assert refused(ask(responses=[about], at=then), "it was produced only at")


def test_a_responder_that_refused_is_quoted() -> None:
    unauthorized = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.UNAUTHORIZED)
    assert refused(ask(responses=[unauthorized.public_bytes(Encoding.DER)]), "the responder answered unauthorized")


def test_what_is_no_response_is_named_and_does_not_hide_the_others() -> None:
    assert refused(ask(responses=[b"\x30\x03\x0a\x01\x07"]), "cannot be read")
    assert ask(responses=[b"junk", response()]).status is Status.GOOD
    with pytest.raises(Malformed, match="not an OCSP response"):
        load_response(b"junk")


def test_the_request_asks_about_the_certificate_and_carries_the_nonce() -> None:
    request = ocsp.load_der_ocsp_request(build_request(LEAF, CA, nonce=NONCE))
    assert request.serial_number == LEAF.serial_number
    assert request.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == NONCE
