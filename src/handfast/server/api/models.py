"""What the API is asked, as models: every field is bounded, and what is not known is refused (pydantic)."""

from datetime import timedelta
from typing import Annotated

from cryptography import x509
from fastapi import Path
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from handfast.ca.name_patterns import parse_pattern
from handfast.ca.office import LONGEST_TOKEN
from handfast.ca.policy import RequesterRole
from handfast.ca.records import REVOCATION_REASONS, Reason, State
from handfast.ca.requesters import NAME_HINT, is_name
from handfast.ca.tokens import names_of
from handfast.pki.csr import CertificateRequest
from handfast.pki.keys import KeyKind
from handfast.pki.lifetime import parse_lifetime
from handfast.pki.names import Name, parse_name, parse_names
from handfast.pki.pkcs12 import Flavour
from handfast.pki.subject import parse_subject
from handfast.server.api.fields import Certificate, Csr, Pem, each, own

Text = Annotated[str, StringConstraints(max_length=1000)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Lifetime = Annotated[str, StringConstraints(min_length=2, max_length=20)]
# Serials and fingerprints in hexadecimal.
Which = Annotated[str, Path(min_length=1, max_length=100, pattern=r"^(0[xX])?[0-9A-Fa-f:]*[0-9A-Fa-f]$")]


# Names of requesters, ids of tokens and of requests that wait.
Identifier = Annotated[str, Path(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9._@-]+$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Row(_Model):
    """A row of a bulk issue. batch: 128 random bits that the requester made, in hexadecimal; name: unique in it."""

    batch: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
    name: Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Wanted(_Model):
    """A certificate that is wanted. names: dns:, ip:, email: or uri: before each, where it is not plain which it is."""

    profile: Word
    names: Annotated[list[Text], Field(max_length=200)] | None = Field(
        None, description="Those of the CSR, when this is left out; [] is none at all."
    )
    subject: Text | None = Field(None, description="As CN=alice,O=Example; that of the CSR, when there is one.")
    lifetime: Lifetime | None = Field(None, description="As 90d; the profile's, when it is left out.")
    issuer: Word | None = None
    csr: Csr | None = Field(None, description="PKCS#10 in PEM. Without it, a key is made and answered.")
    row: Row | None = Field(
        None, description="Of a bulk issue: asked again, with the same key, it is answered the same."
    )
    key: KeyKind = Field(KeyKind.P256, description="The kind of key that is made when there is no CSR.")

    @field_validator("names")
    @classmethod
    def _names(cls, value: list[str] | None) -> list[str] | None:
        if value is None:
            return None
        each(parse_name, value)
        return list(own(lambda: [str(name) for name in parse_names(value)]))

    @field_validator("subject")
    @classmethod
    def _subject(cls, value: str | None) -> str | None:
        own(lambda: value is None or parse_subject(value))
        return value

    @field_validator("lifetime")
    @classmethod
    def _lifetime(cls, value: str | None) -> str | None:
        own(lambda: lifetime_of(value))
        return value

    @model_validator(mode="after")
    def _something(self) -> "Wanted":
        if self.csr is None and not self.names and self.subject is None:
            raise ValueError("give names, a subject or a csr: nothing says whose certificate it shall be")
        return self

    def names_or(self, csr: CertificateRequest | None) -> tuple[Name, ...]:
        """The names that are asked for; those of the CSR when nothing is said of them."""
        return parse_names(self.names or ()) if self.names is not None or csr is None else csr.names

    def subject_or(self, csr: CertificateRequest | None) -> x509.Name:
        """The subject that is asked for; that of the CSR, or the first name's, when none is."""
        if self.subject is not None:
            return parse_subject(self.subject)
        if csr is not None:
            return csr.subject
        common = parse_names(self.names or ())[0].value
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common)] if len(common) <= 64 else [])


class Listed(_Model):
    """Which certificates, and from where on."""

    state: State | None = None
    profile: Word | None = None
    issuer: Word | None = None
    text: Annotated[str, StringConstraints(max_length=200)] | None = Field(None, description="How a word in it begins.")
    expires_within: Lifetime | None = Field(None, description="As 30d: valid, and over by then.")
    means: Annotated[str, StringConstraints(min_length=1, max_length=300)] | None = Field(
        None, description="A serial, the beginning of a fingerprint, or a whole name: all that it may mean, with PEM."
    )
    cursor: Annotated[int, Field(ge=1, le=2**62)] | None = Field(None, description="From the page before.")
    limit: Annotated[int, Field(ge=1, le=200)] = 50

    @field_validator("expires_within")
    @classmethod
    def _within(cls, value: str | None) -> str | None:
        own(lambda: lifetime_of(value))
        return value


class Renewal(_Model):
    """The next certificate for the same key."""

    lifetime: Lifetime | None = None

    @field_validator("lifetime")
    @classmethod
    def _lifetime(cls, value: str | None) -> str | None:
        own(lambda: lifetime_of(value))
        return value


class Rekey(Renewal):
    """The next certificate for another key."""

    csr: Csr


class Revocation(_Model):
    """Why a certificate is revoked (RFC 5280 section 5.3.1)."""

    reason: str = Reason.UNSPECIFIED.value

    @field_validator("reason")
    @classmethod
    def _reason(cls, value: str) -> str:
        spelled = value.lower().replace("-", "").replace("_", "")
        for reason in REVOCATION_REASONS:
            if reason.value.lower() == spelled:
                return reason.value
        raise ValueError(f"must be one of {', '.join(reason.value for reason in REVOCATION_REASONS)}")


class Bundle(_Model):
    """The key that goes into a PKCS#12 file, in PEM and not encrypted, and the file's password."""

    key: Pem
    password: Annotated[str, StringConstraints(min_length=8, max_length=200)] | None = None
    flavour: Flavour = Flavour.MODERN


class NewRequester(_Model):
    """Somebody who may ask. profiles, patterns: null for all. certificate: in PEM, a credential. secret: make one."""

    name: Word
    role: RequesterRole
    profiles: Annotated[list[Word], Field(max_length=100)] | None = []
    patterns: Annotated[list[Text], Field(max_length=200)] | None = []
    certificate: Certificate | None = None
    secret: bool = False

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        if not is_name(value):
            raise ValueError(f"cannot be the name of a requester; {NAME_HINT}")
        return value

    @field_validator("patterns")
    @classmethod
    def _patterns(cls, value: list[str] | None) -> list[str] | None:
        each(parse_pattern, value or [])
        return value


class NewCredential(_Model):
    """Another proof of who a requester is."""

    certificate: Certificate | None = None
    secret: bool = False


class NewToken(_Model):
    """A one-time token for one certificate with these names."""

    profile: Word
    names: Annotated[list[Text], Field(min_length=1, max_length=50)]
    lifetime: Lifetime = "1d"

    @field_validator("names")
    @classmethod
    def _names(cls, value: list[str]) -> list[str]:
        each(lambda word: names_of([word]), value)
        return value

    @field_validator("lifetime")
    @classmethod
    def _lifetime(cls, value: str) -> str:
        if not timedelta() < own(lambda: parse_lifetime(value)) <= LONGEST_TOKEN:
            raise ValueError(f"a token lives {LONGEST_TOKEN.days} days at most")
        return value


class Serials(_Model):
    """Certificates of one issuer, by their serial numbers in hexadecimal."""

    serials: Annotated[list[Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{1,40}$")]], Field(max_length=256)]


class Rejection(_Model):
    """Why a request is rejected; the requester is told."""

    reason: Annotated[str, StringConstraints(max_length=500)] = ""


def lifetime_of(text: str | None) -> timedelta | None:
    """The length of time. Raises Malformed."""
    return parse_lifetime(text) if text is not None else None
