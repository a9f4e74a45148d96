"""Profiles: what certificates of one kind may contain (RFC 5280 section 4.2; NIST SP 800-57 for the key kinds)."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any

from cryptography import x509

from handfast.errors import ConfigError, Malformed
from handfast.pki import oids
from handfast.pki.keys import KeyKind
from handfast.pki.lifetime import parse_lifetime
from handfast.pki.names import NameKind
from handfast.pki.nearest import nearest
from handfast.pki.oids import usage_name
from handfast.pki.subject import ATTRIBUTES


class KeyUsage(StrEnum):
    """The bits of RFC 5280 section 4.2.1.3, by their names there."""

    DIGITAL_SIGNATURE = "digitalSignature"
    CONTENT_COMMITMENT = "contentCommitment"
    KEY_ENCIPHERMENT = "keyEncipherment"
    DATA_ENCIPHERMENT = "dataEncipherment"
    KEY_AGREEMENT = "keyAgreement"
    KEY_CERT_SIGN = "keyCertSign"
    CRL_SIGN = "cRLSign"
    ENCIPHER_ONLY = "encipherOnly"
    DECIPHER_ONLY = "decipherOnly"


ALL_KEYS = frozenset(KeyKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A kind of certificate. Everything is refused that it does not allow: name kinds, subject attributes, keys.

    lifetime: what a certificate gets that asks for nothing, from the moment of issue; maximum_lifetime: the most.
    backdate: how long before the moment of issue it begins, for clocks that are behind.
    key_usage: what the key may do where its algorithm can: keyEncipherment falls away for all but RSA.
    required_names: at least one name of one of these kinds must be there; empty: no name is required.
    digest: of all the rest; kept with each certificate, it tells which version of the profile made it.
    """

    name: str
    title: str
    lifetime: timedelta
    maximum_lifetime: timedelta
    backdate: timedelta = timedelta(minutes=5)
    key_usage: frozenset[KeyUsage] = frozenset({KeyUsage.DIGITAL_SIGNATURE})
    extended_key_usage: tuple[x509.ObjectIdentifier, ...] = ()
    name_kinds: frozenset[NameKind] = frozenset()
    required_names: frozenset[NameKind] = frozenset()
    subject_attributes: frozenset[str] = frozenset({"CN", "O", "OU", "C", "ST", "L", "SERIALNUMBER"})
    key_kinds: frozenset[KeyKind] = ALL_KEYS
    is_ca: bool = False
    path_length: int | None = None
    allows_wildcards: bool = False
    is_self_signed: bool = False
    has_ocsp_no_check: bool = False
    digest: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", hashlib.sha256(self.snapshot().encode()).hexdigest())

    def __hash__(self) -> int:
        return hash(self.digest)

    @property
    def speaks_for_issuer(self) -> bool:
        """True when what its holder signs is believed as the CA's own: certificates, lists or OCSP answers."""
        return self.is_ca or oids.OCSP_SIGNING in self.extended_key_usage

    def snapshot(self) -> str:
        """All of the profile as canonical JSON: what the store keeps under the digest."""
        content = {one.name: _plain(getattr(self, one.name)) for one in fields(self) if one.name != "digest"}
        return json.dumps(content, sort_keys=True, separators=(",", ":"))


def _plain(value: object) -> object:
    for cls, plain in _PLAIN.items():
        if isinstance(value, cls):
            return plain(value)
    return value


_PLAIN: dict[type, Callable[[Any], object]] = {
    timedelta: lambda value: int(value.total_seconds()),
    frozenset: lambda value: sorted(str(one) for one in value),
    tuple: lambda value: [usage_name(one) for one in value],
}


_YEAR = timedelta(days=365)
_CA_USAGE = frozenset({KeyUsage.KEY_CERT_SIGN, KeyUsage.CRL_SIGN, KeyUsage.DIGITAL_SIGNATURE})
_PERSON = frozenset({"CN", "O", "OU", "C", "ST", "L", "SERIALNUMBER", "GN", "SN", "T", "UID", "PSEUDONYM", "EMAIL"})
_CA_SUBJECT = frozenset({"CN", "O", "OU", "C", "ST", "L", "SERIALNUMBER", "DC", "ORGANIZATIONIDENTIFIER"})
_HOSTS = frozenset({NameKind.DNS, NameKind.IP})
_MACHINES = _HOSTS | {NameKind.URI}

_PROFILES = (
    Profile(
        name="root",
        title="root CA: what everybody trusts; its key signs only CAs and their revocation list",
        lifetime=20 * _YEAR,
        maximum_lifetime=30 * _YEAR,
        key_usage=_CA_USAGE,
        subject_attributes=_CA_SUBJECT,
        is_ca=True,
        is_self_signed=True,
    ),
    Profile(
        # No EKU: an issuing CA that lists usages forbids, on Windows and Go, every usage that somebody adds later
        # in a profile of their own. Where it shall be narrow, a profile says so, and a check keeps leaves inside it.
        name="issuing",
        title="issuing CA: signs certificates, and no further CA",
        lifetime=10 * _YEAR,
        maximum_lifetime=20 * _YEAR,
        key_usage=_CA_USAGE,
        subject_attributes=_CA_SUBJECT,
        is_ca=True,
        path_length=0,
    ),
    Profile(
        # It ends with the sooner of the two roots, and has the name of one, whatever attributes that is made of.
        name="cross",
        title="cross certificate: a root certified by another one, while one replaces the other",
        lifetime=30 * _YEAR,
        maximum_lifetime=30 * _YEAR,
        key_usage=_CA_USAGE,
        subject_attributes=frozenset(ATTRIBUTES),
        is_ca=True,
    ),
    Profile(
        # 90 days: Mozilla's guideline for servers; 825: the most that Apple accepts from a private CA.
        name="server",
        title="server: proves a host name or address to clients",
        lifetime=timedelta(days=90),
        maximum_lifetime=timedelta(days=825),
        key_usage=frozenset({KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_ENCIPHERMENT}),
        extended_key_usage=(oids.SERVER_AUTH,),
        name_kinds=_MACHINES,
        required_names=_HOSTS,
        allows_wildcards=True,
    ),
    Profile(
        name="client",
        title="client: proves a person to servers",
        lifetime=_YEAR,
        maximum_lifetime=5 * _YEAR,
        extended_key_usage=(oids.CLIENT_AUTH,),
        name_kinds=frozenset({NameKind.EMAIL, NameKind.URI}),
        subject_attributes=_PERSON,
    ),
    Profile(
        # Ten years at most: what is built into a wall is renewed by whoever comes by.
        name="device",
        title="device: proves a machine to servers",
        lifetime=_YEAR,
        maximum_lifetime=10 * _YEAR,
        extended_key_usage=(oids.CLIENT_AUTH,),
        name_kinds=_MACHINES,
        subject_attributes=frozenset({"CN", "O", "OU", "C", "ST", "L", "SERIALNUMBER", "UID", "DC"}),
    ),
    Profile(
        name="peer",
        title="peer: a machine that is server and client at once, as the nodes of a cluster are",
        lifetime=timedelta(days=90),
        maximum_lifetime=timedelta(days=825),
        key_usage=frozenset({KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_ENCIPHERMENT}),
        extended_key_usage=(oids.SERVER_AUTH, oids.CLIENT_AUTH),
        name_kinds=_MACHINES,
        required_names=_MACHINES,
    ),
    Profile(
        # 825 days: S/MIME BR section 6.3.2, strict.
        name="email",
        title="e-mail (S/MIME): signs and decrypts mail",
        lifetime=2 * _YEAR,
        maximum_lifetime=timedelta(days=825),
        key_usage=frozenset({KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_ENCIPHERMENT, KeyUsage.KEY_AGREEMENT}),
        extended_key_usage=(oids.EMAIL_PROTECTION,),
        name_kinds=frozenset({NameKind.EMAIL}),
        required_names=frozenset({NameKind.EMAIL}),
        subject_attributes=_PERSON,
    ),
    Profile(
        # RFC 9336's usage, and the two that Adobe Reader and Windows ask for.
        name="document-signing",
        title="document signing: signs PDF and office documents",
        lifetime=2 * _YEAR,
        maximum_lifetime=5 * _YEAR,
        key_usage=frozenset({KeyUsage.DIGITAL_SIGNATURE, KeyUsage.CONTENT_COMMITMENT}),
        extended_key_usage=(
            oids.DOCUMENT_SIGNING,
            oids.ADOBE_AUTHENTIC_DOCUMENTS_TRUST,
            oids.MICROSOFT_DOCUMENT_SIGNING,
        ),
        name_kinds=frozenset({NameKind.EMAIL}),
        subject_attributes=_PERSON,
    ),
    Profile(
        # RFC 6960 section 4.2.2.2.1: nobody asks whether it is revoked, so it lives short.
        name="ocsp",
        title="OCSP responder: answers for the CA whether a certificate is revoked",
        lifetime=timedelta(days=30),
        maximum_lifetime=timedelta(days=90),
        extended_key_usage=(oids.OCSP_SIGNING,),
        subject_attributes=_CA_SUBJECT,
        has_ocsp_no_check=True,
    ),
    Profile(
        name="ra",
        title="registration authority: asks for certificates on behalf of others (RFC 6402)",
        lifetime=_YEAR,
        maximum_lifetime=5 * _YEAR,
        extended_key_usage=(oids.CLIENT_AUTH, oids.CMC_RA),
        name_kinds=_MACHINES,
        subject_attributes=_CA_SUBJECT,
    ),
)
BUILT_IN: Mapping[str, Profile] = {profile.name: profile for profile in _PROFILES}


def from_table(name: str, table: Mapping[str, object]) -> Profile:
    """A profile from `[profiles.NAME]` in handfast.toml: what it says, over the profile that `like` names.

    `like` is a built-in profile; without it, the built-in one of the same name, else `client`. Raises ConfigError.
    """
    rest = dict(table)
    like = rest.pop("like", name if name in BUILT_IN else "client")
    if not isinstance(like, str) or like not in BUILT_IN:
        raise _wrong(name, "like", f"there is no profile {like!r}", nearest(str(like), BUILT_IN))
    changes: dict[str, Any] = {"name": name, "title": f"{name}: as {like}, changed in handfast.toml"}
    for key, value in rest.items():
        if key not in _KEYS:
            raise _wrong(name, key, "there is no such setting", nearest(key, ["like", *_KEYS]))
        attribute, parse = _KEYS[key]
        try:
            changes[attribute] = parse(value)
        except Malformed as malformed:
            raise _wrong(name, key, malformed.message, malformed.hint) from None
    profile = replace(BUILT_IN[like], **changes)
    _require_consistent(profile)
    return profile


def _require_consistent(profile: Profile) -> None:
    if profile.lifetime > profile.maximum_lifetime:
        raise _wrong(profile.name, "lifetime", "it is longer than maximum_lifetime", "raise maximum_lifetime")
    if not profile.required_names <= profile.name_kinds:
        raise _wrong(profile.name, "required_names", "a kind is required that names does not allow", "add it to names")
    if not profile.key_kinds:
        raise _wrong(profile.name, "keys", "no kind of key is allowed", f"name some of {', '.join(KeyKind)}")
    if not profile.is_ca and profile.key_usage & {KeyUsage.KEY_CERT_SIGN, KeyUsage.CRL_SIGN}:
        raise _wrong(profile.name, "key_usage", "only a CA signs certificates and CRLs", 'use like = "issuing"')
    if not profile.is_ca and not profile.extended_key_usage:
        raise _wrong(profile.name, "extended_key_usage", "it is empty: the key could be used for anything", "name one")


def _wrong(name: str, key: str, message: str, hint: str) -> ConfigError:
    return ConfigError(f"profiles.{name}.{key}: {message}", hint=hint)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value or len(value) > 200 or not value.isprintable():
        raise Malformed("a text is wanted", hint='write it in quotes: "..."')
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise Malformed("true or false is wanted", hint="write true or false, without quotes")
    return value


def _length(value: object) -> timedelta:
    return parse_lifetime(_text(value))


def _path_length(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 8:
        raise Malformed("a number from 0 to 8 is wanted", hint="0: it signs no further CA")
    return value


def _texts(value: object) -> list[str]:
    if not isinstance(value, list | tuple):
        raise Malformed("a list is wanted", hint='write it in brackets: ["...", "..."]')
    return [_text(one) for one in value]


def _several(known: Iterable[str]) -> Callable[[object], frozenset[str]]:
    words = {str(word).lower(): word for word in known}

    def parse(value: object) -> frozenset[str]:
        texts = _texts(value)
        for text in texts:
            if text.lower() not in words:
                raise Malformed(f"{text!r} is not known", hint=nearest(text, words.values()))
        return frozenset(words[text.lower()] for text in texts)

    return parse


def _usages(value: object) -> tuple[x509.ObjectIdentifier, ...]:
    known = {name.lower(): oid for name, oid in oids.EXTENDED_KEY_USAGES.items()}
    found = []
    for text in _texts(value):
        try:
            found.append(known.get(text.lower()) or x509.ObjectIdentifier(text))
        except ValueError:
            hint = f"{nearest(text, oids.EXTENDED_KEY_USAGES)} or write its OID in dots"
            raise Malformed(f"{text!r} is not known", hint=hint) from None
    return tuple(dict.fromkeys(found))


_KEYS: Mapping[str, tuple[str, Callable[[object], object]]] = {
    "title": ("title", _text),
    "lifetime": ("lifetime", _length),
    "maximum_lifetime": ("maximum_lifetime", _length),
    "backdate": ("backdate", _length),
    "key_usage": ("key_usage", _several(KeyUsage)),
    "extended_key_usage": ("extended_key_usage", _usages),
    "names": ("name_kinds", _several(NameKind)),
    "required_names": ("required_names", _several(NameKind)),
    "subject": ("subject_attributes", _several(ATTRIBUTES)),
    "keys": ("key_kinds", _several(KeyKind)),
    "path_length": ("path_length", _path_length),
    "wildcards": ("allows_wildcards", _flag),
}
