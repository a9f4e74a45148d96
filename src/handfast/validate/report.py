"""The answer of a validation: the path, and every finding with the certificate it concerns."""

from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from handfast.findings import Finding
from handfast.validate.anchor import TrustAnchor
from handfast.validate.certificate import Certificate
from handfast.validate.levels import Level
from handfast.validate.policy import Policy
from handfast.validate.revocation.facts import MissingFact, RevocationStatus


@dataclass(frozen=True, slots=True)
class Located:
    """A finding and where it is: `position` counts from the leaf, which is 0; None: it concerns the whole path."""

    finding: Finding
    position: int | None
    fatal_at: frozenset[Level]


@dataclass(frozen=True, slots=True)
class Report:
    """What a validation found.

    path: from the leaf to the trust anchor's certificate (left out when the anchor is only a name and a key); where no
    path was found, as far as it went. anchor: None when no path reaches one. findings: at every level; which are fatal
    at the level asked for is `fatal`. lacked: the facts that would have helped, for whoever can fetch them. policies:
    the certificate policies that hold (None: every one). signatures_checked: the work that was done.
    """

    policy: Policy
    at: datetime
    path: tuple[Certificate, ...]
    anchor: TrustAnchor | None
    findings: tuple[Located, ...]
    lacked: tuple[MissingFact, ...] = ()
    revocation: tuple[RevocationStatus, ...] = ()
    policies: frozenset[str] | None = frozenset()
    signatures_checked: int = 0

    @property
    def fatal(self) -> tuple[Located, ...]:
        """The findings that refuse the chain at the level that was asked for."""
        return self.fatal_at(self.policy.level)

    def fatal_at(self, level: Level) -> tuple[Located, ...]:
        """The findings that refuse this path at that level."""
        return tuple(located for located in self.findings if level in located.fatal_at)

    @property
    def is_acceptable(self) -> bool:
        """Whether nothing refuses the chain at the level that was asked for."""
        return self.anchor is not None and not self.fatal

    def concerning(self, position: int | None) -> tuple[Located, ...]:
        """The findings about one certificate of the path, or (None) about the whole."""
        return tuple(located for located in self.findings if located.position == position)

    @property
    def certificates(self) -> tuple[x509.Certificate, ...]:
        """The path as cryptography's values, without any that its parser refuses."""
        return tuple(found for each in self.path if (found := each.to_x509()) is not None)
