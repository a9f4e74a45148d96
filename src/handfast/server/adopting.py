"""CAs that were not made here: one brought along, or one below somebody else's (request out, certificate in).

Whatever comes is judged before anything of it is kept (RFC 5280 sections 4.2.1.3, 4.2.1.9 and 6.1).
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.extensions import ExtensionTypeVar

from handfast.ca.issuer import Issuer
from handfast.ca.records import CrlRecord, Reason, Revocation, Role
from handfast.errors import ConfigError, Unacceptable
from handfast.findings import Finding, Severity
from handfast.keys.files import PUBLIC, make_directory, write_atomically
from handfast.pki.keys import KeyKind, PrivateKey, hash_for, key_findings
from handfast.pki.pem import to_pem
from handfast.pki.subject import format_subject
from handfast.server.assembly import Parts
from handfast.server.founding import key_for, register, require_free_name
from handfast.server.layout import request_path

CODES = {
    "ca-not-a-ca": "The certificate is not a CA's: basic constraints do not say so.",
    "ca-cannot-sign": "The key usage of the CA's certificate does not let it sign certificates and CRLs.",
    "ca-not-current": "The CA's certificate, or one above it, has expired or is not valid yet.",
    "ca-signature": "A certificate of the CA's chain is not signed by the one above it.",
}


def adopt(parts: Parts, name: str, certificates: Sequence[x509.Certificate], key: PrivateKey) -> Issuer:
    """Bring an existing CA along: its certificate, those above it up to the root, and its key.

    Raises ConfigError when one of them is missing, Unacceptable with all that is wrong, Conflict for a taken name.
    """
    require_free_name(parts, name)
    path = path_of(certificates, key)
    require_usable(path, parts.clock())
    # The key is kept first: a CA on record without its key could be neither used nor imported again.
    is_encrypted = parts.keys.is_encrypted(name) if name in parts.keys.names() else parts.keys.save(name, key)
    if parts.keys.load(name).public_key() != key.public_key():
        raise ConfigError(f"there is another key called {name} already", hint="choose another name for the CA")
    return register(parts, path[0], tuple(path[1:]), name=name, role=Role.ISSUING, is_encrypted=is_encrypted)


def request(parts: Parts, name: str, subject: x509.Name, kind: KeyKind) -> x509.CertificateSigningRequest:
    """The request for a CA below somebody else's; its key is made and kept here, and the request written down.

    Asked again, it gives a request for the same key. Raises Conflict for the name of a CA that is there.
    """
    require_free_name(parts, name)
    key, _ = key_for(parts, name, kind)
    builder = (
        x509.CertificateSigningRequestBuilder(subject)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_CA_USAGE, critical=True)
    )
    made = builder.sign(key, hash_for(key))  # type: ignore[arg-type]  # a DSA key never comes here
    path = request_path(parts.directory, name)
    make_directory(path.parent)
    write_atomically(path, to_pem(made), mode=PUBLIC)
    parts.store.append(parts.record("issuer.requested", issuer=name, subject=format_subject(subject)))
    return made


def install(parts: Parts, name: str, certificates: Sequence[x509.Certificate]) -> Issuer:
    """Take the certificate that somebody else's CA made for a request, and the certificates above it up to the root.

    Raises ConfigError when there was no such request or no certificate for its key, Unacceptable, Conflict.
    """
    require_free_name(parts, name)
    if name not in parts.keys.names():
        hint = f"make one first: handfast issuer request {name}"
        raise ConfigError(f"there is no request for a CA called {name}", hint=hint)
    installed = adopt(parts, name, certificates, parts.keys.load(name))
    request_path(parts.directory, name).unlink(missing_ok=True)
    return installed


def carry_on(parts: Parts, issuer: Issuer, crl: x509.CertificateRevocationList) -> int:
    """Go on where the CA's last CRL ended: its number, its times, and whom it revokes. Returns how many those are.

    Raises Unacceptable when this CA did not sign it.
    """
    if not crl.is_signature_valid(issuer.identity.public_key):  # type: ignore[arg-type]  # keys of CAs only
        finding = Finding(
            "ca-signature",
            Severity.ERROR,
            f"{format_subject(crl.issuer)} is the name in the CRL, and this CA's key did not sign it",
            "give the last CRL that this very CA published",
            "RFC 5280 section 6.3.3",
        )
        raise Unacceptable("the CRL is not this CA's", hint=finding.fix, findings=(finding,))
    for entry in crl:
        revocation = Revocation(
            serial=entry.serial_number,
            issuer=issuer.name,
            sequence=0,
            reason=_reason_of(entry),
            revoked_at=entry.revocation_date_utc,
            # When it expires is not said: it stays on the list as long as its CA lives.
            not_after=issuer.certificate.not_valid_after_utc,
            requester="import",
        )
        parts.store.append_revocation(revocation, parts.record("revocation.imported", issuer=issuer.name))
    number = _extension(crl, x509.CRLNumber)
    record = CrlRecord(
        issuer=issuer.name,
        number=number.crl_number if number else 0,
        this_update=crl.last_update_utc,
        next_update=crl.next_update_utc or crl.last_update_utc,
        covers=0,
        full_at=crl.last_update_utc,
    )
    parts.store.begin_crl(record, parts.record("crl.imported", issuer=issuer.name, number=str(record.number)))
    return len(crl)


def path_of(certificates: Sequence[x509.Certificate], key: PrivateKey) -> list[x509.Certificate]:
    """The key's certificate, its issuer's and so on to the root, out of any order. Raises ConfigError."""
    own = [one for one in certificates if one.public_key() == key.public_key()]
    if not own:
        found = ", ".join(format_subject(one.subject) or "one without a subject" for one in certificates)
        hint = "give the certificate that was made for this very key"
        raise ConfigError(f"no certificate belongs to the CA's key; there are: {found}", hint=hint)
    # Of several for one key, the one that lives longest.
    path = [max(own, key=lambda one: one.not_valid_after_utc)]
    while path[-1].subject != path[-1].issuer:
        above = [one for one in certificates if one.subject == path[-1].issuer and one not in path]
        if not above:
            hint = "give every certificate up to the root, with --certificate again or in one file"
            msg = f"the certificate of {format_subject(path[-1].issuer)}, which is above the CA, is missing"
            raise ConfigError(msg, hint=hint)
        path.append(next((one for one in above if _is_signed_by(path[-1], one)), above[0]))
    return path


def require_usable(path: Sequence[x509.Certificate], now: datetime) -> None:
    """Raise Unacceptable with all that keeps the first certificate of the path from being a CA now."""
    findings = tuple(findings_on(path, now))
    if findings:
        said = "; ".join(finding.message for finding in findings)
        raise Unacceptable(f"this cannot be a CA here: {said}", hint=findings[0].fix, findings=findings)


def findings_on(path: Sequence[x509.Certificate], now: datetime) -> Iterator[Finding]:
    """What is wrong with a CA's certificate and those above it."""
    yield from key_findings(path[0].public_key())
    for one in path:
        yield from _findings_on_ca(one, format_subject(one.subject), now)
    for below, above in zip(path, [*path[1:], path[-1]], strict=True):
        if not _is_signed_by(below, above):
            message = f"{format_subject(above.subject)} did not sign {format_subject(below.subject)}"
            fix = "give the certificates that really are above it"
            yield Finding("ca-signature", Severity.ERROR, message, fix, "RFC 5280 section 6.1.3")


def _findings_on_ca(certificate: x509.Certificate, who: str, now: datetime) -> Iterator[Finding]:
    constraints = _extension(certificate, x509.BasicConstraints)
    if constraints is None or not constraints.ca:
        message, fix = f"{who} is not a CA", "ask for a certificate with basicConstraints CA:TRUE"
        yield Finding("ca-not-a-ca", Severity.ERROR, message, fix, "RFC 5280 section 4.2.1.9")
    usage = _extension(certificate, x509.KeyUsage)
    if usage is not None and not (usage.key_cert_sign and usage.crl_sign):
        message = f"{who} may not sign both certificates and CRLs"
        fix = "ask for a certificate with the key usages keyCertSign and cRLSign"
        yield Finding("ca-cannot-sign", Severity.ERROR, message, fix, "RFC 5280 section 4.2.1.3")
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not begins <= now <= ends:
        message = f"{who} is valid from {begins:%Y-%m-%d %H:%M} to {ends:%Y-%m-%d %H:%M} UTC, which is not now"
        yield Finding("ca-not-current", Severity.ERROR, message, "renew it first", "RFC 5280 section 6.1.3")


def _is_signed_by(certificate: x509.Certificate, above: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(above)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _extension(
    holder: x509.Certificate | x509.CertificateRevocationList | x509.RevokedCertificate, kind: type[ExtensionTypeVar]
) -> ExtensionTypeVar | None:
    try:
        return holder.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _reason_of(entry: x509.RevokedCertificate) -> Reason:
    said = _extension(entry, x509.CRLReason)
    return Reason(said.reason.value) if said else Reason.UNSPECIFIED


_CA_USAGE = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)
