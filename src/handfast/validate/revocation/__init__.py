"""Revocation, a step of path validation: CRLs (RFC 5280 section 6.3) and OCSP (RFC 6960, 9654). Fetches nothing."""

from handfast.validate.revocation.crl_index import Entry, LoadedCRL, from_cryptography, load_crl
from handfast.validate.revocation.facts import (
    CertificationAuthority,
    FactKind,
    MissingFact,
    Question,
    RevocationFacts,
    RevocationMode,
    RevocationPolicy,
    RevocationStatus,
    Signers,
    Status,
    authority_of,
)
from handfast.validate.revocation.ocsp import build_request, load_response
from handfast.validate.revocation.status import check_certificate, check_path

__all__ = [
    "CertificationAuthority",
    "Entry",
    "FactKind",
    "LoadedCRL",
    "MissingFact",
    "Question",
    "RevocationFacts",
    "RevocationMode",
    "RevocationPolicy",
    "RevocationStatus",
    "Signers",
    "Status",
    "authority_of",
    "build_request",
    "check_certificate",
    "check_path",
    "from_cryptography",
    "load_crl",
    "load_response",
]
