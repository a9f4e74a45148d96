"""Names lie where the CAs above may issue: permitted and excluded subtrees (RFC 5280 sections 4.2.1.10 and 6.1.3)."""

from collections.abc import Iterator
from itertools import islice

from handfast.errors import Malformed
from handfast.validate.certificate import Certificate
from handfast.validate.der import identifier
from handfast.validate.distinguished_names import EMPTY, attributes
from handfast.validate.extensions import NameConstraints, Subtree
from handfast.validate.general_names import GeneralName, NameType
from handfast.validate.path import SHOWN, Examination
from handfast.validate.subtrees import constraint_problem, is_excluded_by, is_in_subtree

_EMAIL_ADDRESS = identifier("1.2.840.113549.1.9.1")
_COMPARED = {NameType.EMAIL, NameType.DNS, NameType.DIRECTORY, NameType.URI, NameType.IP}


def check(examination: Examination) -> None:
    """Every certificate below a constraint obeys it, but self-issued ones between (6.1.3); the leaf always does."""
    work, most = examination.work, examination.policy.budget.name_comparisons
    for position, certificate in enumerate(examination.chain):
        constraints = certificate.says.name_constraints
        if constraints is None:
            continue
        _check_form(examination, position, certificate, constraints)
        for below in range(position):
            if below and examination.chain[below].is_self_issued:
                continue
            names = _names(examination.chain[below])
            work.name_comparisons += len(names) * (len(constraints.permitted or ()) + len(constraints.excluded or ()))
            if work.name_comparisons > most:
                examination.note("budget-exhausted", position, "there are too many names and constraints to compare")
                return
            for code, message in _violations(names, constraints):
                examination.note(code, below, f"{message} (constraint of {certificate.name})")


def _check_form(
    examination: Examination, position: int, certificate: Certificate, constraints: NameConstraints
) -> None:
    if not certificate.is_ca:
        examination.note("name-constraints-in-leaf", position, "nameConstraints stands in a certificate of no CA")
    if "name_constraints" not in certificate.says.critical:
        examination.note("name-constraints-not-critical", position, "nameConstraints is not critical")
    permitted, excluded = constraints
    if not permitted and not excluded:
        examination.note("name-constraints-empty", position, "nameConstraints constrains nothing")
    problems = (_subtree_problem(subtree) for subtree in (*(permitted or ()), *(excluded or ())))
    for problem in islice(filter(None, problems), SHOWN):
        examination.note("name-constraints-malformed", position, problem)


def _subtree_problem(subtree: Subtree) -> str | None:
    if subtree.has_limits:
        return f"the constraint {subtree.base} has a minimum or maximum"
    return constraint_problem(subtree.base)


def _names(certificate: Certificate) -> tuple[GeneralName, ...]:
    """What constraints are about: the alternative names, the subject, and its e-mail addresses if no others."""
    names = certificate.says.names or ()
    if certificate.subject == EMPTY:
        return names
    found = [*names, GeneralName(NameType.DIRECTORY, "", certificate.subject)]
    if not any(name.kind is NameType.EMAIL for name in names):
        found.extend(GeneralName(NameType.EMAIL, text, b"") for text in _mail_addresses(certificate.subject))
    return tuple(found)


def _mail_addresses(subject: bytes) -> tuple[str, ...]:
    try:
        return attributes(subject, _EMAIL_ADDRESS)
    except Malformed:
        return ()


def _violations(names: tuple[GeneralName, ...], constraints: NameConstraints) -> Iterator[tuple[str, str]]:
    for name in names:
        permitted = [each.base for each in constraints.permitted or () if each.base.kind is name.kind]
        excluded = [each.base for each in constraints.excluded or () if each.base.kind is name.kind]
        if not permitted and not excluded:
            continue
        if name.kind not in _COMPARED:
            yield "name-constraints-unsupported", f"{name}: constraints on names of this type cannot be checked"
            continue
        if permitted and not any(is_in_subtree(name, base) for base in permitted):
            yield "name-not-permitted", f"{_short(name)} is outside what is permitted"
        hit = next((base for base in excluded if is_excluded_by(name, base)), None)
        if hit is not None:
            yield "name-excluded", f"{_short(name)} is within {_short(hit)}, which is excluded"


def _short(name: GeneralName) -> str:
    text = str(name)
    return text if len(text) <= 100 else text[:100] + "…"
