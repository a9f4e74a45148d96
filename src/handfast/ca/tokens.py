"""One-time enrollment tokens: each is good for one certificate, of these names, of this profile, until then."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cryptography import x509

from handfast.ca.policy import Bond, Grant, Requester
from handfast.ca.records import AuditEvent
from handfast.errors import ConfigError, Malformed
from handfast.pki.names import Name, parse_name

TOKEN_PREFIX = "hft_"  # noqa: S105  # the beginning of all of them, which is no secret

TOKEN_STATES = ("redeemable", "expired")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRecord:
    """digest: SHA-256 of the token. words: the names as they were typed, each also good as a common name.

    creator: who made it, on whose account the certificate is.
    """

    digest: bytes
    profile: str
    names: tuple[Name, ...]
    words: tuple[str, ...]
    creator: str
    created_at: datetime
    expires_at: datetime

    @property
    def id(self) -> str:
        """What people call it: enough of the digest; of no use to whoever finds it in a log."""
        return self.digest.hex()[:12]

    def requester(self) -> Requester:
        """Who presents it: somebody who may have one certificate."""
        return Requester(
            f"token:{self.id}",
            frozenset({Grant.ISSUE}),
            frozenset({self.profile}),
            bond=Bond(self.digest, self.names, self.words),
            sponsor=self.creator,
        )


class Tokens(Protocol):
    """The part of the store that knows the tokens that nobody redeemed yet. Redeeming one is a claim (ca/claims.py)."""

    def add(self, token: TokenRecord, event: AuditEvent) -> None:
        """Remember a token. Those that expired are forgotten."""
        ...

    def find(self, digest: bytes) -> TokenRecord | None:
        """The token: one point read."""
        ...

    def all(self, *, now: datetime) -> tuple[TokenRecord, ...]:
        """Those that can be redeemed, oldest first."""
        ...

    def count(self, *, now: datetime) -> Mapping[str, int]:
        """How many can be redeemed, and how many have expired and are not forgotten yet: those of TOKEN_STATES."""
        ...

    def revoke(self, digest: bytes, event: AuditEvent) -> bool:
        """Forget it; False when it was redeemed or revoked already."""
        ...


def names_of(words: Sequence[str]) -> tuple[Name, ...]:
    """What was typed, as the names that a certificate may carry. A word like `Alice Smith` is a common name only.

    Raises ConfigError when there is nothing.
    """
    if not words:
        raise ConfigError("a token is for certain names, and none is given", hint="say which: cam-7.example.org")
    names: list[Name] = []
    for word in words:
        try:
            names.append(parse_name(word))
        except Malformed:
            if not word.strip() or any(character in word for character in "@/:*"):
                raise
    return tuple(dict.fromkeys(names))


def subject_of(token: TokenRecord) -> x509.Name:
    """The subject that it is good for: its first word as the common name."""
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, token.words[0])])
