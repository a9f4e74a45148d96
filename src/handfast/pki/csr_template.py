"""What a client is told to ask for: attributes and a template of its request (RFC 8951 section 4, RFC 9908)."""

from dataclasses import dataclass

from cryptography import x509

from handfast.pki import der
from handfast.pki.csr_attributes import CHALLENGE_PASSWORD, attribute, extension_request
from handfast.pki.keys import KeyKind
from handfast.pki.names import Name
from handfast.pki.profile import Profile

REQUEST_TEMPLATE = "1.2.840.113549.1.9.16.2.61"
EXTENSION_TEMPLATE = "1.2.840.113549.1.9.16.2.62"
_COMMON_NAME = "2.5.4.3"
_EXTENDED_KEY_USAGE, _ALTERNATIVE_NAME = "2.5.29.37", "2.5.29.17"
_EC, _RSA = "1.2.840.10045.2.1", "1.2.840.113549.1.1.1"
_CURVES = {KeyKind.P256: "1.2.840.10045.3.1.7", KeyKind.P384: "1.3.132.0.34", KeyKind.P521: "1.3.132.0.35"}
_RSA_BITS = {KeyKind.RSA2048: 2048, KeyKind.RSA3072: 3072, KeyKind.RSA4096: 4096}
_PLAIN = {
    KeyKind.ED25519: "1.3.101.112",
    KeyKind.ML_DSA_44: "2.16.840.1.101.3.4.3.17",
    KeyKind.ML_DSA_65: "2.16.840.1.101.3.4.3.18",
    KeyKind.ML_DSA_87: "2.16.840.1.101.3.4.3.19",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What to ask for. common_name, names: those that the certificate will have; empty when that is for the client."""

    profile: Profile
    common_name: str = ""
    names: tuple[Name, ...] = ()
    has_challenge: bool = False

    @property
    def kind(self) -> KeyKind:
        """The best kind of key that the profile allows: P-256, which every device can make, before all others."""
        kinds = self.profile.key_kinds
        return KeyKind.P256 if KeyKind.P256 in kinds else next(kind for kind in KeyKind if kind in kinds)


def csr_attributes(asking: Asking, *, has_template: bool) -> bytes:
    """The CsrAttrs in DER."""
    parts = [der.object_identifier(CHALLENGE_PASSWORD)] if asking.has_challenge else []
    parts.append(_key_attribute(asking.kind))
    known = [(dotted, value) for dotted, value in _extensions(asking) if value is not None]
    if known:
        parts.append(extension_request(known))
    if has_template:
        parts.append(attribute(REQUEST_TEMPLATE, _template(asking)))
    return der.sequence(parts)


def _key_attribute(kind: KeyKind) -> bytes:
    if kind in _CURVES:
        return attribute(_EC, der.object_identifier(_CURVES[kind]))
    if kind in _RSA_BITS:
        return attribute(_RSA, der.integer(_RSA_BITS[kind]))
    return der.object_identifier(_PLAIN[kind])


def _algorithm(kind: KeyKind) -> bytes:
    if kind in _CURVES:
        return der.sequence([der.object_identifier(_EC), der.object_identifier(_CURVES[kind])])
    if kind in _RSA_BITS:
        return der.sequence([der.object_identifier(_RSA), der.NULL])
    return der.sequence([der.object_identifier(_PLAIN[kind])])


def _extensions(asking: Asking) -> list[tuple[str, bytes | None]]:
    """OIDs and values; None where the client is to fill it in."""
    found: list[tuple[str, bytes | None]] = []
    usages = asking.profile.extended_key_usage
    if usages:
        found.append((_EXTENDED_KEY_USAGE, x509.ExtendedKeyUsage(usages).public_bytes()))
    if asking.names:
        general = [name.to_general_name() for name in asking.names]
        found.append((_ALTERNATIVE_NAME, x509.SubjectAlternativeName(general).public_bytes()))
    elif asking.profile.required_names and not asking.common_name:
        found.append((_ALTERNATIVE_NAME, None))
    return found


def _template(asking: Asking) -> bytes:
    """A CertificationRequestInfoTemplate (RFC 9908 section 3.4)."""
    common = [der.object_identifier(_COMMON_NAME)]
    if asking.common_name:
        common.append(der.encode(0x0C, asking.common_name.encode()))
    subject = der.sequence([der.encode(der.SET, der.sequence(common))])
    extensions = [_extension(dotted, value) for dotted, value in _extensions(asking)]
    attributes = attribute(EXTENSION_TEMPLATE, der.sequence(extensions)) if extensions else b""
    key = der.encode(0xA0, _algorithm(asking.kind))
    return der.sequence([der.integer(0), subject, key, der.encode(0xA1, attributes)])


def _extension(dotted: str, value: bytes | None) -> bytes:
    given = b"" if value is None else der.encode(der.OCTET_STRING, value)
    return der.sequence([der.object_identifier(dotted), given])
