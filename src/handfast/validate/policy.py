"""What is asked of a chain: level, purpose, names, policies, pins, revocation and budgets (RFC 5280 section 6.1.1)."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from cryptography import x509

from handfast.errors import ConfigError
from handfast.pki import oids
from handfast.pki.names import Name
from handfast.validate.levels import Level
from handfast.validate.revocation.facts import RevocationMode, RevocationPolicy

ANY_POLICY = "2.5.29.32.0"


@dataclass(frozen=True, slots=True)
class Purpose:
    """What the leaf's key is used for: an extended key usage, and the key usages of which one is needed.

    No extended_key_usages: every certificate will do. `is_tls` and `is_server` add what is asked of TLS peers.
    """

    name: str
    extended_key_usages: tuple[str, ...] = ()
    key_usages: tuple[str, ...] = ()
    accepts_any: bool = True
    requires_extended_key_usage: bool = False
    is_tls: bool = False
    is_server: bool = False


PURPOSES = {
    purpose.name: purpose
    for purpose in (
        Purpose("any"),
        Purpose("client", (oids.CLIENT_AUTH.dotted_string,), ("digitalSignature", "keyAgreement"), is_tls=True),
        Purpose(
            "server",
            (oids.SERVER_AUTH.dotted_string,),
            ("digitalSignature", "keyEncipherment", "keyAgreement"),
            is_tls=True,
            is_server=True,
        ),
        Purpose(
            "email",
            (oids.EMAIL_PROTECTION.dotted_string,),
            ("digitalSignature", "nonRepudiation", "keyEncipherment", "keyAgreement"),
        ),
        Purpose(
            "document-signing",
            (oids.DOCUMENT_SIGNING.dotted_string, oids.MICROSOFT_DOCUMENT_SIGNING.dotted_string),
            ("digitalSignature", "nonRepudiation"),
        ),
        Purpose(
            "ocsp",
            (oids.OCSP_SIGNING.dotted_string,),
            ("digitalSignature", "nonRepudiation"),
            accepts_any=False,
            requires_extended_key_usage=True,
        ),
    )
}
ANY, CLIENT, SERVER = PURPOSES["any"], PURPOSES["client"], PURPOSES["server"]


def purpose_named(text: str) -> Purpose:
    """`client`, `server`, `email`, `document-signing`, `ocsp`, `any`, an RFC's name or an OID. Raises ConfigError."""
    if text in PURPOSES:
        return PURPOSES[text]
    known = oids.EXTENDED_KEY_USAGES.get(text)
    if known is None:
        try:
            known = x509.ObjectIdentifier(text)
        except ValueError as error:
            msg = f"no purpose is called '{text}'"
            hint = f"use one of {', '.join(PURPOSES)}, or the OID of an extended key usage"
            raise ConfigError(msg, hint=hint) from error
    return Purpose(text, (known.dotted_string,), accepts_any=False)


@dataclass(frozen=True, slots=True)
class Budget:
    """The most work that one validation may do, so that no input takes longer than a second.

    octets_sent: intermediates beyond it are not read. octets_examined: of all paths together that were examined.
    """

    signatures: int = 128
    paths: int = 64
    name_comparisons: int = 1 << 16
    policy_nodes: int = 1 << 12
    candidates: int = 4096
    octets_sent: int = 3 << 16
    octets_examined: int = 1 << 19


@dataclass(frozen=True, slots=True)
class Policy:
    """What is asked of a chain. The default is the strict level, any purpose and any name.

    names: the peer must have one of them. directory_name: the subject it must have. max_intermediates: the most CA
    certificates between leaf and anchor that are not self-issued. policies: the acceptable certificate policies, None
    for any. pins: SHA-256 of the SubjectPublicKeyInfo of a certificate that the path must contain.
    """

    level: Level = Level.STRICT
    purpose: Purpose = ANY
    names: tuple[Name, ...] = ()
    directory_name: x509.Name | None = None
    max_intermediates: int = 8
    policies: frozenset[str] | None = None
    require_explicit_policy: bool = False
    inhibit_policy_mapping: bool = False
    inhibit_any_policy: bool = False
    pins: frozenset[bytes] = frozenset()
    revocation: RevocationPolicy = field(default_factory=lambda: RevocationPolicy(mode=RevocationMode.NONE))
    budget: Budget = Budget()


def policies(oid_texts: Iterable[str]) -> frozenset[str] | None:
    """The acceptable policies as Policy takes them: None when anyPolicy is among them."""
    chosen = frozenset(oid_texts)
    return None if ANY_POLICY in chosen else chosen
