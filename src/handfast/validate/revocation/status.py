"""The revocation step of a path: OCSP, then CRLs, then what policy says of not knowing (RFC 5280 6.1.3 a 3)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from cryptography import x509
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID

from handfast.findings import Finding, Severity
from handfast.validate.revocation.crl import Answer, ask_crls
from handfast.validate.revocation.crl_index import Entry
from handfast.validate.revocation.facts import (
    CertificationAuthority,
    FactKind,
    MissingFact,
    Question,
    RevocationFacts,
    RevocationMode,
    RevocationPolicy,
    RevocationStatus,
    Status,
)
from handfast.validate.revocation.ocsp import OCSPAnswer, ask_ocsp

_NO_REVOCATION_AVAILABLE = x509.ObjectIdentifier("2.5.29.56")
_CRL_RULE, _OCSP_RULE = "RFC 5280 section 6.3.3", "RFC 6960 section 3.2"
_REISSUE = "stop using it, and issue a new certificate with a new key"
_NOT_ASKED = Finding(
    "revocation-not-checked",
    Severity.NOTICE,
    "whether any certificate of this chain is revoked was not asked",
    "give CRLs or OCSP responses, and ask for revocation to be required",
    "RFC 5280 section 6.3",
)


def check_path(
    path: Sequence[x509.Certificate],
    anchor: CertificationAuthority,
    *,
    facts: RevocationFacts,
    policy: RevocationPolicy,
    at: datetime,
    signer_path: Callable[[x509.Certificate], bool],
) -> tuple[RevocationStatus, ...]:
    """One status for each certificate of `path`, which begins with the leaf and ends before the trust anchor.

    signer_path: whether a valid path leads from a CRL signer's certificate to the same trust anchor; asked only when
    another certificate than the issuer's own signed a CRL. Raises nothing.
    """
    if policy.mode is RevocationMode.NONE:
        return tuple(
            RevocationStatus(Status.NOT_CHECKED, "", (_NOT_ASKED,) if not depth else ()) for depth in range(len(path))
        )
    issuers = [_authority(certificate) for certificate in path[1:]] + [anchor]
    above = replace(policy, mode=RevocationMode.PREFER) if policy.leaf_only else policy
    questions = (
        Question(certificate, issuer, at, above if depth else policy, facts, signer_path)
        for depth, (certificate, issuer) in enumerate(zip(path, issuers, strict=True))
    )
    return tuple(check_certificate(question) for question in questions)


def _authority(certificate: x509.Certificate) -> CertificationAuthority:
    return CertificationAuthority(certificate.subject, certificate.public_key(), certificate)  # type: ignore[arg-type]  # a key that cannot sign is refused when it is used


def check_certificate(question: Question) -> RevocationStatus:
    """The status of one certificate. Raises nothing."""
    by_ocsp = ask_ocsp(question) if question.facts.ocsp_responses else OCSPAnswer()
    if by_ocsp.single is not None and by_ocsp.single.certificate_status is ocsp.OCSPCertStatus.REVOKED:
        return _revoked_by_ocsp(by_ocsp.single, by_ocsp.source)
    by_crl = ask_crls(question) if question.facts.crls else Answer()
    if by_crl.entry is not None:
        return _revoked(by_crl.entry, by_crl.source, _CRL_RULE)
    if by_ocsp.single is not None and by_ocsp.single.certificate_status is ocsp.OCSPCertStatus.GOOD:
        return RevocationStatus(Status.GOOD, by_ocsp.source, tuple(_notices(by_ocsp)))
    if by_crl.is_complete:
        return RevocationStatus(Status.GOOD, by_crl.source)
    if _is_exempt(question.certificate):
        return RevocationStatus(Status.EXEMPT, "the certificate says that no revocation information exists (RFC 9608)")
    return _undetermined(question, by_ocsp, by_crl)


def _revoked(entry: Entry, source: str, reference: str) -> RevocationStatus:
    on_hold = entry.reason is x509.ReasonFlags.certificate_hold
    reason = f" ({words(entry.reason)})" if entry.reason not in (None, x509.ReasonFlags.unspecified) else ""
    message = (
        f"{'on hold' if on_hold else 'revoked'} since {entry.revoked_at:%Y-%m-%d %H:%M} UTC{reason}, says {source}"
    )
    fix = "ask the CA why it is on hold, and to release it or to issue another" if on_hold else _REISSUE
    finding = Finding("certificate-revoked", Severity.ERROR, message, fix, reference)
    return RevocationStatus(Status.REVOKED, source, (finding,))


def _revoked_by_ocsp(single: ocsp.OCSPSingleResponse, source: str) -> RevocationStatus:
    moment = single.revocation_time_utc or single.this_update_utc
    return _revoked(Entry(single.serial_number, moment, single.revocation_reason), source, _OCSP_RULE)


def words(reason: x509.ReasonFlags | None) -> str:
    """The reason in plain words."""
    return "no reason given" if reason is None else reason.name.replace("_", " ").replace("ca ", "CA ")


def _notices(answer: OCSPAnswer) -> Iterator[Finding]:
    for notice in answer.notices:
        fix = "ask the operator of the responder, or use a CRL too"
        yield Finding("ocsp-response-weak", Severity.NOTICE, notice, fix, _OCSP_RULE)


def _is_exempt(certificate: x509.Certificate) -> bool:
    try:
        certificate.extensions.get_extension_for_oid(_NO_REVOCATION_AVAILABLE)
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError, TypeError):
        return False
    return True


def _undetermined(question: Question, by_ocsp: OCSPAnswer, by_crl: Answer) -> RevocationStatus:
    missing = missing_facts(question, with_crl=not by_crl.is_complete)
    required = question.policy.mode is RevocationMode.REQUIRE
    because = _because(by_ocsp, by_crl)
    consequence = "" if required else "; accepted all the same, because revocation is preferred and not required"
    finding = Finding(
        "revocation-undetermined",
        Severity.ERROR if required else Severity.WARNING,
        f"whether it is revoked cannot be told: {because}{consequence}",
        _fix(missing),
        "RFC 5280 section 6.3",
    )
    return RevocationStatus(Status.UNDETERMINED, "", (finding,), missing)


def _because(by_ocsp: OCSPAnswer, by_crl: Answer) -> str:
    reasons = []
    if by_ocsp.single is not None:
        reasons.append(f"{by_ocsp.source} does not know it")
    # Lists and responses about others say nothing of this certificate: they are named only where nothing else is.
    problems = [*by_ocsp.problems, *by_crl.problems]
    telling = [each for each in problems if "another issuer" not in each[1]] or problems
    reasons.extend(f"{name}: {problem}" for name, problem in telling[:4])
    if by_crl.reasons:
        reasons.append("the CRLs at hand answer for some reasons only")
    return "; ".join(reasons) or "no CRL and no OCSP response of its issuer is at hand"


def _fix(missing: tuple[MissingFact, ...]) -> str:
    urls = [url for fact in missing for url in fact.urls]
    if urls:
        return f"fetch {urls[0]}, or give a current CRL of the issuer"
    return "give a current CRL of the issuer; the certificate says no place to fetch one from"


def missing_facts(question: Question, *, with_crl: bool = True) -> tuple[MissingFact, ...]:
    """Where the certificate says that its status is to be had."""
    certificate, issuer = question.certificate, question.issuer
    found = [MissingFact(FactKind.OCSP, urls, certificate, issuer) for urls in [ocsp_urls(certificate)] if urls]
    if with_crl:
        for oid, kind in ((x509.CRLDistributionPoints, FactKind.CRL), (x509.FreshestCRL, FactKind.DELTA_CRL)):
            found.extend(MissingFact(kind, urls, certificate, issuer) for urls in _crl_urls(certificate, oid))
    return tuple(found)


def ocsp_urls(certificate: x509.Certificate) -> tuple[str, ...]:
    """The responders that authorityInfoAccess names (RFC 5280 section 4.2.2.1)."""
    return access_urls(certificate, AuthorityInformationAccessOID.OCSP)


def access_urls(certificate: x509.Certificate, method: x509.ObjectIdentifier) -> tuple[str, ...]:
    """The http and https URLs of one access method in authorityInfoAccess."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError, TypeError):
        return ()
    return _http(item.access_location for item in found if item.access_method == method)


def _crl_urls(
    certificate: x509.Certificate, kind: type[x509.CRLDistributionPoints] | type[x509.FreshestCRL]
) -> Iterator[tuple[str, ...]]:
    try:
        points = certificate.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError, TypeError):
        return
    for point in points:
        urls = _http(point.full_name or ())
        if urls:
            yield urls


def _http(names: Iterator[x509.GeneralName] | Sequence[x509.GeneralName]) -> tuple[str, ...]:
    uris = (name.value for name in names if isinstance(name, x509.UniformResourceIdentifier))
    return tuple(uri for uri in uris if uri.lower().startswith(("http://", "https://")))
