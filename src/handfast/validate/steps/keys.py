"""Every key of the path is one that can be trusted to be secret (RFC 5280 section 4.1.2.7, NIST SP 800-57)."""

from handfast.validate.keys import key_problems
from handfast.validate.path import Examination


def check(examination: Examination) -> None:
    """The leaf's key too: what it signs is worth no more than it."""
    for position, certificate in enumerate(examination.chain):
        for code, message in key_problems(certificate.spki):
            examination.note(code, position, message)
