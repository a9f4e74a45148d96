"""Who signs, as far as what it signs depends on it: name, key, bounds, publication URLs (RFC 5280 section 4.2)."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TypeVar

from cryptography import x509

from handfast.pki.keys import PublicKey, key_identifier

_ExtensionType = TypeVar("_ExtensionType", bound=x509.ExtensionType)


@dataclass(frozen=True, slots=True)
class PublicationUrls:
    """Where an issuer publishes; each list may be empty.

    delta: of the delta CRL. shards: into how many CRLs its certificates are divided from now on; 0: not at all.
    """

    crl: tuple[str, ...] = ()
    ocsp: tuple[str, ...] = ()
    ca_issuers: tuple[str, ...] = ()
    delta: tuple[str, ...] = ()
    shards: int = 0

    def shard_of(self, serial: int) -> int:
        """The shard of a certificate that is issued now, from 1 on: serials are random, so all fill alike."""
        return serial % self.shards + 1 if self.shards else 0

    def crl_of(self, shard: int) -> tuple[str, ...]:
        """The URLs of a shard's CRL, `-SHARD` before `.crl`; those of all certificates for 0."""
        return tuple(url.removesuffix(".crl") + f"-{shard}.crl" for url in self.crl) if shard else self.crl


@dataclass(frozen=True, eq=False, kw_only=True)
class IssuerIdentity:
    """A CA without its private key. Compared by identity: make one per issuer, what is derived from it is cached.

    key_id: its subjectKeyIdentifier. not_before, not_after (aware UTC): nothing that it signs lives outside of them.
    path_length: how many CAs may stand below it; extended_key_usage: what leaves may be for; None: no limit.
    certificate: None while a self-signed one is being made; then the bounds are None too.
    """

    subject: x509.Name
    public_key: PublicKey
    key_id: bytes
    certificate: x509.Certificate | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None
    path_length: int | None = None
    extended_key_usage: frozenset[x509.ObjectIdentifier] | None = None
    urls: PublicationUrls = PublicationUrls()

    @cached_property
    def encoded_subject(self) -> bytes:
        """The subject in DER, as it stands in each certificate that it issues."""
        return self.subject.public_bytes()


def identity_of(certificate: x509.Certificate, urls: PublicationUrls | None = None) -> IssuerIdentity:
    """The identity of a CA that has a certificate."""
    key_id = extension_of(certificate, x509.SubjectKeyIdentifier)
    constraints = extension_of(certificate, x509.BasicConstraints)
    usage = extension_of(certificate, x509.ExtendedKeyUsage)
    public_key = certificate.public_key()
    return IssuerIdentity(
        subject=certificate.subject,
        public_key=public_key,
        key_id=key_id.digest if key_id else key_identifier(public_key),
        certificate=certificate,
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        path_length=constraints.path_length if constraints else None,
        extended_key_usage=frozenset(usage) if usage else None,
        urls=urls or PublicationUrls(),
    )


def self_issuer(subject: x509.Name, public_key: PublicKey) -> IssuerIdentity:
    """The identity with which a root signs itself."""
    return IssuerIdentity(subject=subject, public_key=public_key, key_id=key_identifier(public_key))


def extension_of(certificate: x509.Certificate, cls: type[_ExtensionType]) -> _ExtensionType | None:
    """The value of an extension, or None when the certificate has none of that kind."""
    for extension in certificate.extensions:
        if isinstance(extension.value, cls):
            return extension.value
    return None
