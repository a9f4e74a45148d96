"""A path from a leaf to a trust anchor, and what a step that checks it is given (RFC 5280 section 6.1)."""

from dataclasses import dataclass
from hashlib import sha256

from handfast.validate.anchor import TrustAnchor
from handfast.validate.certificate import Certificate
from handfast.validate.findings import Notebook
from handfast.validate.policy import Policy


@dataclass(frozen=True, slots=True)
class Path:
    """Certificates from the leaf to the one that the anchor signed; none when the leaf itself is the anchor."""

    certificates: tuple[Certificate, ...]
    anchor: TrustAnchor

    @property
    def chain(self) -> tuple[Certificate, ...]:
        """The certificates with that of the anchor, where it has one."""
        top = self.anchor.certificate
        return self.certificates if top is None else (*self.certificates, top)


# Of one certificate's many names that break one rule, so many are named: more would help nobody.
SHOWN = 10


@dataclass(slots=True)
class Work:
    """What all paths of one validation have cost so far, to hold against the budget."""

    name_comparisons: int = 0
    policy_nodes: int = 0
    octets: int = 0


@dataclass(slots=True)
class Examination:
    """One path under examination. `chain` has the anchor's certificate at position `anchor_at`, if it has one; `moment`
    is written as the validity of a certificate is.
    """

    path: Path
    policy: Policy
    moment: bytes
    notebook: Notebook
    chain: tuple[Certificate, ...]
    anchor_at: int
    work: Work
    policies: frozenset[str] | None = None

    @property
    def leaf(self) -> Certificate:
        """The certificate that is asked about."""
        return self.chain[0]

    def note(self, code: str, position: int | None, message: str) -> None:
        """Write down that a rule is broken."""
        self.notebook.note(code, position, message)


def spki_pin(certificate: Certificate) -> bytes:
    """SHA-256 of the SubjectPublicKeyInfo (RFC 7469 section 2.4)."""
    return sha256(certificate.spki).digest()
