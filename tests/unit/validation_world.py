"""A small world to validate in: root, intermediate and leaf, each a list of fields that a test may spoil."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from handfast.pki.der import encode, sequence
from handfast.pki.names import parse_name
from handfast.validate import Level, Policy, Report, TrustAnchor, examine, purpose_named
from handfast.validate.der import identifier

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
VERSION_3 = bytes.fromhex("a003020102")
ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
BASIC, USAGE, EXTENDED, NAMES = "2.5.29.19", "2.5.29.15", "2.5.29.37", "2.5.29.17"
SUBJECT_KEY, AUTHORITY_KEY, CONSTRAINTS = "2.5.29.14", "2.5.29.35", "2.5.29.30"
POLICIES, MAPPINGS, POLICY_CONSTRAINTS, INHIBIT_ANY = "2.5.29.32", "2.5.29.33", "2.5.29.36", "2.5.29.54"
ACCESS = "1.3.6.1.5.5.7.1.1"
Spoil = Callable[["World"], object]


@cache
def key(name: str) -> ec.EllipticCurvePrivateKey:
    """One P-256 key for each name; which ones they are matters to no test."""
    return ec.generate_private_key(ec.SECP256R1())


def spki(public_key: Any) -> bytes:
    """The SubjectPublicKeyInfo of a public key."""
    return bytes(public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def directory(text: str) -> bytes:
    """The DER of a Name: `CN=…` or any RFC 4514 string; empty for the empty name."""
    return x509.Name.from_rfc4514_string(text).public_bytes() if text else b"\x30\x00"


def utc_times(not_before: str, not_after: str) -> bytes:
    """A Validity of two UTCTimes, written `YYMMDDHHMMSSZ`."""
    return sequence([encode(0x17, not_before.encode()), encode(0x17, not_after.encode())])


@dataclass
class Fields:
    """What goes into one certificate, as DER; extensions are criticality and value by OID."""

    subject: bytes
    issuer: bytes
    public_key: bytes
    signer: ec.EllipticCurvePrivateKey
    extensions: dict[str, tuple[bool, bytes]]
    version: bytes = VERSION_3
    serial: bytes = b"\x11\x22\x33"
    validity: bytes = field(default_factory=lambda: utc_times("260101000000Z", "270101000000Z"))
    inner_algorithm: bytes = ECDSA_SHA256
    algorithm: bytes = ECDSA_SHA256
    extra_extensions: list[bytes] = field(default_factory=list)
    flip_signature: bool = False

    def set(self, oid: str, value: x509.ExtensionType | bytes | None, *, critical: bool = False) -> "Fields":
        """Set an extension, or take it out."""
        if value is None:
            self.extensions.pop(oid, None)
        else:
            self.extensions[oid] = critical, value if isinstance(value, bytes) else value.public_bytes()
        return self

    def der(self) -> bytes:
        """The certificate, signed."""
        listed = [extension(oid, critical, value) for oid, (critical, value) in self.extensions.items()]
        listed += self.extra_extensions
        tbs = sequence([
            self.version, encode(2, self.serial), self.inner_algorithm, self.issuer, self.validity, self.subject,
            self.public_key, encode(0xA3, sequence(listed)) if listed else b"",
        ])  # fmt: skip
        signature = bytearray(self.signer.sign(tbs, ec.ECDSA(hashes.SHA256())))
        signature[-1] ^= self.flip_signature
        return sequence([tbs, self.algorithm, encode(3, b"\0" + bytes(signature))])


def extension(oid: str, critical: bool, value: bytes) -> bytes:
    """One Extension in DER."""
    mark = b"\x01\x01\xff" if critical else b""
    return sequence([encode(6, identifier(oid)), mark, encode(4, value)])


def usage(*names: str) -> x509.KeyUsage:
    """keyUsage with these bits, by the names of cryptography's fields."""
    every = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: name in names for name in every})


def authority(name: str, issuer: str, *, path_length: int | None = None) -> Fields:
    """A CA's certificate as it should be; name and issuer name the keys, and the subjects too."""
    fields = Fields(directory(f"CN={name}"), directory(f"CN={issuer}"), spki(key(name).public_key()), key(issuer), {})
    fields.set(BASIC, x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
    fields.set(USAGE, usage("key_cert_sign", "crl_sign"), critical=True)
    _identify(fields, name, issuer)
    return fields


def end_entity(name: str, issuer: str) -> Fields:
    """A TLS certificate as it should be, for both ends, for www.example.com."""
    fields = Fields(directory(f"CN={name}"), directory(f"CN={issuer}"), spki(key(name).public_key()), key(issuer), {})
    fields.set(BASIC, x509.BasicConstraints(ca=False, path_length=None), critical=True)
    fields.set(USAGE, usage("digital_signature"), critical=True)
    fields.set(EXTENDED, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]))
    fields.set(NAMES, x509.SubjectAlternativeName([x509.DNSName("www.example.com")]))
    _identify(fields, name, issuer)
    return fields


def _identify(fields: Fields, name: str, issuer: str) -> None:
    fields.set(SUBJECT_KEY, x509.SubjectKeyIdentifier.from_public_key(key(name).public_key()))
    fields.set(AUTHORITY_KEY, x509.AuthorityKeyIdentifier.from_issuer_public_key(key(issuer).public_key()))


class World:
    """The three, and how to ask about them."""

    def __init__(self) -> None:
        self.root = authority("root", "root")
        self.ca = authority("ca", "root")
        self.leaf = end_entity("leaf", "ca")
        self.others: list[bytes] = []
        self.at = NOW

    def report(self, purpose: str = "server", names: Iterable[str] = ("www.example.com",), **policy: Any) -> Report:
        """What the validator says."""
        wanted = tuple(parse_name(each) for each in names)
        asked = Policy(**{"level": Level.STRICT, "purpose": purpose_named(purpose), "names": wanted, **policy})
        anchors = [TrustAnchor.of(self.root.der())]
        return examine(
            self.leaf.der(), anchors=anchors, policy=asked, at=self.at, intermediates=[self.ca.der(), *self.others]
        )


def spoiled(spoil: Spoil, **asked: Any) -> Report:
    """The report about a world in which one thing was changed."""
    world = World()
    spoil(world)
    return world.report(**asked)


def codes(report: Report) -> set[tuple[str, int | None]]:
    """The findings as codes with positions, without the one that every report without revocation has."""
    found = {(each.finding.code, each.position) for each in report.findings}
    return found - {("revocation-not-checked", 0)}


def common_name(text: str) -> x509.Name:
    """A name of one common name."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
