"""The two calls: examine() always answers with a report, validate() refuses with every reason (RFC 5280 section 6)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from handfast.errors import ConfigError, Malformed, Unacceptable
from handfast.validate.anchor import TrustAnchor
from handfast.validate.build import Pool, Search
from handfast.validate.certificate import Certificate, moment_of, read_authority, read_certificate
from handfast.validate.diagnosis import explain, missing_issuer
from handfast.validate.findings import Notebook
from handfast.validate.path import Examination, Path, Work
from handfast.validate.policy import ANY, Policy
from handfast.validate.report import Report
from handfast.validate.revocation.facts import RevocationFacts, RevocationStatus, Status
from handfast.validate.revocation_step import check_revocation
from handfast.validate.steps import check

_NO_FACTS = RevocationFacts()


def examine(
    leaf: x509.Certificate | bytes,
    *,
    anchors: Sequence[TrustAnchor],
    policy: Policy,
    at: datetime,
    intermediates: Sequence[x509.Certificate | bytes] = (),
    facts: RevocationFacts | None = None,
) -> Report:
    """Look for a path from `leaf` to an anchor that satisfies the policy at the moment `at` (aware); never refuses.

    The report is about the first acceptable path, else about the one with the fewest reasons against it. Certificates
    are x509.Certificate or DER; `intermediates` may come in any order, doubled, or have nothing to do with it. `facts`
    are the CRLs and OCSP responses at hand; what else would have helped is in `report.lacked`. Raises ConfigError for
    a moment without a time zone, whatever the certificates.
    """
    if at.tzinfo is None:
        msg = "the moment of a validation has no time zone"
        raise ConfigError(msg, hint="give an aware time, as datetime.now(UTC)")
    facts, at = facts or _NO_FACTS, at.astimezone(UTC)
    general = Notebook()
    try:
        subject = read_certificate(leaf)
    except Malformed as error:
        general.note("malformed-certificate", 0, error.message)
        return Report(policy, at, (), None, tuple(general.located))
    pool = tuple(_readable((*intermediates, *facts.certificates), policy.budget.octets_sent, general))
    search = Search(Pool(anchors, pool), policy, moment_of(at))
    return _Inquiry(search, policy, at, facts, pool).answer(subject, anchors, general)


def validate(
    leaf: x509.Certificate | bytes,
    *,
    anchors: Sequence[TrustAnchor],
    policy: Policy,
    at: datetime,
    intermediates: Sequence[x509.Certificate | bytes] = (),
    facts: RevocationFacts | None = None,
) -> Report:
    """As examine(), and raises Unacceptable, with every reason, unless the report is acceptable."""
    report = examine(leaf, anchors=anchors, policy=policy, at=at, intermediates=intermediates, facts=facts)
    if report.is_acceptable:
        return report
    reasons = tuple(located.finding for located in report.fatal)
    name = report.path[0].name if report.path else "the certificate"
    message = f"{name} is not acceptable: {'; '.join(finding.message for finding in reasons)}"
    raise Unacceptable(message, hint=reasons[0].fix, findings=reasons)


def _readable(sources: Iterable[x509.Certificate | bytes], most: int, notebook: Notebook) -> Iterator[Certificate]:
    octets = 0
    for number, source in enumerate(sources, start=1):
        data = source if isinstance(source, bytes) else source.public_bytes(Encoding.DER)
        # An item without octets counts too, or any number of them would be looked at.
        octets += max(1, len(data))
        if octets > most:
            message = f"certificate {number} of the chain and those after it were not read"
            notebook.note("intermediates-too-many", None, message)
            return
        try:
            yield read_authority(data)
        except Malformed as error:
            notebook.note("intermediate-unreadable", None, f"certificate {number} of the chain: {error.message}")


@dataclass(slots=True)
class _Verdict:
    """One path examined: what was noted of it, and what is known of its revocation (None: not asked yet)."""

    examination: Examination
    statuses: tuple[RevocationStatus, ...] | None = None


@dataclass(frozen=True, slots=True)
class _Inquiry:
    """What one call of examine() works with."""

    search: Search
    policy: Policy
    at: datetime
    facts: RevocationFacts
    pool: tuple[Certificate, ...]
    asking: set[bytes] = field(default_factory=set)
    work: Work = field(default_factory=Work)

    def answer(self, leaf: Certificate, anchors: Sequence[TrustAnchor], general: Notebook) -> Report:
        best: tuple[int, _Verdict] | None = None
        for tried, path in enumerate(self._paths(leaf, anchors), start=1):
            verdict = self._examine(path)
            reasons = len(verdict.examination.notebook.fatal_at(self.policy.level))
            if best is None or reasons < best[0]:
                best = reasons, verdict
            self.work.octets += sum(len(each.der) for each in path.chain)
            if not reasons or tried >= self.policy.budget.paths or self._is_over():
                break
        if best is None:
            return self._without_path(leaf, general)
        return self._report(best[1], general)

    def _is_over(self) -> bool:
        return self.work.octets > self.policy.budget.octets_examined

    def _paths(self, leaf: Certificate, anchors: Sequence[TrustAnchor]) -> Iterator[Path]:
        for anchor in anchors:
            if anchor.certificate is not None and anchor.certificate.der == leaf.der:
                yield Path((), anchor)
        yield from self.search.paths(leaf)

    def _examine(self, path: Path) -> _Verdict:
        examination = _start(path, self.policy, self.search.moment, work=self.work)
        check(examination)
        verdict = _Verdict(examination)
        if not examination.notebook.fatal_at(self.policy.level):
            self._ask_revocation(verdict)
        return verdict

    def _ask_revocation(self, verdict: _Verdict) -> None:
        path = verdict.examination.path
        signers = (*self.pool, *path.chain), lambda signer: self._is_signer(signer, path.anchor)
        verdict.statuses = check_revocation(
            path, self.policy, at=self.at, facts=self.facts, signers=signers, notebook=verdict.examination.notebook
        )

    def _is_signer(self, signer: Certificate, anchor: TrustAnchor) -> bool:
        """Whether a valid path leads from another signer of CRLs to the same anchor (RFC 5280 section 6.3.3 (f)).

        Whether that signer is revoked is asked too; a signer whose own list is asked about it is given the doubt.
        """
        if signer.der in self.asking:
            return True
        self.asking.add(signer.der)
        try:
            return any(path.anchor is anchor and self._is_sound(path) for path in self.search.paths(signer))
        finally:
            self.asking.discard(signer.der)

    def _is_sound(self, path: Path) -> bool:
        policy = replace(
            self.policy, purpose=ANY, names=(), directory_name=None, pins=frozenset(), policies=None,
            require_explicit_policy=False,
        )  # fmt: skip
        verdict = _Verdict(_start(path, policy, self.search.moment, work=self.work))
        check(verdict.examination)
        if verdict.examination.notebook.fatal_at(policy.level):
            return False
        self._ask_revocation(verdict)
        return all(status.status is not Status.REVOKED for status in verdict.statuses or ())

    def _report(self, verdict: _Verdict, general: Notebook) -> Report:
        if verdict.statuses is None:
            self._ask_revocation(verdict)
        statuses, examination = verdict.statuses or (), verdict.examination
        located = [*general.located, *examination.notebook.located]
        located.sort(key=lambda each: -1 if each.position is None else each.position)
        return Report(
            self.policy, self.at, examination.chain, examination.path.anchor, tuple(located),
            lacked=tuple(fact for status in statuses for fact in status.missing), revocation=statuses,
            policies=examination.policies, signatures_checked=self.search.signatures,
        )  # fmt: skip

    def _without_path(self, leaf: Certificate, general: Notebook) -> Report:
        way = explain(self.search, leaf, general)
        examination = Examination(
            Path(way, TrustAnchor(b"", b"")), self.policy, self.search.moment, general, way, len(way), self.work
        )
        check(examination)
        return Report(
            self.policy, self.at, way, None, tuple(general.located),
            lacked=missing_issuer(way[-1]), signatures_checked=self.search.signatures,
        )  # fmt: skip


def _start(path: Path, policy: Policy, moment: bytes, *, work: Work) -> Examination:
    notebook = Notebook()
    if not path.certificates:
        notebook.note("leaf-is-anchor", 0, "the certificate itself is the trust anchor")
    return Examination(path, policy, moment, notebook, path.chain, len(path.certificates), work)
