"""A small public key infrastructure for tests: keys of every kind, a root, an issuing CA, leaves. In memory only."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa

from handfast.pki.draft import Draft, Holder, draft_certificate, sign_draft
from handfast.pki.issuer_identity import IssuerIdentity, PublicationUrls, identity_of, self_issuer
from handfast.pki.keys import KeyKind, PrivateKey
from handfast.pki.names import parse_names
from handfast.pki.profile import BUILT_IN, Profile
from handfast.pki.subject import parse_subject

# Tests that only look at values use this moment; what real programs verify is made now.
NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
URLS = PublicationUrls(
    crl=("http://ca.example.com/issuing.crl",),
    ocsp=("http://ca.example.com/ocsp",),
    ca_issuers=("http://ca.example.com/issuing.cer",),
)
_CURVES: dict[KeyKind, ec.EllipticCurve] = {
    KeyKind.P256: ec.SECP256R1(),
    KeyKind.P384: ec.SECP384R1(),
    KeyKind.P521: ec.SECP521R1(),
}


def new_key(kind: KeyKind = KeyKind.P256) -> PrivateKey:
    if kind in _CURVES:
        return ec.generate_private_key(_CURVES[kind])
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind.removeprefix("rsa")))
    if kind is KeyKind.ED25519:
        return ed25519.Ed25519PrivateKey.generate()
    classes = {
        KeyKind.ML_DSA_44: mldsa.MLDSA44PrivateKey,
        KeyKind.ML_DSA_65: mldsa.MLDSA65PrivateKey,
        KeyKind.ML_DSA_87: mldsa.MLDSA87PrivateKey,
    }
    return classes[kind].generate()  # type: ignore[no-any-return, attr-defined]  # each class has it


def key_of(kind: KeyKind = KeyKind.P256) -> PrivateKey:
    """One key of each kind for the whole run: making RSA keys is slow."""
    return _key_of(kind)


@cache
def _key_of(kind: KeyKind) -> PrivateKey:
    return new_key(kind)


def serial() -> int:
    return secrets.randbits(158) | 1 << 158


@dataclass(frozen=True)
class Authority:
    """A root, an issuing CA below it, and their keys."""

    root: x509.Certificate
    root_key: PrivateKey
    issuing: x509.Certificate
    key: PrivateKey
    issuer: IssuerIdentity
    now: datetime

    @property
    def chain(self) -> list[x509.Certificate]:
        return [self.issuing, self.root]

    def draft(
        self,
        profile: str | Profile = "client",
        *,
        subject: str = "CN=alice",
        names: Iterable[str] = (),
        key: PrivateKey | None = None,
        lifetime: timedelta | None = None,
    ) -> Draft:
        chosen = BUILT_IN[profile] if isinstance(profile, str) else profile
        public_key = (key or key_of()).public_key()
        holder = Holder(parse_subject(subject), parse_names(names), public_key)
        return draft_certificate(chosen, holder, issuer=self.issuer, serial=serial(), now=self.now, lifetime=lifetime)

    def issue(
        self,
        profile: str | Profile = "client",
        *,
        subject: str = "CN=alice",
        names: Iterable[str] = (),
        key: PrivateKey | None = None,
    ) -> x509.Certificate:
        return sign_draft(self.draft(profile, subject=subject, names=names, key=key), self.key)


def new_authority(kind: KeyKind = KeyKind.P256, *, now: datetime = NOW, urls: PublicationUrls = URLS) -> Authority:
    root_key, issuing_key = new_key(kind), new_key(kind)
    name = parse_subject(f"CN=Test Root {kind},O=Example")
    itself = self_issuer(name, root_key.public_key())
    root = sign_draft(_draft("root", name, root_key, itself, now), root_key)
    issuing_name = parse_subject(f"CN=Test Issuing CA {kind},O=Example")
    issuing = sign_draft(_draft("issuing", issuing_name, issuing_key, identity_of(root), now), root_key)
    return Authority(root, root_key, issuing, issuing_key, identity_of(issuing, urls), now)


def authority_of(kind: KeyKind = KeyKind.P256) -> Authority:
    """One authority with keys of each kind for the whole run."""
    return _authority_of(kind)


@cache
def _authority_of(kind: KeyKind) -> Authority:
    return new_authority(kind)


def _draft(profile: str, name: x509.Name, key: PrivateKey, issuer: IssuerIdentity, now: datetime) -> Draft:
    holder = Holder(name, (), key.public_key())
    return draft_certificate(BUILT_IN[profile], holder, issuer=issuer, serial=serial(), now=now)
