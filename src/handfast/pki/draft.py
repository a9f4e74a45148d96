"""Draft: a TBSCertificate that is decided, and not signed (RFC 5280 section 4.1)."""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import AuthorityInformationAccessOID

from handfast.errors import ConfigError, Malformed, Unacceptable
from handfast.findings import Finding, Severity
from handfast.pki.issuer_identity import IssuerIdentity
from handfast.pki.keys import KeyKind, PrivateKey, PublicKey, hash_for, key_identifier, kind_of
from handfast.pki.lifetime import format_lifetime
from handfast.pki.names import Name, from_general_names
from handfast.pki.profile import KeyUsage, Profile
from handfast.pki.signing import sign, signature_algorithm
from handfast.pki.tbs import encoded_certificate, to_be_signed

CODES = {
    "lifetime-too-long": "the lifetime asked for is longer than the profile's or the issuer's",
}

_ExtensionType = TypeVar("_ExtensionType", bound=x509.ExtensionType)
_Extension = x509.Extension[x509.ExtensionType]
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom a certificate is for: what was granted, never what was merely asked for.

    identity: of a CA that is one already: its key identifier stays, and the certificate does not outlive it.
    """

    subject: x509.Name
    names: tuple[Name, ...]
    public_key: PublicKey
    identity: IssuerIdentity | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Everything of a TBSCertificate. not_before and not_after are aware UTC, whole seconds, both inclusive.

    signature_hash: None for algorithms that bring their own, and for one that is not known (has_known_signature).
    shard: of its issuer's CRLs, 0 when they are not divided or it points to none.
    attributes: those of the subject, in its order.
    profile and issuer: None for a draft read back from a certificate whose profile or issuer is not known.
    """

    serial: int
    issuer_name: x509.Name
    subject: x509.Name
    not_before: datetime
    not_after: datetime
    public_key: PublicKey
    extensions: tuple[_Extension, ...]
    signature_hash: hashes.HashAlgorithm | None
    has_known_signature: bool = True
    version: x509.Version = x509.Version.v3
    names: tuple[Name, ...] = ()
    profile: Profile | None = None
    issuer: IssuerIdentity | None = None
    shard: int = 0
    attributes: tuple[x509.NameAttribute[str | bytes], ...] = field(init=False, repr=False, compare=False)
    _by_type: dict[type, _Extension] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "attributes", tuple(self.subject))
        object.__setattr__(self, "_by_type", {type(one.value): one for one in self.extensions})

    @property
    def is_ca(self) -> bool:
        """True when basicConstraints say so."""
        constraints = self.find(x509.BasicConstraints)
        return constraints is not None and constraints.value.ca

    def find(self, cls: type[_ExtensionType]) -> x509.Extension[_ExtensionType] | None:
        """The extension of that kind, with its criticality, or None."""
        return self._by_type.get(cls)  # type: ignore[return-value]  # the table's key is the type of the value

    def unsigned(self) -> x509.Certificate:
        """The certificate without a signature (RFC 9925), for a linter to read."""
        return self.builder().create_unsigned()

    def builder(self) -> x509.CertificateBuilder:
        """The builder from which the unsigned certificate comes; what sign_draft() signs are the same bytes."""
        # The constructor takes what the setters of the builder would store: eleven copies fewer.
        return x509.CertificateBuilder(
            self.issuer_name,
            self.subject,
            self.public_key,
            self.serial,
            self.not_before.replace(tzinfo=None),
            self.not_after.replace(tzinfo=None),
            list(self.extensions),
        )


def draft_certificate(
    profile: Profile,
    holder: Holder,
    *,
    issuer: IssuerIdentity,
    serial: int,
    now: datetime,
    lifetime: timedelta | None = None,
) -> Draft:
    """Decide a certificate. It ends with its issuer when its lifetime would be longer.

    serial: 159 random bits, positive. now: aware. lifetime: from now on; None for the profile's.
    Raises Unacceptable for a lifetime over the profile's maximum, ConfigError for an issuer that has expired. Does not
    ask whether the key is strong and whether the profile allows it all: handfast.checks.certificate does.
    """
    not_before, not_after = _validity(profile, issuer, now=now, lifetime=lifetime)
    if holder.identity is not None and holder.identity.not_after is not None:
        not_after = min(not_after, holder.identity.not_after)
    kind = kind_of(holder.public_key)
    shard = issuer.urls.shard_of(serial) if _has_crl_pointer(profile, issuer) else 0
    first, last = _fixed_extensions(profile, issuer, kind, shard)
    extensions = [*first, _extension(x509.SubjectKeyIdentifier(_key_id(profile, holder, issuer)))]
    if holder.names:
        names = x509.SubjectAlternativeName([name.to_general_name() for name in holder.names])
        extensions.append(_extension(names, critical=not holder.subject.rdns))
    return Draft(
        serial=serial,
        issuer_name=issuer.subject,
        subject=holder.subject,
        not_before=not_before,
        not_after=not_after,
        public_key=holder.public_key,
        extensions=(*extensions, *last),
        signature_hash=hash_for(issuer.public_key),
        names=holder.names,
        profile=profile,
        issuer=issuer,
        shard=shard,
    )


def sign_draft(draft: Draft, issuer_key: PrivateKey) -> x509.Certificate:
    """The certificate of sign_to_der()."""
    return x509.load_der_x509_certificate(sign_to_der(draft, issuer_key))


def sign_to_der(draft: Draft, issuer_key: PrivateKey) -> bytes:
    """Sign what was decided; the certificate in DER. Raises ConfigError when the key is not that of the draft's issuer.

    Does not run the checks: whoever signs has run them (law 4).
    """
    if draft.issuer is not None and not _belongs(issuer_key, draft.issuer):
        msg = "the key of the issuing CA does not belong to its certificate"
        raise ConfigError(msg, hint="restore the key that belongs to the certificate, or make a new issuing CA")
    algorithm = signature_algorithm(issuer_key)
    body = to_be_signed(draft, algorithm)
    return encoded_certificate(body, algorithm, sign(issuer_key, body))


# As long as a signature takes, and the same for all certificates of an issuer.
@lru_cache(maxsize=16)
def _belongs(key: PrivateKey, issuer: IssuerIdentity) -> bool:
    return key.public_key() == issuer.public_key


def draft_of(certificate: x509.Certificate, issuer: IssuerIdentity | None = None) -> Draft:
    """A certificate that exists already, as a draft: the same checks look at it.

    Its profile is not known. Names that are misspelled, or of another kind, stand in the extension alone.
    """
    extensions = tuple(certificate.extensions)
    try:
        algorithm, is_known = certificate.signature_hash_algorithm, True
    except UnsupportedAlgorithm:
        algorithm, is_known = None, False
    return Draft(
        serial=certificate.serial_number,
        issuer_name=certificate.issuer,
        subject=certificate.subject,
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        public_key=certificate.public_key(),
        extensions=extensions,
        signature_hash=algorithm,
        has_known_signature=is_known,
        version=certificate.version,
        names=_readable_names(extensions),
        issuer=issuer,
    )


def _readable_names(extensions: tuple[_Extension, ...]) -> tuple[Name, ...]:
    """The names that handfast would certify; what is wrong with the others is for a check to say."""
    found: list[Name] = []
    for extension in extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            for general_name in extension.value:
                with suppress(Malformed):
                    found += from_general_names([general_name])
    return tuple(dict.fromkeys(found))


def _validity(
    profile: Profile, issuer: IssuerIdentity, *, now: datetime, lifetime: timedelta | None
) -> tuple[datetime, datetime]:
    now = now.astimezone(UTC).replace(microsecond=0)
    lifetime = lifetime or profile.lifetime
    if lifetime > profile.maximum_lifetime:
        most = format_lifetime(profile.maximum_lifetime)
        msg = f"a lifetime of {format_lifetime(lifetime)} is over the {most} that the profile {profile.name} allows"
        fix = f"ask for at most {most}, or raise maximum_lifetime in the profile"
        finding = Finding("lifetime-too-long", Severity.ERROR, msg, fix, "profile")
        raise Unacceptable(msg, hint=fix, findings=(finding,))
    # notAfter is inclusive (RFC 5280 section 4.1.2.5).
    not_before, not_after = now - profile.backdate, now + lifetime - _SECOND
    if issuer.not_before is None or issuer.not_after is None:
        return not_before, not_after
    if issuer.not_after <= now:
        msg = f"the issuing CA expired on {issuer.not_after:%Y-%m-%d}: nothing that it signs would be valid"
        raise ConfigError(msg, hint="make a new issuing CA")
    return max(not_before, issuer.not_before), min(not_after, issuer.not_after)


def _key_id(profile: Profile, holder: Holder, issuer: IssuerIdentity) -> bytes:
    if profile.is_self_signed:
        return issuer.key_id
    return holder.identity.key_id if holder.identity is not None else key_identifier(holder.public_key)


def _extension(value: x509.ExtensionType, *, critical: bool = False) -> _Extension:
    return x509.Extension(value.oid, critical, value)


@lru_cache(maxsize=4096)
def _fixed_extensions(
    profile: Profile, issuer: IssuerIdentity, kind: KeyKind | None, shard: int
) -> tuple[tuple[_Extension, ...], tuple[_Extension, ...]]:
    """What all certificates of a profile, an issuer and a kind of key have in common: before and after the names."""
    first = [
        _extension(x509.BasicConstraints(profile.is_ca, _path_length(profile, issuer)), critical=True),
        _extension(_key_usage(profile.key_usage, kind), critical=True),
    ]
    if profile.extended_key_usage:
        first.append(_extension(x509.ExtendedKeyUsage(profile.extended_key_usage)))
    first.append(_extension(x509.AuthorityKeyIdentifier(issuer.key_id, None, None)))
    return tuple(first), tuple(_pointers(profile, issuer, shard))


def _path_length(profile: Profile, issuer: IssuerIdentity) -> int | None:
    if not profile.is_ca or issuer.path_length is None:
        return profile.path_length
    below = max(issuer.path_length - 1, 0)
    return below if profile.path_length is None else min(profile.path_length, below)


def _has_crl_pointer(profile: Profile, issuer: IssuerIdentity) -> bool:
    return bool(issuer.urls.crl) and not profile.is_self_signed and not profile.has_ocsp_no_check


def _pointers(profile: Profile, issuer: IssuerIdentity, shard: int) -> list[_Extension]:
    if profile.is_self_signed:
        return []
    urls = issuer.urls
    found: list[_Extension] = []
    if _has_crl_pointer(profile, issuer):
        locations = [x509.UniformResourceIdentifier(url) for url in urls.crl_of(shard)]
        points = [x509.DistributionPoint([location], None, None, None) for location in locations]
        found.append(_extension(x509.CRLDistributionPoints(points)))
    ocsp = () if profile.has_ocsp_no_check else urls.ocsp
    access = [(AuthorityInformationAccessOID.OCSP, url) for url in ocsp]
    access += [(AuthorityInformationAccessOID.CA_ISSUERS, url) for url in urls.ca_issuers]
    if access:
        descriptions = [x509.AccessDescription(oid, x509.UniformResourceIdentifier(url)) for oid, url in access]
        found.append(_extension(x509.AuthorityInformationAccess(descriptions)))
    if profile.has_ocsp_no_check:
        found.append(_extension(x509.OCSPNoCheck()))
    return found


def _key_usage(usages: frozenset[KeyUsage], kind: KeyKind | None) -> x509.KeyUsage:
    """The bits that an algorithm can do: only RSA enciphers keys, only ECDH agrees on them (RFC 8410, RFC 9881)."""
    if kind not in _RSA:
        usages -= {KeyUsage.KEY_ENCIPHERMENT, KeyUsage.DATA_ENCIPHERMENT}
    if kind not in _ELLIPTIC:
        usages -= {KeyUsage.KEY_AGREEMENT, KeyUsage.ENCIPHER_ONLY, KeyUsage.DECIPHER_ONLY}
    return x509.KeyUsage(*(usage in usages for usage in KeyUsage))


_RSA = frozenset({KeyKind.RSA2048, KeyKind.RSA3072, KeyKind.RSA4096})
_ELLIPTIC = frozenset({KeyKind.P256, KeyKind.P384, KeyKind.P521})
