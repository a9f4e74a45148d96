"""Validation of certificates (RFC 5280 section 6): every reason at once, pure."""

from handfast.validate.anchor import TrustAnchor, trust
from handfast.validate.certificate import Certificate, read_certificate
from handfast.validate.examine import examine, validate
from handfast.validate.levels import Level, Rule
from handfast.validate.policy import Budget, Policy, Purpose, purpose_named
from handfast.validate.report import Located, Report
from handfast.validate.rules import RULES

__all__ = [
    "RULES",
    "Budget",
    "Certificate",
    "Level",
    "Located",
    "Policy",
    "Purpose",
    "Report",
    "Rule",
    "TrustAnchor",
    "examine",
    "purpose_named",
    "read_certificate",
    "trust",
    "validate",
]
