"""A small world to ask about revocation in: one CA, one leaf, and builders for what is said of them."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from handfast.validate.certificate import Certificate, read_certificate
from handfast.validate.revocation import (
    LoadedCRL,
    Question,
    RevocationFacts,
    RevocationMode,
    RevocationPolicy,
    RevocationStatus,
    Signers,
    authority_of,
    check_certificate,
    from_cryptography,
)

NOW = datetime(2040, 6, 1, 12, tzinfo=UTC)  # cryptography stamps producedAt with the real time: it must be earlier
HOUR = timedelta(hours=1)
REQUIRE = RevocationPolicy(mode=RevocationMode.REQUIRE)
Extensions = Iterable[tuple[x509.ExtensionType, bool]]


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def key_usage(*, crl_sign: bool = True) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=crl_sign, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def certificate(
    subject: str,
    key: ec.EllipticCurvePrivateKey,
    *,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    serial: int = 1000,
    extensions: Extensions = (),
    not_after: datetime = NOW + 999 * HOUR,
) -> x509.Certificate:
    builder = x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(issuer))
    builder = builder.public_key(key.public_key()).serial_number(serial)
    builder = builder.not_valid_before(NOW - 999 * HOUR).not_valid_after(not_after)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, hashes.SHA256())


CA_KEY, LEAF_KEY, OTHER_KEY = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
CA_EXTENSIONS: Extensions = ((x509.BasicConstraints(ca=True, path_length=None), True), (key_usage(), True))
CA = certificate("CA", CA_KEY, issuer="CA", issuer_key=CA_KEY, extensions=CA_EXTENSIONS)
LEAF = certificate("leaf", LEAF_KEY, issuer="CA", issuer_key=CA_KEY)


def leaf(*extensions: x509.ExtensionType, serial: int = 1000) -> x509.Certificate:
    marked = [(extension, isinstance(extension, x509.BasicConstraints)) for extension in extensions]
    return certificate("leaf", LEAF_KEY, issuer="CA", issuer_key=CA_KEY, serial=serial, extensions=marked)


def entry(
    serial: int = 1000, reason: x509.ReasonFlags | None = None, *extensions: tuple[x509.ExtensionType, bool]
) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(NOW - 5 * HOUR)
    if reason is not None:
        builder = builder.add_extension(x509.CRLReason(reason), critical=False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.build()


def crl(
    *entries: x509.RevokedCertificate,
    issuer: str = "CA",
    key: ec.EllipticCurvePrivateKey = CA_KEY,
    number: int | None = 7,
    begins: datetime = NOW - HOUR,
    ends: datetime = NOW + HOUR,
    extensions: Extensions = (),
) -> LoadedCRL:
    builder = x509.CertificateRevocationListBuilder(revoked_certificates=list(entries)).issuer_name(name(issuer))
    builder = builder.last_update(begins).next_update(ends)
    if number is not None:
        builder = builder.add_extension(x509.CRLNumber(number), critical=False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return from_cryptography(builder.sign(key, hashes.SHA256()))


def scope(
    *,
    url: str | None = None,
    users: bool = False,
    cas: bool = False,
    reasons: frozenset[x509.ReasonFlags] | None = None,
    indirect: bool = False,
    attributes: bool = False,
) -> tuple[x509.ExtensionType, bool]:
    full = [x509.UniformResourceIdentifier(url)] if url else None
    point = x509.IssuingDistributionPoint(
        full_name=full, relative_name=None, only_contains_user_certs=users, only_contains_ca_certs=cas,
        only_some_reasons=reasons, indirect_crl=indirect, only_contains_attribute_certs=attributes,
    )  # fmt: skip
    return point, True


def response(
    subject: x509.Certificate = LEAF,
    *,
    status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD,
    issuer: x509.Certificate = CA,
    responder: x509.Certificate = CA,
    key: ec.EllipticCurvePrivateKey = CA_KEY,
    begins: datetime = NOW - HOUR,
    ends: datetime | None = NOW + HOUR,
    nonce: bytes | None = None,
    certificates: Sequence[x509.Certificate] = (),
    by: ocsp.OCSPResponderEncoding = ocsp.OCSPResponderEncoding.HASH,
    algorithm: hashes.HashAlgorithm | None = None,
) -> bytes:
    revoked = status is ocsp.OCSPCertStatus.REVOKED
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=subject, issuer=issuer, algorithm=algorithm or hashes.SHA1(), cert_status=status, this_update=begins,
        next_update=ends, revocation_time=NOW - 5 * HOUR if revoked else None,
        revocation_reason=x509.ReasonFlags.key_compromise if revoked else None,
    )  # fmt: skip
    builder = builder.responder_id(by, responder)
    if certificates:
        builder = builder.certificates(list(certificates))
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def responder(
    *,
    issuer: str = "CA",
    issuer_key: ec.EllipticCurvePrivateKey = CA_KEY,
    may_sign: bool = True,
    no_check: bool = True,
    not_after: datetime = NOW + HOUR,
) -> x509.Certificate:
    usage = ExtendedKeyUsageOID.OCSP_SIGNING if may_sign else ExtendedKeyUsageOID.CLIENT_AUTH
    extensions: list[tuple[x509.ExtensionType, bool]] = [(x509.ExtendedKeyUsage([usage]), False)]
    if no_check:
        extensions.append((x509.OCSPNoCheck(), False))
    return certificate(
        "responder", OTHER_KEY, issuer=issuer, issuer_key=issuer_key, serial=77, extensions=extensions,
        not_after=not_after,
    )  # fmt: skip


def refuse(_: Certificate) -> bool:
    return False


def accept(_: Certificate) -> bool:
    return True


def ask(
    *crls: LoadedCRL,
    about: x509.Certificate = LEAF,
    issuer: x509.Certificate = CA,
    responses: Sequence[bytes] = (),
    policy: RevocationPolicy = REQUIRE,
    at: datetime = NOW,
    pool: Sequence[x509.Certificate] = (),
    is_valid: Callable[[Certificate], bool] = refuse,
) -> RevocationStatus:
    facts = RevocationFacts(crls=crls, ocsp_responses=tuple(responses))
    signers = Signers(tuple(read_certificate(each) for each in pool), is_valid)
    subject, authority = read_certificate(about), authority_of(read_certificate(issuer))
    return check_certificate(Question(subject, authority, at, policy, facts, signers))


def said(status: RevocationStatus) -> str:
    return "; ".join(finding.message for finding in status.findings)
