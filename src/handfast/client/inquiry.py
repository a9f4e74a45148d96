"""Examine, fetch what was lacking, examine again: path validation with its facts fetched, and bounded."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs7

from handfast.client.fetch import Fetcher
from handfast.errors import HandfastError, Malformed
from handfast.pki import pem
from handfast.pki.serial import serial_text
from handfast.validate import Policy, Report, TrustAnchor, examine
from handfast.validate.revocation import FactKind, MissingFact, RevocationFacts, build_request, load_crl

# A chain of eight with an OCSP responder, a CRL and an issuer each needs no more; a hostile one gets no more.
ROUNDS = 8
FETCHES = 24


@dataclass(frozen=True, slots=True)
class Case:
    """What examine() is asked: a leaf, what is trusted, and everything at hand."""

    leaf: x509.Certificate | bytes
    anchors: tuple[TrustAnchor, ...]
    policy: Policy
    at: datetime
    intermediates: tuple[x509.Certificate | bytes, ...] = ()
    facts: RevocationFacts = field(default_factory=RevocationFacts)

    def examine(self) -> Report:
        """The report on what is at hand now; never raises."""
        return examine(
            self.leaf, anchors=self.anchors, policy=self.policy, at=self.at, intermediates=self.intermediates,
            facts=self.facts,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Attempt:
    """One fetch: what, from where, and the error if it failed."""

    kind: FactKind
    url: str
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Inquiry:
    """The last report, and what was fetched on the way to it."""

    report: Report
    attempts: tuple[Attempt, ...]


def inquire(case: Case, fetcher: Fetcher) -> Inquiry:
    """Examine the case, fetching what the reports lack, until nothing new can be had. Raises nothing.

    Every URL is tried once; there are at most ROUNDS examinations and FETCHES fetches.
    """
    report = case.examine()
    attempts: list[Attempt] = []
    tried: set[str] = set()
    for _ in range(ROUNDS):
        wanted = list(_next(report.lacked, tried))[: FETCHES - len(attempts)]
        if not wanted:
            break
        for fact, url in wanted:
            case, attempt = _try(case, fact, url, fetcher)
            attempts.append(attempt)
        report = case.examine()
    return Inquiry(report, tuple(attempts))


def _next(lacked: Iterable[MissingFact], tried: set[str]) -> Iterator[tuple[MissingFact, str]]:
    """One URL for each certificate: the first fact with one left. Which comes first decides the validator."""
    served: set[bytes] = set()
    for fact in lacked:
        for url in fact.urls:
            key = _key(fact, url)
            if fact.certificate.der not in served and key not in tried:
                served.add(fact.certificate.der)
                tried.add(key)
                yield fact, url


def _key(fact: MissingFact, url: str) -> str:
    """What was tried: a responder answers about each certificate anew."""
    return f"{url}#{serial_text(fact.certificate.serial)}" if fact.kind is FactKind.OCSP else url


def _try(case: Case, fact: MissingFact, url: str, fetcher: Fetcher) -> tuple[Case, Attempt]:
    try:
        return _with(case, fact, url, fetcher), Attempt(fact.kind, url)
    except HandfastError as error:
        return case, Attempt(fact.kind, url, error.message)


def _with(case: Case, fact: MissingFact, url: str, fetcher: Fetcher) -> Case:
    """The case with this fact added."""
    facts = case.facts
    if fact.kind is FactKind.OCSP:
        response = fetcher.ocsp(url, _request(fact, case.policy.revocation.nonce))
        return replace(
            case, facts=replace(facts, ocsp_responses=(*facts.ocsp_responses, response), memory={}, plain={})
        )
    if fact.kind is FactKind.ISSUER:
        return replace(case, intermediates=(*case.intermediates, *_issuers(fetcher.issuer(url), url)))
    return replace(
        case, facts=replace(facts, crls=(*facts.crls, load_crl(fetcher.crl(url), source=url)), memory={}, plain={})
    )


def _request(fact: MissingFact, nonce: bytes | None) -> bytes:
    certificate = fact.certificate.to_x509()
    issuer = fact.issuer.certificate.to_x509() if fact.issuer and fact.issuer.certificate else None
    if certificate is None or issuer is None:
        raise Malformed("the issuer's certificate is not at hand, which an OCSP request needs", hint="give a CRL")
    return build_request(certificate, issuer, nonce=nonce)


def _issuers(body: bytes, url: str) -> tuple[x509.Certificate, ...]:
    """What caIssuers URLs serve: a certificate, or a heap of them in PKCS#7 (RFC 5280 section 4.2.2.1)."""
    try:
        return pem.certificates(body, url)
    except Malformed:
        try:
            return tuple(pkcs7.load_der_pkcs7_certificates(body))
        except ValueError as error:
            hint = "ask the CA to publish its certificate there"
            raise Malformed(f"{url} serves no certificate", hint=hint) from error
