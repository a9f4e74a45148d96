"""Cross certificates: a root certified by another one, so that who trusts one trusts both (RFC 9810 section 4.4)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from cryptography import x509

from handfast.ca.authority import Authority
from handfast.ca.issuer import Issuer
from handfast.ca.order import Order
from handfast.ca.ports import Store
from handfast.ca.records import Listing, State
from handfast.errors import ConfigError
from handfast.pki.issuer_identity import IssuerIdentity
from handfast.pki.subject import format_subject

PROFILE = "cross"
# Two for each change of the root that is still going on.
_MOST = 100
_LIMITS = (x509.NameConstraints, x509.PolicyConstraints, x509.InhibitAnyPolicy, x509.ExtendedKeyUsage)


def cross_order(root: IssuerIdentity, *, by: str) -> Order:
    """The order for a certificate of a root by another: with its name, key and key identifier, and not beyond its end.

    by: the name of the issuer that signs.
    """
    return Order(profile=PROFILE, public_key=root.public_key, subject=root.subject, issuer=by, identity=root)


def require_crossable(root: Issuer, now: datetime) -> None:
    """Raise ConfigError for a root that can sign no cross certificate, or whose limits one would lift."""
    who = format_subject(root.certificate.subject)
    alone = "make the new root with --alone, and let everybody trust both"
    if root.certificate.subject != root.certificate.issuer:
        raise ConfigError(f"{who} is no root", hint="name a root; `handfast issuer list` has all")
    if root.certificate.not_valid_after_utc <= now:
        until = f"{root.certificate.not_valid_after_utc:%Y-%m-%d}"
        raise ConfigError(f"the root {who} ended on {until}: nothing that it signs would be valid", hint=alone)
    limits = [type(one.value).__name__ for one in root.certificate.extensions if isinstance(one.value, _LIMITS)]
    if root.identity.path_length is not None:
        limits.append(f"a path length of {root.identity.path_length}")
    if limits:
        msg = f"the root {who} is limited by {', '.join(limits)}, which a cross certificate would lift or not get past"
        raise ConfigError(msg, hint=alone)


def valid_crosses(store: Store, now: datetime) -> tuple[x509.Certificate, ...]:
    """The cross certificates that are neither revoked nor over, the newest first."""
    page = store.search(Listing(now=now, state=State.VALID, profile=PROFILE, limit=_MOST))
    found = (record.x509() for record in page.records)
    return tuple(one for one in found if one is not None)


def with_crosses(issuers: Mapping[str, Issuer], crosses: tuple[x509.Certificate, ...]) -> dict[str, Issuer]:
    """The issuers, each with those of its own root; one with nothing new is the same as before."""
    roots = {one.anchor for one in issuers.values()}
    found = {}
    for name, issuer in issuers.items():
        own = tuple(one for one in crosses if any(is_between(one, issuer.anchor, root) for root in roots))
        found[name] = issuer if own == issuer.crosses else replace(issuer, crosses=own)
    return found


def is_between(cross: x509.Certificate, root: x509.Certificate, signer: x509.Certificate) -> bool:
    """Whether it has the name and key of the one root, and was signed in the name of the other."""
    return cross.issuer == signer.subject and cross.subject == root.subject and cross.public_key() == root.public_key()


def ca_certificates(authority: Authority) -> tuple[x509.Certificate, ...]:
    """The issuing CAs, those above them and the cross certificates, each once, the default one first (RFC 7030 4.1.3).

    None that has ended or was revoked. Raises ConfigError when there is no CA yet.
    """
    first, now = authority.issuer(), authority.clock()
    paths = ((one.certificate, *one.chain) for one in (first, *authority.issuers.values()))
    known = tuple(dict.fromkeys(one for path in paths for one in path))
    revoked = set(_revoked(authority, known))
    current = [one for one in known if one.not_valid_after_utc >= now and one not in revoked]
    roots = [one for one in current if one.subject == one.issuer]
    crosses = (
        cross
        for cross in valid_crosses(authority.store, now)
        if any(is_between(cross, root, signer) for root in roots for signer in roots)
    )
    return tuple(dict.fromkeys((*current, *crosses)))


def _revoked(authority: Authority, known: Iterable[x509.Certificate]) -> Iterator[x509.Certificate]:
    """Those that a CA of this authority revoked, also when it issued them elsewhere before it was brought along."""
    certificates = tuple(known)
    for issuer in authority.issuers.values():
        signed = {one.serial_number: one for one in certificates if one.issuer == issuer.identity.subject}
        statuses = authority.store.statuses.of(issuer.name, signed) if signed else {}
        yield from (signed[serial] for serial, status in statuses.items() if status.revoked_at is not None)
