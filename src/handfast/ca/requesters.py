"""Requesters as the store remembers them, with the credentials that prove who they are."""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from handfast.ca.name_patterns import NamePattern
from handfast.ca.policy import GRANTS, Requester, RequesterRole
from handfast.ca.records import AuditEvent, CertificateRecord
from handfast.errors import ConfigError

# The store knows a secret by its SHA-256 only: 256 random bits need no salt and no slow hash.
SECRET_PREFIX = "hfr_"  # noqa: S105  # the beginning of all of them, which is no secret
# Who works at the machine of the CA itself: whose its certificates are says the name.
RESERVED = frozenset({"operator", "service", "ocsp-responder"})
NAME_HINT = f"use letters, digits, dots, dashes and @; at most 64; not {', not '.join(sorted(RESERVED))}"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RequesterRecord:
    """Somebody who may ask. profiles: None for all. patterns: the names they may ask for; None for all."""

    name: str
    role: RequesterRole
    profiles: frozenset[str] | None
    patterns: tuple[NamePattern, ...] | None
    created_at: datetime

    def __post_init__(self) -> None:
        if not is_name(self.name):
            raise ConfigError(f"{self.name[:80]!r} cannot be the name of a requester", hint=NAME_HINT)

    def requester(self, certificate: CertificateRecord | None = None) -> Requester:
        """Who asks, having proven it. certificate: by which."""
        return Requester(
            self.name,
            GRANTS[self.role],
            self.profiles,
            patterns=self.patterns,
            role=self.role,
            certificate=certificate,
        )


class CredentialKind(StrEnum):
    """By what somebody proves who they are."""

    CERTIFICATE = "certificate"
    SECRET = "secret"  # noqa: S105  # a kind, not one of them


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialRecord:
    """digest: the SHA-256 fingerprint of the certificate, or the SHA-256 of the secret. Never a name: names can be had.

    label: what people know it by.
    """

    digest: bytes
    kind: CredentialKind
    requester: str
    label: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Presented:
    """A certificate of this authority, and whose credential it is, if anybody's."""

    record: CertificateRecord
    requester: RequesterRecord | None


class Requesters(Protocol):
    """The part of the store that knows who may ask. Events are written in the same transaction."""

    def add(self, record: RequesterRecord, credentials: tuple[CredentialRecord, ...], event: AuditEvent) -> None:
        """Remember a requester. Raises Conflict when the name, or a credential, is taken."""
        ...

    def add_credential(self, credential: CredentialRecord, event: AuditEvent) -> None:
        """Another credential. Raises Conflict when it is somebody's already, NotFound without that requester."""
        ...

    def remove(self, name: str, event: AuditEvent) -> bool:
        """Forget a requester, its credentials, tokens, requests and approvals; False when there is none."""
        ...

    def find(self, name: str) -> RequesterRecord | None:
        """The requester of that name."""
        ...

    def all(self) -> tuple[RequesterRecord, ...]:
        """Everybody, by name."""
        ...

    def count(self) -> int:
        """How many there are."""
        ...

    def credentials(self, name: str | None = None) -> tuple[CredentialRecord, ...]:
        """The credentials of one requester, or of all."""
        ...

    def by_secret(self, digest: bytes) -> RequesterRecord | None:
        """Whose secret that is: one point read."""
        ...

    def by_certificate(self, fingerprint: bytes) -> Presented | None:
        """The certificate with this SHA-256 fingerprint, its revocation, and whose credential it is: one point read."""
        ...


def is_name(text: str) -> bool:
    """True when a requester may have this name."""
    return _NAME.fullmatch(text) is not None and text not in RESERVED


def secret_digest(secret: str) -> bytes:
    """What the store knows of a secret or a token."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
