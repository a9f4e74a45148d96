"""The form of subject alternative names (RFC 5280 section 4.2.1.6, RFC 9525)."""

from itertools import islice

from handfast.validate.certificate import Certificate
from handfast.validate.distinguished_names import EMPTY
from handfast.validate.general_names import NameType, is_spelled_right
from handfast.validate.path import SHOWN, Examination
from handfast.validate.policy import Policy

# Second-level domains under which countries register: `*.co.uk` speaks for everyone there.
_SHARED = {"ac", "co", "com", "edu", "go", "gob", "gouv", "gov", "ne", "net", "nom", "or", "org"}
_COUNTRY = 2


def _needs_names(policy: Policy) -> bool:
    """A server is known by these names only; a client that is asked for none of them may be known by its subject."""
    return policy.purpose.is_server or (policy.purpose.is_tls and bool(policy.names))


def check(examination: Examination) -> None:
    """Names present where the purpose needs them, spelled right, critical exactly when they are all there is."""
    if examination.leaf.says.names is None and _needs_names(examination.policy):
        examination.note("subject-alternative-name-missing", 0, "it has no subjectAltName")
    for position, certificate in enumerate(examination.chain):
        if certificate.says.names is not None:
            _check_names(examination, position, certificate)
        elif not position and certificate.subject == EMPTY:
            message = "it has neither a subject nor a subjectAltName"
            examination.note("subject-alternative-name-not-critical", position, message)


def _check_names(examination: Examination, position: int, certificate: Certificate) -> None:
    names = certificate.says.names or ()
    if not names:
        examination.note("subject-alternative-name-empty", position, "subjectAltName has no name")
    is_critical = "names" in certificate.says.critical
    if is_critical and certificate.subject != EMPTY:
        message = "subjectAltName is critical beside a subject"
        examination.note("subject-alternative-name-critical", position, message)
    if not is_critical and certificate.subject == EMPTY:
        message = "there is no subject, and subjectAltName is not critical"
        examination.note("subject-alternative-name-not-critical", position, message)
    for name in islice((name for name in names if not is_spelled_right(name)), SHOWN):
        message = f"{str(name)[:100]!r} is not spelled as such a name must be"
        examination.note("subject-alternative-name-invalid", position, message)
    wildcards = (name.text for name in names if name.kind is NameType.DNS and name.text.startswith("*."))
    for wildcard in islice(filter(_is_public, wildcards), SHOWN):
        message = f"{wildcard} is a wildcard for everyone who registers there"
        examination.note("wildcard-public-suffix", position, message)


def _is_public(wildcard: str) -> bool:
    labels = wildcard[2:].lower().split(".")
    return len(labels) == 1 or (len(labels) == 2 and len(labels[1]) == _COUNTRY and labels[0] in _SHARED)
