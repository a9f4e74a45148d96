"""A new root beside the old one, and the two certificates by which each vouches for the other (RFC 9810 section 4.4).

The new root has a name of its own: programs that look for an issuer, or for its CRL, by name alone find the right one.
"""

from dataclasses import dataclass, replace

from cryptography import x509

from handfast.ca.authority import Authority
from handfast.ca.crossing import cross_order, is_between, require_crossable, valid_crosses
from handfast.ca.issuer import Issuer
from handfast.ca.records import Listing, Role, State
from handfast.errors import ConfigError, Conflict
from handfast.pki.subject import format_subject
from handfast.server.assembly import Parts, assemble
from handfast.server.founding import ROOT, Plan, RootDraft, draft_root, register, require_free_name, root_subject


@dataclass(frozen=True, slots=True)
class Crosses:
    """new_with_old: the new root's name and key, signed by the old root; old_with_new: the other way round."""

    new_with_old: x509.Certificate
    old_with_new: x509.Certificate


@dataclass(frozen=True, slots=True)
class RootUpdate:
    """A new root, and its cross certificates when it does not stand alone."""

    root: Issuer
    crosses: Crosses | None


def add_new_root(parts: Parts, plan: Plan, *, name: str, replaces: Issuer | None) -> RootUpdate:
    """Make a root. replaces: the one beside which it stands, whose key must be there; None: it stands alone.

    All is decided before anything is put on record, and on record before anything is signed. Raises Conflict for a name
    that is taken, ConfigError, Unacceptable.
    """
    require_free_name(parts, name)
    known = assemble(parts)
    _require_own_subject(known, root_subject(plan, name))
    if replaces is not None:
        require_crossable(replaces, parts.clock())
        replaces.unlock()
    draft = draft_root(parts, plan, name)
    certificate = _left(parts, draft, replaces) or _issued(known, draft, replaces)
    root = register(parts, certificate, (), name=name, role=Role.ROOT, is_encrypted=draft.is_encrypted)
    return RootUpdate(root, _crosses(parts, certificate, replaces))


def root_to_replace(authority: Authority, name: str | None) -> Issuer:
    """The root of that name, or the one above the default CA. Raises ConfigError when its key cannot be here."""
    if name is not None:
        return authority.issuer(name)
    issuer = authority.issuer()
    for one in authority.issuers.values():
        if one.certificate == issuer.anchor:
            return one
    msg = f"the root above {issuer.name} is {format_subject(issuer.anchor.subject)}, whose key is not kept here"
    hint = (
        "whoever has that key makes the new root, and you go below it with handfast issuer request; "
        "or make a root of your own with --alone, and let everybody trust both"
    )
    raise ConfigError(msg, hint=hint)


def _issued(known: Authority, draft: RootDraft, replaces: Issuer | None) -> x509.Certificate:
    """Sign the root, and the crosses in the same breath: it is on record as an issuer with both, or not at all."""
    authority = replace(known, issuers={**known.issuers, draft.issuer.name: draft.issuer})
    new, orders = draft.issuer, [draft.order]
    if replaces is not None:
        orders += [cross_order(new.identity, by=replaces.name), cross_order(replaces.identity, by=new.name)]
    return authority.carry_out([authority.decide(order) for order in orders])[0].certificate


def _left(parts: Parts, draft: RootDraft, replaces: Issuer | None) -> x509.Certificate | None:
    """The same root, signed by an attempt that was interrupted before it was on record as an issuer."""
    listing = Listing(now=parts.clock(), state=State.VALID, profile=ROOT, issuer=draft.issuer.name)
    wanted = draft.order.subject, draft.order.public_key
    for left in (record.x509() for record in parts.store.search(listing).records):
        if left is None or (left.subject, left.public_key()) != wanted:
            continue
        if replaces is None or _crosses(parts, left, replaces) is not None:
            return left
    return None


def _crosses(parts: Parts, new: x509.Certificate, replaces: Issuer | None) -> Crosses | None:
    """Those between the two that are valid; None when one is missing."""
    if replaces is None:
        return None
    old, valid = replaces.certificate, valid_crosses(parts.store, parts.clock())
    new_with_old = [one for one in valid if is_between(one, new, old)]
    old_with_new = [one for one in valid if is_between(one, old, new)]
    return Crosses(new_with_old[0], old_with_new[0]) if new_with_old and old_with_new else None


def _require_own_subject(authority: Authority, subject: x509.Name) -> None:
    known = (one for issuer in authority.issuers.values() for one in (issuer.certificate, *issuer.chain))
    if any(one.subject == subject for one in known):
        msg = f"there is a CA {format_subject(subject)} already, with another key"
        raise Conflict(msg, hint="choose another --name, so that nobody takes one for the other")
