"""The revocation step: who issued each certificate of a path, and who else may sign CRLs (RFC 5280 6.3)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import lru_cache

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from handfast.validate.certificate import Certificate
from handfast.validate.findings import Notebook
from handfast.validate.keys import subject_key, with_parameters
from handfast.validate.levels import Level
from handfast.validate.path import Path
from handfast.validate.policy import Policy
from handfast.validate.revocation.facts import (
    CertificationAuthority,
    RevocationFacts,
    RevocationMode,
    RevocationPolicy,
    RevocationStatus,
    Signers,
)
from handfast.validate.revocation.known import known_good
from handfast.validate.revocation.status import check_path


def check_revocation(
    path: Path,
    policy: Policy,
    *,
    at: datetime,
    facts: RevocationFacts,
    signers: tuple[tuple[Certificate, ...], Callable[[Certificate], bool]],
    notebook: Notebook,
) -> tuple[RevocationStatus, ...]:
    """The status of each certificate of the path, and its findings in the notebook.

    Lists without a CRL number and SHA-1 are never refused at the level legacy.
    """
    asked = policy.revocation if policy.level is not Level.LEGACY else _lenient(policy.revocation)
    if facts.plain and asked.strict and asked.mode is not RevocationMode.NONE:
        known = known_good(path.chain, len(path.certificates), facts=facts, at=at)
        if known is not None:
            return known
    issuers = issuers_of(path) if policy.revocation.mode is not RevocationMode.NONE else ()
    statuses = check_path(path.certificates, issuers, facts=facts, policy=asked, at=at, signers=Signers(*signers))
    for position, status in enumerate(statuses):
        for finding in status.findings:
            notebook.add(finding, position)
    return statuses


@lru_cache(maxsize=64)
def _lenient(policy: RevocationPolicy) -> RevocationPolicy:
    return replace(policy, strict=False)


def issuers_of(path: Path) -> tuple[CertificationAuthority, ...]:
    """Who issued each certificate of the path: the one above it; DSA keys complete with the parameters they inherit."""
    anchor = path.anchor
    found = [CertificationAuthority(anchor.subject, anchor.spki, anchor.certificate)]
    for certificate in reversed(path.certificates[1:]):
        spki = certificate.spki
        if subject_key(spki).inherits:
            spki = _complete(spki, found[-1].spki)
        found.append(CertificationAuthority(certificate.subject, spki, certificate))
    return tuple(reversed(found)) if path.certificates else ()


def _complete(spki: bytes, issuer: bytes) -> bytes:
    key = with_parameters(spki, subject_key(issuer).key)
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) if key is not None else spki
