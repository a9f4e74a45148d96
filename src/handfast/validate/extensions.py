"""The extensions that path validation processes, decoded once and strictly (RFC 5280 section 4.2)."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from handfast.errors import Malformed
from handfast.validate.der import (
    BIT_STRING,
    BOOLEAN,
    INTEGER,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    SEQUENCE,
    boolean,
    content,
    dotted,
    identifier,
    integer,
    items,
    malformed,
)
from handfast.validate.general_names import GeneralName, general_name, general_names
from handfast.validate.memory import remembering
from handfast.validate.policy_extensions import (
    PolicyConstraints,
    inhibit_any_policy,
    policies,
    policy_constraints,
    policy_mappings,
)

KEY_USAGES = (
    "digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement", "keyCertSign",
    "cRLSign", "encipherOnly", "decipherOnly",
)  # fmt: skip


class Extension(NamedTuple):
    """One extension: whether it is critical, and the DER of its value."""

    critical: bool
    value: bytes


class BasicConstraints(NamedTuple):
    """Section 4.2.1.9."""

    is_ca: bool
    path_length: int | None


class AuthorityKeyIdentifier(NamedTuple):
    """Section 4.2.1.1; `names_issuer`: whether it has the issuer's name or serial number."""

    key: bytes | None
    names_issuer: bool


class Subtree(NamedTuple):
    """One subtree; `has_limits`: whether it has the minimum or maximum that section 4.2.1.10 does not allow."""

    base: GeneralName
    has_limits: bool


class NameConstraints(NamedTuple):
    """Section 4.2.1.10; None for a part that is left out."""

    permitted: tuple[Subtree, ...] | None
    excluded: tuple[Subtree, ...] | None


@remembering()
def basic_constraints(value: bytes) -> BasicConstraints:
    """BasicConstraints ::= SEQUENCE { cA BOOLEAN DEFAULT FALSE, pathLenConstraint INTEGER (0..MAX) OPTIONAL }."""
    parts = items(value, SEQUENCE)
    is_ca, path_length = False, None
    if parts and parts[0][0] == BOOLEAN:
        is_ca = boolean(parts.pop(0)[1])
    if parts and parts[0][0] == INTEGER:
        path_length = integer(parts.pop(0)[1])
    if parts or (path_length is not None and path_length < 0):
        raise malformed("it has more, or other things, than a CA mark and a path length")
    return BasicConstraints(is_ca, path_length)


@remembering()
def key_usage(value: bytes) -> frozenset[str]:
    """KeyUsage ::= BIT STRING, as the names of the bits that are set."""
    octets = content(value, BIT_STRING)
    if not octets or octets[0] > 7 or (len(octets) == 1 and octets[0]):
        raise malformed("it is not a string of bits")
    bits = "".join(f"{octet:08b}" for octet in octets[1:])
    return frozenset(name for name, bit in zip(KEY_USAGES, bits, strict=False) if bit == "1")


@remembering()
def extended_key_usage(value: bytes) -> frozenset[str]:
    """ExtKeyUsageSyntax ::= SEQUENCE SIZE (1..MAX) OF KeyPurposeId, in digits and dots."""
    parts = items(value, SEQUENCE)
    if not parts or any(tag != OBJECT_IDENTIFIER for tag, _, _ in parts):
        raise malformed("it is empty, or lists other things than purposes")
    return frozenset(dotted(octets) for _, octets, _ in parts)


def subject_key_identifier(value: bytes) -> bytes:
    """SubjectKeyIdentifier ::= OCTET STRING."""
    return content(value, OCTET_STRING)


@remembering()
def authority_key_identifier(value: bytes) -> AuthorityKeyIdentifier:
    """AuthorityKeyIdentifier ::= SEQUENCE { [0] keyIdentifier, [1] authorityCertIssuer, [2] serial }, each optional."""
    parts = {tag: octets for tag, octets, _ in items(value, SEQUENCE)}
    if parts.keys() - {0x80, 0xA1, 0x82} or (0xA1 in parts) != (0x82 in parts):
        raise malformed("it has other things than a key identifier, or an issuer without a serial number")
    return AuthorityKeyIdentifier(parts.get(0x80), 0xA1 in parts)


@remembering()
def name_constraints(value: bytes) -> NameConstraints:
    """NameConstraints ::= SEQUENCE { [0] permittedSubtrees OPTIONAL, [1] excludedSubtrees OPTIONAL }."""
    parts = {tag: whole for tag, _, whole in items(value, SEQUENCE)}
    if parts.keys() - {0xA0, 0xA1}:
        raise malformed("it has other things than permitted and excluded subtrees")
    permitted, excluded = parts.get(0xA0), parts.get(0xA1)
    return NameConstraints(
        None if permitted is None else tuple(_subtree(whole) for _, _, whole in items(permitted, 0xA0)),
        None if excluded is None else tuple(_subtree(whole) for _, _, whole in items(excluded, 0xA1)),
    )


def _subtree(whole: bytes) -> Subtree:
    base, *limits = items(whole, SEQUENCE) or [(0, b"", b"")]
    if any(tag not in {0x80, 0x81} for tag, _, _ in limits):
        raise malformed("a subtree has other things than a base, a minimum and a maximum")
    return Subtree(general_name(base[0], base[1], base[2], in_constraint=True), bool(limits))


def access_descriptions(value: bytes) -> tuple[tuple[str, GeneralName], ...]:
    """AuthorityInfoAccessSyntax ::= SEQUENCE SIZE (1..MAX) OF AccessDescription."""
    found = []
    for _, _, whole in items(value, SEQUENCE):
        parts = items(whole, SEQUENCE)
        if len(parts) != 2 or parts[0][0] != OBJECT_IDENTIFIER:
            raise malformed("an access description is not a method and a place")
        found.append((dotted(parts[0][1]), general_name(*parts[1])))
    if not found:
        raise malformed("it is empty")
    return tuple(found)


def distribution_points(value: bytes) -> bool:
    """CRLDistributionPoints ::= SEQUENCE SIZE (1..MAX) OF DistributionPoint; only their form is looked at here."""
    points = items(value, SEQUENCE)
    for _, _, whole in points:
        if any(tag not in {0xA0, 0x81, 0xA2} for tag, _, _ in items(whole, SEQUENCE)):
            raise malformed("a distribution point has other things than a name, reasons and a CRL issuer")
    if not points:
        raise malformed("it is empty")
    return True


_IDS: dict[str, tuple[str, Callable[[bytes], Any]]] = {
    "2.5.29.19": ("basic_constraints", basic_constraints),
    "2.5.29.15": ("key_usage", key_usage),
    "2.5.29.37": ("extended_key_usage", extended_key_usage),
    "2.5.29.17": ("names", remembering()(general_names)),
    "2.5.29.18": ("issuer_names", remembering()(general_names)),
    "2.5.29.14": ("subject_key_identifier", subject_key_identifier),
    "2.5.29.35": ("authority_key_identifier", authority_key_identifier),
    "2.5.29.30": ("name_constraints", name_constraints),
    "2.5.29.32": ("policies", policies),
    "2.5.29.33": ("policy_mappings", policy_mappings),
    "2.5.29.36": ("policy_constraints", policy_constraints),
    "2.5.29.54": ("inhibit_any_policy", inhibit_any_policy),
    "1.3.6.1.5.5.7.1.1": ("access", access_descriptions),
    "2.5.29.31": ("distribution_points", distribution_points),
    "2.5.29.46": ("freshest_crl", distribution_points),
}
DECODERS: Mapping[bytes, tuple[str, Callable[[bytes], Any]]] = {identifier(oid): entry for oid, entry in _IDS.items()}


class Decoded(NamedTuple):
    """What the extensions of one certificate say; None for what it does not have, or what cannot be read.

    unreadable: pairs of an extension's name and what is wrong with it. unknown_critical: OIDs in digits and dots.
    critical: the names of the extensions that are critical.
    """

    basic_constraints: BasicConstraints | None = None
    key_usage: frozenset[str] | None = None
    extended_key_usage: frozenset[str] | None = None
    names: tuple[GeneralName, ...] | None = None
    issuer_names: tuple[GeneralName, ...] | None = None
    subject_key_identifier: bytes | None = None
    authority_key_identifier: AuthorityKeyIdentifier | None = None
    name_constraints: NameConstraints | None = None
    policies: frozenset[str] | None = None
    policy_mappings: tuple[tuple[str, str], ...] | None = None
    policy_constraints: PolicyConstraints | None = None
    inhibit_any_policy: int | None = None
    access: tuple[tuple[str, GeneralName], ...] | None = None
    distribution_points: bool | None = None
    freshest_crl: bool | None = None
    unreadable: tuple[tuple[str, str], ...] = ()
    unknown_critical: tuple[str, ...] = ()
    critical: frozenset[str] = frozenset()


def decode(extensions: Mapping[bytes, Extension]) -> Decoded:
    """Decode what path validation processes; never raises."""
    found: dict[str, Any] = {}
    unreadable: list[tuple[str, str]] = []
    unknown: list[str] = []
    critical: list[str] = []
    for oid, extension in extensions.items():
        field, decoder = DECODERS.get(oid, _UNKNOWN)
        if extension.critical:
            (critical if field else unknown).append(field or _dotted(oid))
        if field:
            try:
                found[field] = decoder(extension.value)
            except Malformed as error:
                unreadable.append((field, error.message))
    return Decoded(**found, unreadable=tuple(unreadable), unknown_critical=tuple(unknown), critical=frozenset(critical))


def _dotted(oid: bytes) -> str:
    try:
        return dotted(oid)
    except Malformed:
        return oid.hex()


_UNKNOWN: tuple[str, Callable[[bytes], Any]] = ("", bool)


def title(field: str) -> str:
    """The RFC's name of an extension that Decoded has a field for: `key_usage` is keyUsage."""
    first, *rest = _TITLES.get(field, field).split("_")
    return first + "".join(word.capitalize() for word in rest)


_TITLES = {
    "names": "subject_alt_name",
    "issuer_names": "issuer_alt_name",
    "extended_key_usage": "ext_key_usage",
    "policies": "certificate_policies",
    "access": "authority_info_access",
    "distribution_points": "c_r_l_distribution_points",
    "freshest_crl": "freshest_c_r_l",
}
