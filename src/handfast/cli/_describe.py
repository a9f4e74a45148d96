"""Certificates, requests, CRLs, keys and OCSP responses in plain words: rows of a label and a text."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID

from handfast.pki.keys import describe_key, key_findings
from handfast.pki.oids import usage_name
from handfast.pki.serial import serial_text
from handfast.pki.subject import format_subject

Row = tuple[str, str]
_USES = {
    "serverAuth": "TLS server",
    "clientAuth": "TLS client",
    "emailProtection": "e-mail",
    "OCSPSigning": "signing OCSP responses",
    "codeSigning": "signing code",
    "timeStamping": "time stamps",
    "documentSigning": "signing documents",
    "anyExtendedKeyUsage": "anything",
}
_KEY_USAGES = {
    "digital_signature": "signatures",
    "content_commitment": "non-repudiation",
    "key_encipherment": "key encipherment",
    "data_encipherment": "data encipherment",
    "key_agreement": "key agreement",
    "key_cert_sign": "signing certificates",
    "crl_sign": "signing CRLs",
}
_MOST_ENTRIES = 5


@dataclass(frozen=True, slots=True)
class Description:
    """One object: what it is, its rows, and what is remarkable about it."""

    title: str
    rows: tuple[Row, ...]
    remarks: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """The same for a program; a label that occurs twice gets a list."""
        found: dict[str, list[str]] = {}
        for label, text in self.rows:
            found.setdefault(label, []).append(text)
        values: dict[str, object] = {label: texts[0] if len(texts) == 1 else texts for label, texts in found.items()}
        return {"kind": self.title, **values, "remarks": list(self.remarks)}


def certificate(value: x509.Certificate, now: datetime) -> Description:
    """A certificate (RFC 5280 section 4)."""
    remarks = [*_validity_remarks(value, now), *_key_remarks(value)]
    rows: list[Row] = [("subject", _name(value.subject))]
    try:
        extensions = value.extensions
        rows.extend(_name_rows(extensions))
        tail = list(_extension_rows(extensions))
    except (ValueError, x509.DuplicateExtension) as error:
        tail = [("extensions", f"cannot be read: {error}")]
    if value.issuer == value.subject:
        rows.append(("issuer", "itself (self-signed)"))
    else:
        rows.append(("issuer", _name(value.issuer)))
    rows.append(("valid from", moment(value.not_valid_before_utc)))
    rows.append(("valid until", f"{moment(value.not_valid_after_utc)}{_left(value, now)}"))
    rows.append(("key", _key(value)))
    rows.extend(tail)
    rows.append(("signature", _algorithm(value)))
    rows.append(("serial", serial_text(value.serial_number)))
    rows.append(("SHA-256", value.fingerprint(hashes.SHA256()).hex()))
    return Description(_kind(value), tuple(rows), tuple(remarks))


def _kind(value: x509.Certificate) -> str:
    try:
        is_ca = value.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        is_ca = False
    if not is_ca:
        return "certificate"
    return "root CA certificate" if value.issuer == value.subject else "CA certificate"


def _validity_remarks(value: x509.Certificate, now: datetime) -> Iterator[str]:
    if now > value.not_valid_after_utc:
        yield f"it expired {span(now - value.not_valid_after_utc)} ago"
    elif now < value.not_valid_before_utc:
        yield f"it becomes valid only in {span(value.not_valid_before_utc - now)}"


def _left(value: x509.Certificate, now: datetime) -> str:
    left = value.not_valid_after_utc - now
    return f" ({span(left)} left)" if left > timedelta(0) else ""


def _key_remarks(value: x509.Certificate | x509.CertificateSigningRequest) -> Iterator[str]:
    try:
        yield from (finding.message for finding in key_findings(value.public_key()))
    except (ValueError, UnsupportedAlgorithm):
        yield "its public key is of no kind that is known"


def _key(value: x509.Certificate | x509.CertificateSigningRequest) -> str:
    try:
        return describe_key(value.public_key())
    except (ValueError, UnsupportedAlgorithm):
        return "of no kind that is known"


def _name_rows(extensions: x509.Extensions) -> Iterator[Row]:
    for extension in extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            yield from (("name", general_name(name)) for name in extension.value)


def _extension_rows(extensions: x509.Extensions) -> Iterator[Row]:
    """What the extensions allow and where they point, in the order of importance to a reader."""
    found = {type(extension.value): extension.value for extension in extensions}
    yield from _usage_rows(found)
    yield from _place_rows(found)
    for extension in extensions:
        if isinstance(extension.value, x509.UnrecognizedExtension):
            critical = ", critical" if extension.critical else ""
            yield "extension", f"{extension.oid.dotted_string} (not known{critical})"


def _usage_rows(found: dict[type[x509.ExtensionType], x509.ExtensionType]) -> Iterator[Row]:
    constraints = found.get(x509.BasicConstraints)
    if isinstance(constraints, x509.BasicConstraints) and constraints.ca:
        below = constraints.path_length
        depths = {None: "certificates", 0: "certificates, but none of CAs"}
        yield "may issue", depths.get(below, f"certificates, with at most {below} CAs one below the other")
    usages = found.get(x509.ExtendedKeyUsage)
    if isinstance(usages, x509.ExtendedKeyUsage):
        yield "for", ", ".join(_USES.get(usage_name(oid), usage_name(oid)) for oid in usages)
    usage = found.get(x509.KeyUsage)
    if isinstance(usage, x509.KeyUsage):
        yield "key may do", ", ".join(word for flag, word in _KEY_USAGES.items() if getattr(usage, flag)) or "nothing"
    limits = found.get(x509.NameConstraints)
    if isinstance(limits, x509.NameConstraints):
        yield from (("only names in", general_name(name)) for name in limits.permitted_subtrees or ())
        yield from (("no names in", general_name(name)) for name in limits.excluded_subtrees or ())
    policies = found.get(x509.CertificatePolicies)
    if isinstance(policies, x509.CertificatePolicies):
        yield "policies", ", ".join(policy.policy_identifier.dotted_string for policy in policies)


def _place_rows(found: dict[type[x509.ExtensionType], x509.ExtensionType]) -> Iterator[Row]:
    points = found.get(x509.CRLDistributionPoints)
    if isinstance(points, x509.CRLDistributionPoints):
        yield from (("CRL at", general_name(name)) for point in points for name in point.full_name or ())
    access = found.get(x509.AuthorityInformationAccess)
    if isinstance(access, x509.AuthorityInformationAccess):
        for item in access:
            label = "OCSP at" if item.access_method == AuthorityInformationAccessOID.OCSP else "issuer at"
            yield label, general_name(item.access_location)


def request(value: x509.CertificateSigningRequest) -> Description:
    """A certificate request (RFC 2986)."""
    rows: list[Row] = [("subject", _name(value.subject))]
    remarks = list(_key_remarks(value))
    try:
        rows.extend(_name_rows(value.extensions))
        rows.append(("key", _key(value)))
        rows.extend(_extension_rows(value.extensions))
        if not value.is_signature_valid:
            remarks.append("its signature does not verify: whoever made it does not hold the key")
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
        remarks.append(f"it cannot be read whole: {error}")
    return Description("certificate request", tuple(rows), tuple(remarks))


def crl(value: x509.CertificateRevocationList, now: datetime) -> Description:
    """A CRL (RFC 5280 section 5), with its first entries."""
    rows: list[Row] = [("issuer", _name(value.issuer)), ("issued", moment(value.last_update_utc))]
    ends = value.next_update_utc
    rows.append(("next one by", moment(ends) if ends else "not said"))
    remarks = [f"it ended {span(now - ends)} ago"] if ends and now > ends else []
    rows.extend(_crl_extension_rows(value))
    rows.append(("revoked", f"{len(value)} certificates" if len(value) != 1 else "1 certificate"))
    rows.extend(("serial", _entry(value[index])) for index in range(min(len(value), _MOST_ENTRIES)))
    if len(value) > _MOST_ENTRIES:
        rows.append(("", f"and {len(value) - _MOST_ENTRIES} more"))
    rows.append(("signature", _algorithm(value)))
    return Description("certificate revocation list (CRL)", tuple(rows), tuple(remarks))


def _crl_extension_rows(value: x509.CertificateRevocationList) -> Iterator[Row]:
    try:
        found = [extension.value for extension in value.extensions]
    except (ValueError, x509.DuplicateExtension) as error:
        yield "extensions", f"cannot be read: {error}"
        return
    for extension in found:
        if isinstance(extension, x509.CRLNumber):
            yield "number", str(extension.crl_number)
        elif isinstance(extension, x509.DeltaCRLIndicator):
            yield "delta", f"changes since number {extension.crl_number}"
        elif isinstance(extension, x509.IssuingDistributionPoint):
            yield "scope", _scope(extension)


def _scope(point: x509.IssuingDistributionPoint) -> str:
    parts = [general_name(name) for name in point.full_name or ()]
    if point.only_contains_user_certs:
        parts.append("end-entity certificates only")
    if point.only_contains_ca_certs:
        parts.append("CA certificates only")
    if point.only_some_reasons:
        parts.append("some reasons only")
    if point.indirect_crl:
        parts.append("also other issuers' certificates (indirect)")
    return ", ".join(parts) or "everything"


def _entry(entry: x509.RevokedCertificate) -> str:
    text = f"{serial_text(entry.serial_number)} since {moment(entry.revocation_date_utc)}"
    try:
        reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return text
    return f"{text}, {reason.name.replace('_', ' ')}"


def public_key(value: PublicKeyTypes, title: str) -> Description:
    """A key, by its public half."""
    rows = (("key", describe_key(value)), ("key SHA-256", spki_digest(value)))
    return Description(title, rows, tuple(finding.message for finding in key_findings(value)))


def spki_digest(value: PublicKeyTypes) -> str:
    """SHA-256 of the SubjectPublicKeyInfo, as pins and comparisons use it."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    digest = hashes.Hash(hashes.SHA256())
    digest.update(value.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    return digest.finalize().hex()


def response(value: ocsp.OCSPResponse, now: datetime) -> Description:
    """An OCSP response (RFC 6960 section 4.2)."""
    if value.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        word = value.response_status.name.lower().replace("_", " ")
        return Description("OCSP response", (("answer", f"none: {word}"),))
    name = value.responder_name
    rows: list[Row] = [("responder", _name(name) if name else f"key {(value.responder_key_hash or b'').hex()}")]
    rows.append(("produced", moment(value.produced_at_utc)))
    remarks = []
    for single in value.responses:
        rows.append(("serial", serial_text(single.serial_number)))
        rows.append(("status", _status(single)))
        rows.append(("as of", moment(single.this_update_utc)))
        ends = single.next_update_utc
        rows.append(("next one by", moment(ends) if ends else "not said"))
        if ends and now > ends:
            remarks.append(f"it ended {span(now - ends)} ago")
    return Description("OCSP response", tuple(rows), tuple(dict.fromkeys(remarks)))


def _status(single: ocsp.OCSPSingleResponse) -> str:
    word = single.certificate_status.name.lower()
    if single.revocation_time_utc is None:
        return word
    reason = f", {single.revocation_reason.name.replace('_', ' ')}" if single.revocation_reason else ""
    return f"{word} since {moment(single.revocation_time_utc)}{reason}"


def general_name(name: x509.GeneralName) -> str:
    """One name with its type where that is not obvious."""
    if isinstance(name, x509.DirectoryName):
        return _name(name.value)
    if isinstance(name, x509.OtherName):
        return f"other name {name.type_id.dotted_string}"
    if isinstance(name, x509.RegisteredID):
        return f"registered ID {name.value.dotted_string}"
    return str(name.value)


def _name(name: x509.Name) -> str:
    return format_subject(name) or "(empty)"


def _algorithm(value: x509.Certificate | x509.CertificateRevocationList) -> str:
    oid = value.signature_algorithm_oid
    known: str = getattr(oid, "_name", "")
    return known if known and known != "Unknown OID" else oid.dotted_string


def moment(value: datetime) -> str:
    """A point in time to the minute, in UTC."""
    return f"{value:%Y-%m-%d %H:%M} UTC"


def span(length: timedelta) -> str:
    """A length of time in the unit in which people think of it."""
    minutes = int(length.total_seconds() // 60)
    for size, word in ((365 * 1440, "year"), (1440, "day"), (60, "hour"), (1, "minute")):
        if minutes >= size * (2 if word == "year" else 1):
            count = minutes // size
            return f"{count} {word}{'s' if count != 1 else ''}"
    return "less than a minute"
