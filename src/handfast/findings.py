"""Finding: the one currency of lint, validator, doctor and auditor."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding matters, before a level of strictness has its say."""

    NOTICE = "notice"
    WARNING = "warning"
    ERROR = "error"

    @property
    def rank(self) -> int:
        """Larger is worse; severities compare by this, not by their spelling."""
        return _RANKS[self]


_RANKS = {Severity.NOTICE: 0, Severity.WARNING: 1, Severity.ERROR: 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong or worth knowing, with the way out.

    code: stable and kebab-case, listed in the documentation. message: what is so, of this very object.
    fix: what to do now. reference: the rule, as "RFC 5280 section 4.2.1.9".
    """

    code: str
    severity: Severity
    message: str
    fix: str
    reference: str
