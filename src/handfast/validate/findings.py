"""How steps report: a notebook of broken rules, each at its place in the path."""

from dataclasses import dataclass, field

from handfast.findings import Finding, Severity
from handfast.validate.levels import Level
from handfast.validate.report import Located
from handfast.validate.rules import RULES

_EVERY_LEVEL = frozenset(Level)
_NO_LEVEL: frozenset[Level] = frozenset()


@dataclass(slots=True)
class Notebook:
    """What the steps wrote down so far."""

    located: list[Located] = field(default_factory=list)

    def note(self, code: str, position: int | None, message: str) -> None:
        """Write down that the rule is broken by the certificate at this position (None: by the path)."""
        found = RULES[code]
        finding = Finding(code, found.severity, message, found.fix, found.reference)
        self.located.append(Located(finding, position, found.fatal_at))

    def add(self, finding: Finding, position: int | None) -> None:
        """Write down a finding of another room: an error is fatal at every level."""
        fatal_at = _EVERY_LEVEL if finding.severity is Severity.ERROR else _NO_LEVEL
        self.located.append(Located(finding, position, fatal_at))

    def fatal_at(self, level: Level) -> list[Located]:
        """What was written down so far that is fatal at that level."""
        return [located for located in self.located if level in located.fatal_at]
