"""A validation report for people and for programs: the verdict, then the chain from the top, each finding in place."""

import textwrap
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import click

from handfast.cli._describe import moment, span
from handfast.client.inquiry import Attempt, Inquiry
from handfast.findings import Severity
from handfast.pki.serial import serial_text
from handfast.validate import Certificate, Located, Report
from handfast.validate.revocation import MissingFact, RevocationStatus, Status

_COLOURS = {"error": "red", "warning": "yellow", "notice": "cyan"}
_KNOWN = {
    Status.GOOD: "not revoked",
    Status.REVOKED: "revoked",
    Status.EXEMPT: "not asked",
}


def verdict(report: Report) -> str:
    """One line: whether, who, for what, and the first reason against."""
    name = report.path[0].name if report.path else "the certificate"
    if report.is_acceptable:
        purpose = "" if report.policy.purpose.name == "any" else f" as {report.policy.purpose.name}"
        names = ", ".join(each.value for each in report.policy.names)
        return f"acceptable: {name}{purpose}{f' for {names}' if names else ''} (level {report.policy.level})"
    fatal = report.fatal
    first = fatal[0].finding.message if fatal else "no path leads to a trust anchor"
    more = f" (and {len(fatal) - 1} more)" if len(fatal) > 1 else ""
    return f"not acceptable: {name}: {first}{more}"


def draw(inquiry: Inquiry, width: int) -> Iterator[str]:
    """The lines to print, wrapped to `width` columns."""
    report = inquiry.report
    line = verdict(report)
    colour = "green" if report.is_acceptable else "red"
    first, *rest = textwrap.wrap(line, width, subsequent_indent="  ") or [""]
    yield click.style(first, fg=colour, bold=True)
    yield from rest
    yield from _findings(report.concerning(None), report, "  ", width)
    if report.path:
        yield ""
        yield from _chain(report, width)
    yield from _fetched(inquiry.attempts, width)


def _chain(report: Report, width: int) -> Iterator[str]:
    top = len(report.path) - 1
    if report.anchor is not None and report.anchor.certificate is None:
        yield "(trust anchor: a name and a key)"
        top += 1
    for position in range(len(report.path) - 1, -1, -1):
        depth = top - position
        lead = "" if not depth else "   " * (depth - 1) + "└─ "
        certificate = report.path[position]
        yield from textwrap.wrap(certificate.name, width, initial_indent=lead, subsequent_indent=" " * (len(lead) + 2))
        indent = "   " * depth + "  "
        yield from _wrapped(_about(report, position), indent, width)
        yield from _findings(report.concerning(position), report, indent, width)


def _about(report: Report, position: int) -> str:
    """What a certificate of the chain is, until when, and what is known of its revocation."""
    certificate, parts = report.path[position], []
    if report.anchor is not None and certificate is report.anchor.certificate:
        parts.append("trust anchor")
    elif position:
        parts.append("CA")
    ends = ends_at(certificate)
    left = f" ({span(ends - report.at)} left)" if ends > report.at else ""
    parts.append(f"until {moment(ends)}{left}")
    status = _status(report, position)
    if status is not None and status.status in _KNOWN and status.source:
        parts.append(f"{_KNOWN[status.status]}: {status.source}")
    return "; ".join(parts)


def _status(report: Report, position: int) -> RevocationStatus | None:
    return report.revocation[position] if position < len(report.revocation) else None


def _findings(found: Sequence[Located], report: Report, indent: str, width: int) -> Iterator[str]:
    for located in sorted(found, key=lambda each: each not in report.fatal):
        finding, word = located.finding, label(located, report)
        hang = indent + " " * 9
        lines = _wrapped(finding.message, hang, width)
        first = next(lines, hang)
        mark = click.style(f"{word:<8}", fg=_COLOURS[word], bold=word == "error" or None)
        yield f"{indent}{mark} {first[len(hang) :]}"
        yield from lines
        yield from _wrapped(f"→ {finding.fix}", hang, width)
        yield from _wrapped(f"{finding.code}, {finding.reference}", hang, width)


def label(located: Located, report: Report) -> str:
    """`error` is what refuses at this level; what another level would refuse is a warning."""
    if report.policy.level in located.fatal_at:
        return "error"
    return "notice" if located.finding.severity is Severity.NOTICE else "warning"


def _wrapped(text: str, indent: str, width: int) -> Iterator[str]:
    least = max(width, len(indent) + 24)
    yield from textwrap.wrap(text, least, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)


def _fetched(attempts: Sequence[Attempt], width: int) -> Iterator[str]:
    if attempts:
        yield ""
    for attempt in attempts:
        text = f"fetched {attempt.url}" if attempt.error is None else f"could not fetch: {attempt.error}"
        yield from textwrap.wrap(text, width, subsequent_indent="  ", break_on_hyphens=False)


def ends_at(certificate: Certificate) -> datetime:
    """notAfter."""
    return datetime.strptime(certificate.not_after.decode(), "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def begins_at(certificate: Certificate) -> datetime:
    """notBefore."""
    return datetime.strptime(certificate.not_before.decode(), "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def as_json(inquiry: Inquiry) -> dict[str, object]:
    """The report for a program."""
    report = inquiry.report
    return {
        "acceptable": report.is_acceptable,
        "verdict": verdict(report),
        "level": str(report.policy.level),
        "purpose": report.policy.purpose.name,
        "at": report.at.isoformat(),
        "trusted": report.anchor is not None,
        "chain": [_certificate_json(report, position) for position in range(len(report.path))],
        "findings": [_finding_json(located, report) for located in report.concerning(None)],
        "missing": [_missing_json(fact) for fact in report.lacked],
        "fetched": [{"kind": str(a.kind), "url": a.url, "error": a.error} for a in inquiry.attempts],
    }


def _certificate_json(report: Report, position: int) -> dict[str, object]:
    certificate, status = report.path[position], _status(report, position)
    return {
        "subject": certificate.name,
        "serial": serial_text(certificate.serial),
        "not_before": begins_at(certificate).isoformat(),
        "not_after": ends_at(certificate).isoformat(),
        "revocation": {"status": str(status.status), "source": status.source} if status else None,
        "findings": [_finding_json(located, report) for located in report.concerning(position)],
    }


def _finding_json(located: Located, report: Report) -> dict[str, object]:
    finding = located.finding
    return {
        "code": finding.code,
        "severity": str(finding.severity),
        "fatal": report.policy.level in located.fatal_at,
        "message": finding.message,
        "fix": finding.fix,
        "reference": finding.reference,
    }


def _missing_json(fact: MissingFact) -> dict[str, object]:
    return {"kind": str(fact.kind), "urls": list(fact.urls), "certificate": fact.certificate.name}
