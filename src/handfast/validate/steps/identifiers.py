"""Key identifiers and information access, for finding issuers (RFC 5280 sections 4.2.1.1, 4.2.1.2 and 4.2.2.1)."""

from handfast.validate.certificate import Certificate
from handfast.validate.path import Examination


def check(examination: Examination) -> None:
    """Present where they must be, not critical, and in agreement from one certificate to the next."""
    chain = examination.chain
    for position, certificate in enumerate(chain):
        if certificate.says.critical:
            _check_criticality(examination, position, certificate)
        _check_authority_key(examination, position, certificate)
        if position and certificate.says.subject_key_identifier is None:
            examination.note("subject-key-identifier-missing", position, "the CA has no subjectKeyIdentifier")


def _check_criticality(examination: Examination, position: int, certificate: Certificate) -> None:
    critical = certificate.says.critical
    if "authority_key_identifier" in critical:
        examination.note("authority-key-identifier-critical", position, "authorityKeyIdentifier is critical")
    if "subject_key_identifier" in critical:
        examination.note("subject-key-identifier-critical", position, "subjectKeyIdentifier is critical")
    if "access" in critical:
        examination.note("authority-information-access-critical", position, "authorityInfoAccess is critical")


def _check_authority_key(examination: Examination, position: int, certificate: Certificate) -> None:
    found = certificate.says.authority_key_identifier
    if found is None:
        if not certificate.is_self_issued or position < examination.anchor_at - 1:
            examination.note("authority-key-identifier-missing", position, "it has no authorityKeyIdentifier")
        return
    if found.key is None:
        message = "authorityKeyIdentifier has no keyIdentifier"
        examination.note("authority-key-identifier-without-key", position, message)
    if found.names_issuer:
        message = "authorityKeyIdentifier also has the issuer's name and serial number"
        examination.note("authority-key-identifier-with-issuer", position, message)
    issuer = _issuer(examination, position)
    expected = issuer.says.subject_key_identifier if issuer else None
    if expected is not None and found.key is not None and found.key != expected:
        message = "authorityKeyIdentifier names another key than the issuer's"
        examination.note("authority-key-identifier-mismatch", position, message)


def _issuer(examination: Examination, position: int) -> Certificate | None:
    chain = examination.chain
    if position + 1 < len(chain):
        return chain[position + 1]
    return chain[position] if chain[position].is_self_issued else None
