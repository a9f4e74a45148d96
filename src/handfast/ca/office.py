"""The office where requesters and tokens are made, seen and ended; each by whoever may, each on record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509

from handfast.ca.finding import by_certificate
from handfast.ca.policy import OPERATOR, Grant, Policy, Requester
from handfast.ca.ports import Clock, Store
from handfast.ca.records import AuditEvent, State
from handfast.ca.requesters import (
    SECRET_PREFIX,
    CredentialKind,
    CredentialRecord,
    RequesterRecord,
    secret_digest,
)
from handfast.ca.tokens import TOKEN_PREFIX, TokenRecord, names_of, subject_of
from handfast.errors import ConfigError, Conflict, NotFound
from handfast.pki.nearest import nearest
from handfast.pki.profile import Profile
from handfast.pki.serial import serial_text

TOKEN_LIFETIME = timedelta(days=1)
# A token is handed over and used; one that lies about for longer is found by somebody else.
LONGEST_TOKEN = timedelta(days=90)
# An operator who types an id of a token from a list may leave out its end.
_LEAST_ID = 6


@dataclass(frozen=True, slots=True)
class Proof:
    """By what a requester will prove who it is. secret: random, made by keys/generate.py with SECRET_PREFIX."""

    certificate: x509.Certificate | None = None
    secret: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """Use cases over the store. `by` is who does it; the person at the machine may do everything."""

    store: Store
    policy: Policy
    profiles: Mapping[str, Profile]
    clock: Clock

    def add_requester(self, record: RequesterRecord, proof: Proof, *, by: Requester = OPERATOR) -> None:
        """A new requester. Raises Denied, ConfigError for an unknown profile, Conflict for a name that is taken."""
        self.policy.require(by, Grant.MANAGE)
        for profile in record.profiles or ():
            self._profile(profile)
        detail = {"requester": record.name, "role": record.role.value, **_bounds(record)}
        event = self._event(by, "requester.added", **detail)
        self.store.requesters.add(record, self._credentials(record.name, proof), event)

    def add_credential(self, name: str, proof: Proof, *, by: Requester = OPERATOR) -> None:
        """Another credential of a requester. Raises Denied, NotFound, Conflict."""
        self.policy.require(by, Grant.MANAGE)
        for credential in self._credentials(name, proof):
            detail = {"requester": name, "kind": credential.kind.value, "label": credential.label}
            self.store.requesters.add_credential(credential, self._event(by, "credential.added", **detail))

    def remove_requester(self, name: str, *, by: Requester = OPERATOR) -> None:
        """Forget a requester: its next request is refused. Raises Denied, NotFound."""
        self.policy.require(by, Grant.MANAGE)
        if not self.store.requesters.remove(name, self._event(by, "requester.removed", requester=name)):
            names = [record.name for record in self.store.requesters.all()]
            raise NotFound(f"there is no requester {name[:80]!r}", hint=nearest(name, names))

    def requesters(self, *, by: Requester = OPERATOR) -> tuple[RequesterRecord, ...]:
        """Everybody. Raises Denied."""
        self._require_any(by, Grant.MANAGE, Grant.AUDIT)
        return self.store.requesters.all()

    def credentials(self, name: str | None = None, *, by: Requester = OPERATOR) -> tuple[CredentialRecord, ...]:
        """By what one requester, or everybody, can prove who they are. Raises Denied."""
        self._require_any(by, Grant.MANAGE, Grant.AUDIT)
        return self.store.requesters.credentials(name)

    def make_token(
        self,
        secret: str,
        profile: str,
        words: Sequence[str],
        *,
        lifetime: timedelta = TOKEN_LIFETIME,
        by: Requester = OPERATOR,
    ) -> TokenRecord:
        """A token for one certificate with these names. Nobody makes one for what they could not have themselves.

        secret: random, made by keys/generate.py with TOKEN_PREFIX. Raises Denied, ConfigError, Malformed.
        """
        if not secret.startswith(TOKEN_PREFIX):
            raise ConfigError("a token begins with its prefix", hint=f"make it with new_secret({TOKEN_PREFIX!r})")
        if not timedelta() < lifetime <= LONGEST_TOKEN:
            raise ConfigError(f"a token lives {LONGEST_TOKEN.days} days at most", hint="say --expires 1d")
        self._profile(profile)
        if self.profiles[profile].speaks_for_issuer:
            msg = f"a token cannot be for who speaks for a CA, as {profile} does"
            raise ConfigError(msg, hint="sign it at the machine")
        now = self.clock()
        token = TokenRecord(
            digest=secret_digest(secret),
            profile=profile,
            names=names_of(words),
            words=tuple(words),
            creator=by.owner,
            created_at=now,
            expires_at=now + lifetime,
        )
        self.policy.authorize(by, profile, token.names, subject=subject_of(token))
        detail = {"token": token.id, "profile": profile, "names": " ".join(words)[:500]}
        self.store.tokens.add(
            token, self._event(by, "token.made", **detail, until=f"{token.expires_at:%Y-%m-%d %H:%M}")
        )
        return token

    def tokens(self, *, by: Requester = OPERATOR) -> tuple[TokenRecord, ...]:
        """The tokens that can be redeemed: all of them, or one's own."""
        found = self.store.tokens.all(now=self.clock())
        if by.grants & {Grant.MANAGE, Grant.AUDIT}:
            return found
        return tuple(token for token in found if token.creator == by.owner)

    def revoke_token(self, identifier: str, *, by: Requester = OPERATOR) -> TokenRecord:
        """End a token, named by its id or the beginning of it. Raises NotFound, also for what is somebody else's."""
        mine = self.tokens(by=by) if Grant.ISSUE in by.grants else ()
        found = [token for token in mine if len(identifier) >= _LEAST_ID and token.id.startswith(identifier.lower())]
        if len(found) > 1:
            raise Conflict(f"{identifier!r} may mean {len(found)} tokens", hint="give all of the id")
        event = self._event(by, "token.revoked", token=found[0].id if found else "")
        if not found or not self.store.tokens.revoke(found[0].digest, event):
            msg = f"no token {identifier[:80]!r} can be redeemed"
            raise NotFound(msg, hint="`handfast token list` has those that can; a token that was used is gone")
        return found[0]

    def _credentials(self, name: str, proof: Proof) -> tuple[CredentialRecord, ...]:
        now = self.clock()
        found = []
        if proof.certificate is not None:
            found.append(self._certificate(name, proof.certificate, now))
        if proof.secret is not None:
            if not proof.secret.startswith(SECRET_PREFIX):
                raise ConfigError("a secret begins with its prefix", hint=f"make it with new_secret({SECRET_PREFIX!r})")
            digest = secret_digest(proof.secret)
            found.append(_credential(name, CredentialKind.SECRET, digest, f"secret {digest.hex()[:12]}", now))
        if not found:
            raise ConfigError(f"{name} has nothing to prove who it is", hint="give --certificate FILE or --token")
        return tuple(found)

    def _certificate(self, name: str, certificate: x509.Certificate, now: datetime) -> CredentialRecord:
        record = by_certificate(self.store, certificate)
        state = record.state(now)
        if state is not State.VALID or record.fingerprint is None:
            msg = f"the certificate {serial_text(record.serial)} of {record.label} is {state}"
            raise Conflict(msg, hint="give one that is valid: handfast issue NAME --profile client")
        if record.profile in self.profiles and self.profiles[record.profile].is_ca:
            raise Conflict(f"{record.label} is a CA, and no requester", hint="give a certificate of the profile client")
        return _credential(name, CredentialKind.CERTIFICATE, record.fingerprint, serial_text(record.serial), now)

    def _profile(self, name: str) -> None:
        if name not in self.profiles:
            raise ConfigError(f"there is no profile {name!r}", hint=nearest(name, self.profiles))

    def _require_any(self, by: Requester, *grants: Grant) -> None:
        if not by.grants.intersection(grants):
            self.policy.require(by, grants[0])

    def _event(self, by: Requester, action: str, **detail: str) -> AuditEvent:
        return AuditEvent(at=self.clock(), actor=by.name, action=action, detail=detail)


def _credential(name: str, kind: CredentialKind, digest: bytes, label: str, now: datetime) -> CredentialRecord:
    return CredentialRecord(digest=digest, kind=kind, requester=name, label=label, created_at=now)


def _bounds(record: RequesterRecord) -> dict[str, str]:
    profiles = "all" if record.profiles is None else " ".join(sorted(record.profiles))
    patterns = "all" if record.patterns is None else " ".join(map(str, record.patterns))
    return {"profiles": profiles[:500], "names": patterns[:500]}
