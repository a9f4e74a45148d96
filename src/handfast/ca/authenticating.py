"""Who asks? By a certificate of this authority, a long random secret or a one-time token; looked up each time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NoReturn

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from handfast.ca.policy import Requester
from handfast.ca.ports import Store
from handfast.ca.records import CertificateRecord, State
from handfast.ca.refusals import FAILED, Refusal, Refusals
from handfast.ca.requesters import SECRET_PREFIX, Presented, is_name, secret_digest
from handfast.ca.tokens import TOKEN_PREFIX
from handfast.errors import Unauthenticated
from handfast.pki.profile import Profile
from handfast.pki.serial import serial_text

_LONGEST_SECRET = 256
_HINT = "present a valid certificate of this authority, a secret of a requester, or an enrollment token"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What somebody presented. certificate: whose key TLS saw used. user: with the secret, by HTTP Basic; may be empty.

    A secret that is given must be right: a certificate does not make up for a wrong one.
    """

    certificate: x509.Certificate | None = None
    user: str | None = None
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """Where it is looked up who somebody is. refusals: counts who is not."""

    store: Store
    now: datetime
    profiles: Mapping[str, Profile]
    refusals: Refusals

    def note(self, by: str, reason: str, *, requester: str = "", record: CertificateRecord | None = None) -> None:
        """Count an attempt that failed."""
        issuer, serial = ("", None) if record is None else (record.issuer, record.serial)
        refusal = Refusal(action=FAILED, reason=reason, by=by, requester=requester, issuer=issuer, serial=serial)
        self.refusals.note(refusal, self.now)


def authenticate(credentials: Credentials, register: Register) -> Requester:
    """Who that is. Raises Unauthenticated, also for what is revoked, held, expired or a CA's. One point read; another
    one for a wrong secret that came with a user.
    """
    if credentials.secret is not None:
        return _by_secret(credentials.secret, credentials.user, register)
    if credentials.certificate is not None:
        return _by_certificate(credentials.certificate, register)
    # Many clients ask first without anything: that is no attempt, and not counted.
    raise Unauthenticated("this needs a certificate, a secret or a token, and none is there", hint=_HINT)


def _by_certificate(certificate: x509.Certificate, register: Register) -> Requester:
    presented = register.store.requesters.by_certificate(certificate.fingerprint(hashes.SHA256()))
    if presented is None:
        register.note("certificate", "not issued here")
        msg = f"this authority did not issue the certificate {serial_text(certificate.serial_number)}"
        raise Unauthenticated(msg, hint=_HINT)
    state = presented.record.state(register.now)
    if state is not State.VALID:
        register.note("certificate", state.value, record=presented.record)
        msg = f"the certificate {serial_text(presented.record.serial)} of {presented.record.label} is {state}"
        raise Unauthenticated(msg, hint="enroll again, with a token or with the help of the operator of the CA")
    profile = register.profiles.get(presented.record.profile)
    if profile is not None and profile.is_ca:
        register.note("certificate", "is a CA", record=presented.record)
        # Who holds a CA's key speaks for many, and is nobody among them.
        raise Unauthenticated(f"{presented.record.label} is a CA, and asks for nothing itself", hint=_HINT)
    return _holder(presented)


def _holder(presented: Presented) -> Requester:
    record = presented.record
    if presented.requester is not None:
        return presented.requester.requester(record)
    # A device may renew what it has, and nothing else: it has no grant.
    return Requester(f"device:{record.label}", certificate=record, sponsor=record.requester)


def _by_secret(secret: str, user: str | None, register: Register) -> Requester:
    if secret.startswith(TOKEN_PREFIX):
        return _by_token(secret, register)
    is_ours = secret.startswith(SECRET_PREFIX) and len(secret) <= _LONGEST_SECRET
    record = register.store.requesters.by_secret(secret_digest(secret)) if is_ours else None
    if record is None:
        register.note("secret" if is_ours else "password", "not known", requester=_known(user, register.store))
        _refuse_secret()
    if user and user != record.name:
        register.note("secret", "of another user", requester=record.name)
        _refuse_secret()
    return record.requester()


def _by_token(secret: str, register: Register) -> Requester:
    token = register.store.tokens.find(secret_digest(secret)) if len(secret) <= _LONGEST_SECRET else None
    if token is None:
        register.note("token", "not known")
        _refuse_secret()
    if register.now >= token.expires_at:
        register.note("token", "expired", requester=token.requester().name)
        _refuse_secret()
    return token.requester()


def _known(user: str | None, store: Store) -> str:
    """The user, if it is a requester's name. What else was typed may be a password, and is told nowhere."""
    return user if user and is_name(user) and store.requesters.find(user) is not None else ""


def _refuse_secret() -> NoReturn:
    # The same words whether it never was, was used, was revoked or has expired: they tell a stranger nothing.
    raise Unauthenticated("the secret or token is not known, or not any more", hint=_HINT)
