"""Who asks? By a certificate of this authority, a long random secret or a one-time token; looked up each time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NoReturn

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from handfast.ca.policy import Requester
from handfast.ca.ports import Store
from handfast.ca.records import State
from handfast.ca.requesters import SECRET_PREFIX, Presented, secret_digest
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


def authenticate(
    credentials: Credentials, store: Store, *, now: datetime, profiles: Mapping[str, Profile]
) -> Requester:
    """Who that is. Raises Unauthenticated, also for what is revoked, held, expired or a CA's. One point read."""
    if credentials.secret is not None:
        return _by_secret(credentials.secret, credentials.user, store, now)
    if credentials.certificate is not None:
        return _by_certificate(credentials.certificate, store, now, profiles)
    raise Unauthenticated("this needs a certificate, a secret or a token, and none is there", hint=_HINT)


def _by_certificate(
    certificate: x509.Certificate, store: Store, now: datetime, profiles: Mapping[str, Profile]
) -> Requester:
    presented = store.requesters.by_certificate(certificate.fingerprint(hashes.SHA256()))
    if presented is None:
        msg = f"this authority did not issue the certificate {serial_text(certificate.serial_number)}"
        raise Unauthenticated(msg, hint=_HINT)
    state = presented.record.state(now)
    if state is not State.VALID:
        msg = f"the certificate {serial_text(presented.record.serial)} of {presented.record.label} is {state}"
        raise Unauthenticated(msg, hint="enroll again, with a token or with the help of the operator of the CA")
    profile = profiles.get(presented.record.profile)
    if profile is not None and profile.is_ca:
        # Who holds a CA's key speaks for many, and is nobody among them.
        raise Unauthenticated(f"{presented.record.label} is a CA, and asks for nothing itself", hint=_HINT)
    return _holder(presented)


def _holder(presented: Presented) -> Requester:
    record = presented.record
    if presented.requester is not None:
        return presented.requester.requester(record)
    # A device may renew what it has, and nothing else: it has no grant.
    return Requester(f"device:{record.label}", certificate=record, sponsor=record.requester)


def _by_secret(secret: str, user: str | None, store: Store, now: datetime) -> Requester:
    if len(secret) > _LONGEST_SECRET:
        _refuse_secret()
    if secret.startswith(TOKEN_PREFIX):
        token = store.tokens.find(secret_digest(secret))
        if token is None or now >= token.expires_at:
            _refuse_secret()
        return token.requester()
    record = store.requesters.by_secret(secret_digest(secret)) if secret.startswith(SECRET_PREFIX) else None
    if record is None or (user and user != record.name):
        _refuse_secret()
    return record.requester()


def _refuse_secret() -> NoReturn:
    # The same words whether it never was, was used, was revoked or has expired: they tell a stranger nothing.
    raise Unauthenticated("the secret or token is not known, or not any more", hint=_HINT)
