"""How strict a validation is, and what a rule is: a line of a table that says which level refuses (see rules.py)."""

from dataclasses import dataclass
from enum import StrEnum

from handfast.findings import Severity


class Level(StrEnum):
    """How strict a validation is.

    strict: what modern strict verifiers accept (the CA/Browser Forum's profile, Python's VERIFY_X509_STRICT).
    rfc5280: what RFC 5280 asks of a certificate and of whoever checks it.
    legacy: what older peers accept; nothing that has been forged in practice.
    """

    STRICT = "strict"
    RFC5280 = "rfc5280"
    LEGACY = "legacy"


_LETTERS = {"S": Level.STRICT, "R": Level.RFC5280, "L": Level.LEGACY}


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its code, the levels at which breaking it is fatal, where it is written, and the way out."""

    code: str
    fatal_at: frozenset[Level]
    reference: str
    fix: str

    @property
    def severity(self) -> Severity:
        """An error where RFC 5280 refuses, a warning where only another level does, else a notice."""
        if not self.fatal_at:
            return Severity.NOTICE
        return Severity.ERROR if Level.RFC5280 in self.fatal_at else Severity.WARNING


def rule(code: str, levels: str, reference: str, fix: str) -> tuple[str, Rule]:
    """A line of a table of rules. `levels` has S, R and L for the levels at which it is fatal, and - for the others."""
    fatal_at = frozenset(_LETTERS[letter] for letter in levels if letter != "-")
    if reference[0].isdigit():
        reference = f"RFC 5280 section {reference}"
    return code, Rule(code, fatal_at, reference, fix)
