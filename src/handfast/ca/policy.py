"""May this requester have this certificate? Deny by default (design, section 6)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from cryptography import x509
from cryptography.x509.oid import NameOID

from handfast.ca.name_patterns import NamePattern, covers
from handfast.ca.records import CertificateRecord
from handfast.errors import Denied, Malformed
from handfast.pki.names import Name, parse_name
from handfast.pki.subject import format_subject


class Grant(StrEnum):
    """What a requester may do at all."""

    ISSUE = "issue"
    REVOKE = "revoke"
    READ = "read"
    APPROVE = "approve"
    AUDIT = "audit"
    MANAGE = "manage"


class RequesterRole(StrEnum):
    """What somebody is to the authority."""

    ADMINISTRATOR = "administrator"
    OFFICER = "registration-officer"
    APPROVER = "approver"
    AUDITOR = "auditor"
    REQUESTER = "requester"


# READ is of everybody's certificates; one's own need no grant.
GRANTS: Mapping[RequesterRole, frozenset[Grant]] = {
    RequesterRole.ADMINISTRATOR: frozenset(Grant),
    RequesterRole.OFFICER: frozenset({Grant.ISSUE, Grant.REVOKE, Grant.READ}),
    RequesterRole.APPROVER: frozenset({Grant.APPROVE, Grant.READ}),
    RequesterRole.AUDITOR: frozenset({Grant.AUDIT, Grant.READ}),
    RequesterRole.REQUESTER: frozenset({Grant.ISSUE}),
}


@dataclass(frozen=True, slots=True)
class Bond:
    """What a one-time token is bound to. common_names: the subject may be empty, or one of these and nothing else.

    digest: SHA-256 of the token.
    """

    digest: bytes
    names: tuple[Name, ...]
    common_names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Requester:
    """Who asks, having proven it. profiles: for which it may ask; None for all. Without grants it may do nothing.

    patterns: the names that it may ask for; None for whatever the profile allows. certificate: the one of this
    authority that it proved itself by, which it may renew as it is. bond: of the token that it proved itself by.
    sponsor: on whose account its certificates are, when that is somebody else. is_local: it runs at the machine of the
    CA, where neither limits nor approvals bind.
    """

    name: str
    grants: frozenset[Grant] = frozenset()
    profiles: frozenset[str] | None = frozenset()
    patterns: tuple[NamePattern, ...] | None = None
    role: RequesterRole | None = None
    certificate: CertificateRecord | None = None
    bond: Bond | None = None
    sponsor: str = ""
    is_local: bool = False

    @property
    def owner(self) -> str:
        """Whose the certificates are that it gets."""
        return self.sponsor or self.name


# Whoever can read the CA's keys may do what they allow: the person at the machine.
OPERATOR = Requester("operator", frozenset(Grant), None, is_local=True)


@dataclass(frozen=True, slots=True)
class Policy:
    """allowed_names: by profile, the patterns of which each name must match one. A profile without an entry is free.

    approvals: by profile, how many others must agree to a certificate before it is issued.
    """

    allowed_names: Mapping[str, tuple[NamePattern, ...]] = field(default_factory=dict)
    approvals: Mapping[str, int] = field(default_factory=dict)

    def authorize(
        self, requester: Requester, profile: str, names: tuple[Name, ...], *, subject: x509.Name | None = None
    ) -> None:
        """Raise Denied, naming everything that this requester may not have."""
        self.require(requester, Grant.ISSUE)
        if requester.profiles is not None and profile not in requester.profiles:
            allowed = ", ".join(sorted(requester.profiles)) or "none"
            hint = f"the profiles that it may ask for: {allowed}"
            raise Denied(f"{requester.name} may not ask for certificates of the profile {profile}", hint=hint)
        if requester.bond is not None:
            _within_bond(requester.bond, names, subject)
        if requester.patterns is not None:
            _within_patterns(requester, requester.patterns, names, subject)
        self.require_allowed(profile, names)

    def require_allowed(self, profile: str, names: tuple[Name, ...]) -> None:
        """Raise Denied for names that nobody gets with this profile."""
        patterns = self.allowed_names.get(profile)
        outside = [] if patterns is None else [str(name) for name in names if not covers(patterns, name)]
        if outside:
            hint = f"allowed_names of the profile {profile} are: {_listed(patterns or ())}"
            raise Denied(f"the profile {profile} may not certify {', '.join(outside)}", hint=hint)

    def require(self, requester: Requester, grant: Grant) -> None:
        """Raise Denied when the requester lacks the grant."""
        if grant not in requester.grants:
            hint = f"ask the operator of the CA for the grant to {grant}"
            what = "ask for certificates" if grant is Grant.ISSUE else grant.value
            raise Denied(f"{requester.name} may not {what}", hint=hint)

    def require_at_machine(self, requester: Requester, profile: str) -> None:
        """Raise Denied for a CA asked for from elsewhere: what it signs is on no record here."""
        if not requester.is_local:
            msg = f"certificates of the profile {profile} are CAs, and made at the machine of the authority only"
            raise Denied(msg, hint="sign it there: handfast sign FILE --profile NAME")


def _within_bond(bond: Bond, names: tuple[Name, ...], subject: x509.Name | None) -> None:
    outside = [str(name) for name in names if name not in bond.names]
    if outside:
        hint = f"the token is for: {', '.join(map(str, bond.names)) or 'no names'}"
        raise Denied(f"the token is not for {', '.join(outside)}", hint=hint)
    if subject is not None and list(subject) and _only_common_name(subject) not in bond.common_names:
        hint = f"leave the subject empty, or say CN={bond.common_names[0] if bond.common_names else ''} and no more"
        raise Denied(f"the token is not for the subject {format_subject(subject)}", hint=hint)


def _within_patterns(
    requester: Requester, patterns: tuple[NamePattern, ...], names: tuple[Name, ...], subject: x509.Name | None
) -> None:
    outside = [str(name) for name in names if not covers(patterns, name)]
    if subject is not None and list(subject) and not _is_covered(patterns, _only_common_name(subject)):
        outside.append(f"the subject {format_subject(subject)}")
    if outside:
        hint = f"it may ask for: {_listed(patterns)}; a subject is one of these as a common name, and no more"
        raise Denied(f"{requester.name} may not ask for {', '.join(outside)}", hint=hint)


def _only_common_name(subject: x509.Name) -> str | None:
    attributes = list(subject)
    return str(attributes[0].value) if len(attributes) == 1 and attributes[0].oid == NameOID.COMMON_NAME else None


def _is_covered(patterns: tuple[NamePattern, ...], common_name: str | None) -> bool:
    """People and devices are known by common names too: one must be a name that the requester may have."""
    if common_name is None:
        return False
    try:
        return covers(patterns, parse_name(common_name))
    except Malformed:
        return False


def _listed(patterns: tuple[NamePattern, ...]) -> str:
    return ", ".join(map(str, patterns)) or "nothing"
