"""Which certificates and reasons a CRL speaks for: its scope, met with distribution points (RFC 5280 6.3.3 b, d)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cryptography import x509

from handfast.errors import Malformed
from handfast.validate.certificate import Certificate
from handfast.validate.der import identifier
from handfast.validate.distinguished_names import name_key, same_name
from handfast.validate.extensions import basic_constraints
from handfast.validate.revocation.crl_index import LoadedCRL
from handfast.validate.revocation.extensions import read_extension
from handfast.validate.revocation.facts import Question

_BASIC_CONSTRAINTS = identifier("2.5.29.19")
ALL_REASONS = frozenset(x509.ReasonFlags) - {x509.ReasonFlags.unspecified, x509.ReasonFlags.remove_from_crl}


@dataclass(frozen=True, slots=True)
class Point:
    """One distribution point of a certificate, its relative name resolved. names is None: it names none."""

    names: frozenset[object] | None
    crl_issuers: tuple[bytes, ...]
    reasons: frozenset[x509.ReasonFlags]


def points_of(question: Question) -> Iterator[Point]:
    """The certificate's distribution points, then the one that stands for any list of its issuer."""
    issuer = question.certificate.issuer
    for point in read_extension(question.certificate, x509.CRLDistributionPoints) or ():
        yield _point(point, issuer)
    yield Point(frozenset({name_key(issuer)}), (), ALL_REASONS)


def _point(point: x509.DistributionPoint, issuer: bytes) -> Point:
    names = (name.value for name in point.crl_issuer or () if isinstance(name, x509.DirectoryName))
    crl_issuers = tuple(name.public_bytes() for name in names)
    base = crl_issuers[0] if crl_issuers else issuer
    return Point(_point_names(point.full_name, point.relative_name, base), crl_issuers, point.reasons or ALL_REASONS)


def _point_names(
    full: Sequence[x509.GeneralName] | None, relative: x509.RelativeDistinguishedName | None, base: bytes
) -> frozenset[object] | None:
    """The names of a point; a relative one is completed with the name of whoever issues the CRL."""
    if relative is not None:
        return frozenset({(*name_key(base), *name_key(x509.Name([relative]).public_bytes()))})
    if full is None:
        return None
    return frozenset(name_key(n.value.public_bytes()) if isinstance(n, x509.DirectoryName) else n for n in full)


def scope_problem(crl: LoadedCRL, point: Point, question: Question) -> str | None:
    """Why this list does not speak for the certificate by way of this point, or None when it does."""
    idp = crl.distribution_point
    if point.crl_issuers:
        if not any(same_name(crl.issuer, name) for name in point.crl_issuers):
            return "it is of another issuer"
        if not same_name(crl.issuer, question.certificate.issuer) and not (idp and idp.indirect_crl):
            return "it is not marked as an indirect CRL"
    elif not same_name(crl.issuer, question.certificate.issuer):
        return "it is of another issuer"
    if "2.5.29.28" in crl.extensions and idp is None:
        return "its issuing distribution point cannot be read"
    return _partition_problem(idp, crl, point, question) if idp else None


def _partition_problem(
    idp: x509.IssuingDistributionPoint, crl: LoadedCRL, point: Point, question: Question
) -> str | None:
    names = _point_names(idp.full_name, idp.relative_name, crl.issuer)
    if names is not None:
        wanted = point.names
        if wanted is None:
            wanted = frozenset(name_key(name) for name in point.crl_issuers)
        if not names & wanted:
            return "it is for another distribution point"
    if idp.only_contains_attribute_certs:
        return "it is for attribute certificates only"
    if idp.only_contains_user_certs and is_ca(question.certificate):
        return "it is for end-entity certificates only"
    if idp.only_contains_ca_certs and not is_ca(question.certificate):
        return "it is for CA certificates only"
    return None


def reasons_of(crl: LoadedCRL, point: Point) -> frozenset[x509.ReasonFlags]:
    """The reasons that this list, by way of this point, answers for."""
    idp = crl.distribution_point
    if idp is None or idp.only_some_reasons is None:
        return point.reasons
    return point.reasons & idp.only_some_reasons


def is_ca(certificate: Certificate) -> bool:
    """Whether basicConstraints says that the subject is a CA."""
    constraints = certificate.extensions.get(_BASIC_CONSTRAINTS)
    try:
        return constraints is not None and basic_constraints(constraints.value).is_ca
    except Malformed:
        return False


def same_scope(one: LoadedCRL, other: LoadedCRL) -> bool:
    """Whether a delta CRL and a complete one have the same issuing distribution point (RFC 5280 section 6.3.3 c)."""
    return one.distribution_point == other.distribution_point
