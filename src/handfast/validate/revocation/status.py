"""The revocation step of a path: OCSP, then CRLs, then what policy says of not knowing (RFC 5280 6.1.3 a 3)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID

from handfast.errors import Malformed
from handfast.findings import Finding, Severity
from handfast.validate.certificate import Certificate
from handfast.validate.revocation.crl import Answer, ask_crls
from handfast.validate.revocation.crl_index import Entry
from handfast.validate.revocation.extensions import has_extension, read_extension
from handfast.validate.revocation.facts import (
    CertificationAuthority,
    FactKind,
    MissingFact,
    Question,
    RevocationFacts,
    RevocationMode,
    RevocationPolicy,
    RevocationStatus,
    Signers,
    Status,
)
from handfast.validate.revocation.ocsp import OCSPAnswer, ask_ocsp
from handfast.validate.revocation.rules import REVOCATION_RULES

_NO_REVOCATION_AVAILABLE = x509.ObjectIdentifier("2.5.29.56")
_NO_RESPONSES, _NO_LISTS = OCSPAnswer(), Answer()
_OCSP_RULE = "RFC 6960 section 3.2"


def check_path(
    path: Sequence[Certificate],
    issuers: Sequence[CertificationAuthority],
    *,
    facts: RevocationFacts,
    policy: RevocationPolicy,
    at: datetime,
    signers: Signers,
) -> tuple[RevocationStatus, ...]:
    """One status for each certificate of `path`, which begins with the leaf and ends before the trust anchor.

    issuers: who issued each; the last is the trust anchor. signers: where other signers of CRLs and OCSP responses are
    looked for. Raises nothing.
    """
    if not path:
        return ()
    if policy.mode is RevocationMode.NONE:
        return _not_asked(len(path))
    above = replace(policy, mode=RevocationMode.PREFER) if policy.leaf_only else policy
    questions = (
        Question(certificate, issuer, at, above if depth else policy, facts, signers)
        for depth, (certificate, issuer) in enumerate(zip(path, issuers, strict=True))
    )
    return tuple(check_certificate(question) for question in questions)


@lru_cache(maxsize=64)
def _not_asked(length: int) -> tuple[RevocationStatus, ...]:
    message = "whether any certificate of this chain is revoked was not asked"
    leaf = RevocationStatus(Status.NOT_CHECKED, "", (_finding("revocation-not-checked", Severity.NOTICE, message),))
    return (leaf, *(RevocationStatus(Status.NOT_CHECKED, "") for _ in range(1, length)))


def check_certificate(question: Question) -> RevocationStatus:
    """The status of one certificate. Raises nothing."""
    try:
        return _check(question)
    except Malformed as error:
        return _undetermined(question, OCSPAnswer(problems=(("the evidence", error.message),)), Answer())


def _check(question: Question) -> RevocationStatus:
    by_ocsp = ask_ocsp(question) if question.facts.ocsp_responses else _NO_RESPONSES
    status = by_ocsp.single.certificate_status if by_ocsp.single else None
    if by_ocsp.single is not None and status is ocsp.OCSPCertStatus.REVOKED:
        return _revoked_by_ocsp(by_ocsp.single, by_ocsp.source)
    by_crl = ask_crls(question) if question.facts.crls else _NO_LISTS
    if by_crl.entry is not None:
        return _revoked(by_crl.entry, by_crl.source)
    if status is ocsp.OCSPCertStatus.GOOD:
        return RevocationStatus(Status.GOOD, by_ocsp.source, tuple(_notices(by_ocsp)))
    if by_crl.is_complete:
        return RevocationStatus(Status.GOOD, by_crl.source)
    if has_extension(question.certificate, _NO_REVOCATION_AVAILABLE):
        return RevocationStatus(Status.EXEMPT, "the certificate says that no revocation information exists (RFC 9608)")
    return _undetermined(question, by_ocsp, by_crl)


def _finding(code: str, severity: Severity, message: str, *, fix: str = "", reference: str = "") -> Finding:
    rule = REVOCATION_RULES[code]
    return Finding(code, severity, message, fix or rule.fix, reference or rule.reference)


def _revoked(entry: Entry, source: str, reference: str = "") -> RevocationStatus:
    on_hold = entry.reason is x509.ReasonFlags.certificate_hold
    code, what = ("certificate-on-hold", "on hold") if on_hold else ("certificate-revoked", "revoked")
    given = not on_hold and entry.reason not in {None, x509.ReasonFlags.unspecified}
    reason = f" ({words(entry.reason)})" if given else ""
    message = f"{what} since {entry.revoked_at:%Y-%m-%d %H:%M} UTC{reason}, says the {source}"
    return RevocationStatus(Status.REVOKED, source, (_finding(code, Severity.ERROR, message, reference=reference),))


def _revoked_by_ocsp(single: ocsp.OCSPSingleResponse, source: str) -> RevocationStatus:
    moment = single.revocation_time_utc or single.this_update_utc
    return _revoked(Entry(single.serial_number, moment, single.revocation_reason), source, _OCSP_RULE)


def words(reason: x509.ReasonFlags | None) -> str:
    """The reason in plain words."""
    return "no reason given" if reason is None else reason.name.replace("_", " ").replace("ca ", "CA ")


def _notices(answer: OCSPAnswer) -> Iterator[Finding]:
    for notice in answer.notices:
        yield _finding("ocsp-response-weak", Severity.NOTICE, notice)


def _undetermined(question: Question, by_ocsp: OCSPAnswer, by_crl: Answer) -> RevocationStatus:
    missing = missing_facts(question, with_crl=not by_crl.is_complete)
    required = question.policy.mode is RevocationMode.REQUIRE
    because = _because(by_ocsp, by_crl)
    consequence = "" if required else "; accepted all the same, because revocation is preferred and not required"
    severity = Severity.ERROR if required else Severity.WARNING
    message = f"whether it is revoked cannot be told: {because}{consequence}"
    finding = _finding("revocation-undetermined", severity, message, fix=_fix(missing))
    return RevocationStatus(Status.UNDETERMINED, "", (finding,), missing)


def _because(by_ocsp: OCSPAnswer, by_crl: Answer) -> str:
    reasons = []
    if by_ocsp.single is not None:
        reasons.append(f"{by_ocsp.source} does not know it")
    # A list of another issuer says nothing of this certificate: it is as if it were not there.
    own_lists = [each for each in by_crl.problems if "another issuer" not in each[1]]
    reasons.extend(f"{name}: {problem}" for name, problem in [*by_ocsp.problems, *own_lists][:4])
    if by_crl.reasons:
        reasons.append("the CRLs at hand answer for some reasons only")
    return "; ".join(reasons) or "no CRL and no OCSP response of its issuer is at hand"


def _fix(missing: tuple[MissingFact, ...]) -> str:
    urls = [url for fact in missing for url in fact.urls]
    return f"fetch {urls[0]}, or give a current CRL of the issuer" if urls else ""


def missing_facts(question: Question, *, with_crl: bool = True) -> tuple[MissingFact, ...]:
    """Where the certificate says that its status is to be had."""
    certificate, issuer = question.certificate, question.issuer
    found = [MissingFact(FactKind.OCSP, urls, certificate, issuer) for urls in [ocsp_urls(certificate)] if urls]
    if with_crl:
        for oid, kind in ((x509.CRLDistributionPoints, FactKind.CRL), (x509.FreshestCRL, FactKind.DELTA_CRL)):
            found.extend(MissingFact(kind, urls, certificate, issuer) for urls in _crl_urls(certificate, oid))
    return tuple(found)


def ocsp_urls(certificate: Certificate) -> tuple[str, ...]:
    """The responders that authorityInfoAccess names (RFC 5280 section 4.2.2.1)."""
    return access_urls(certificate, AuthorityInformationAccessOID.OCSP)


def access_urls(certificate: Certificate, method: x509.ObjectIdentifier) -> tuple[str, ...]:
    """The http and https URLs of one access method in authorityInfoAccess."""
    found = read_extension(certificate, x509.AuthorityInformationAccess)
    return _http(item.access_location for item in found or () if item.access_method == method)


def _crl_urls(
    certificate: Certificate, kind: type[x509.CRLDistributionPoints] | type[x509.FreshestCRL]
) -> Iterator[tuple[str, ...]]:
    for point in read_extension(certificate, kind) or ():
        urls = _http(point.full_name or ())
        if urls:
            yield urls


def _http(names: Iterable[x509.GeneralName]) -> tuple[str, ...]:
    uris = (name.value for name in names if isinstance(name, x509.UniformResourceIdentifier))
    return tuple(uri for uri in uris if uri.lower().startswith(("http://", "https://")))
