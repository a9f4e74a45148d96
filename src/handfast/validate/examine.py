"""The two calls: examine() always answers with a report, validate() refuses with every reason (RFC 5280 section 6)."""

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509

from handfast.errors import Malformed, Unacceptable
from handfast.validate.anchor import TrustAnchor
from handfast.validate.certificate import read_certificate
from handfast.validate.findings import Notebook
from handfast.validate.policy import Policy
from handfast.validate.report import Report
from handfast.validate.revocation.facts import RevocationFacts


def examine(
    leaf: x509.Certificate | bytes,
    *,
    anchors: Sequence[TrustAnchor],
    policy: Policy,
    at: datetime,
    intermediates: Sequence[x509.Certificate | bytes] = (),
    facts: RevocationFacts | None = None,
) -> Report:
    """Look for a path from `leaf` to an anchor that satisfies the policy at the moment `at`; never raises.

    The report is about the first acceptable path, else about the one with the fewest reasons against it. Certificates
    are x509.Certificate or DER; `intermediates` may come in any order, doubled, or have nothing to do with it. `facts`
    are the CRLs and OCSP responses at hand; what else would have helped is in `report.lacked`.
    """
    notebook = Notebook()
    path = []
    try:
        path.append(read_certificate(leaf))
        notebook.note("no-path", 0, "no path leads from this certificate to a trust anchor")
    except Malformed as error:
        notebook.note("malformed-certificate", 0, error.message)
    return Report(policy, at, tuple(path), None, tuple(notebook.located))


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
