"""Who may do what, over HTTP: one table of operations, whom they are for, and whose objects they may concern."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from handfast.ca.policy import Requester, RequesterRole
from handfast.errors import Denied


class Kind(StrEnum):
    """Whom a caller is taken for: a role, or what has none."""

    ADMINISTRATOR = "administrator"
    OFFICER = "registration-officer"
    APPROVER = "approver"
    AUDITOR = "auditor"
    REQUESTER = "requester"
    DEVICE = "device"  # by a certificate that is nobody's credential
    TOKEN = "token"  # noqa: S105  # a kind, not one of them


class Whose(StrEnum):
    """The objects of an operation. What is not one's own is not found, so that its existence is not told."""

    ANY = "anybody's"
    OWN = "one's own"
    NONE = "no object"


@dataclass(frozen=True, slots=True)
class Rule:
    """For whom, and over whose objects. own: kinds that see and touch only what is theirs."""

    kinds: frozenset[Kind]
    own: frozenset[Kind] = frozenset()

    @property
    def words(self) -> str:
        """As the documentation says it."""
        return ", ".join(f"{kind} (own only)" if kind in self.own else kind for kind in Kind if kind in self.kinds)

    def whose(self, kind: Kind) -> Whose:
        """Over whose objects somebody of this kind may do it."""
        if kind not in self.kinds:
            return Whose.NONE
        return Whose.OWN if kind in self.own else Whose.ANY


_A, _O, _P, _U = Kind.ADMINISTRATOR, Kind.OFFICER, Kind.APPROVER, Kind.AUDITOR
_R, _D, _T = Kind.REQUESTER, Kind.DEVICE, Kind.TOKEN
_STAFF = frozenset({_A, _O, _P, _U})


def _for(*kinds: Kind, own: tuple[Kind, ...] = ()) -> Rule:
    return Rule(frozenset((*kinds, *own)), frozenset(own))


# By the name of the operation. The core's own policy is asked as well: this table can only narrow what it allows.
OPERATIONS: Mapping[str, Rule] = {
    "issue_certificate": _for(_A, _O, _R, _T),
    "list_certificates": _for(*_STAFF, own=(_R,)),
    "show_certificate": _for(*_STAFF, own=(_R, _D)),
    "download_certificate": _for(*_STAFF, own=(_R, _D)),
    "bundle_certificate": _for(_A, _O, own=(_R, _D)),
    "renew_certificate": _for(_A, _O, own=(_R, _D)),
    "rekey_certificate": _for(_A, _O, own=(_R, _D)),
    "revoke_certificate": _for(_A, _O, own=(_R, _D)),
    "hold_certificate": _for(_A, _O),
    "release_certificate": _for(_A, _O),
    "add_requester": _for(_A),
    "list_requesters": _for(_A, _U),
    "remove_requester": _for(_A),
    "add_credential": _for(_A),
    "make_token": _for(_A, _O, _R),
    "list_tokens": _for(_A, _U, own=(_O, _R)),
    "revoke_token": _for(_A, own=(_O, _R)),
    "list_approvals": _for(*_STAFF, own=(_R,)),
    "approve_request": _for(_A, _P),
    "reject_request": _for(_A, _P),
    "list_profiles": _for(*_STAFF, _R, _D, _T),
    "list_issuers": _for(*_STAFF, _R, _D, _T),
    "publish_crl": _for(_A, _O),
    "answer_ocsp": _for(*_STAFF),
    "list_publications": _for(*_STAFF, _R, _D, _T),
    "list_events": _for(_A, _U),
    "show_head": _for(_A, _U),
    "list_heads": _for(_A, _U),
    "verify_events": _for(_A, _U),
    "show_statistics": _for(*_STAFF),
    "show_caller": _for(*_STAFF, _R, _D, _T),
}


def kind_of(requester: Requester) -> Kind:
    """Whom a requester is taken for."""
    if requester.role is not None:
        return _KINDS[requester.role]
    return Kind.TOKEN if requester.bond is not None else Kind.DEVICE


_KINDS: Mapping[RequesterRole, Kind] = {role: Kind(role.value) for role in RequesterRole}


def require(operation: str, requester: Requester) -> Whose:
    """Over whose objects. Raises Denied for whoever the operation is not for."""
    rule, kind = OPERATIONS[operation], kind_of(requester)
    whose = rule.whose(kind)
    if whose is Whose.NONE:
        hint = f"this is for: {rule.words}"
        raise Denied(f"{requester.name} is {_with_article(kind)}, and may not do this", hint=hint)
    return whose


def _with_article(kind: Kind) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"
