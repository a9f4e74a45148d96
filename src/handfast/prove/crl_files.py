"""CRLs for programs: judged before they are written (RFC 5280 section 6.3.3), in the form that each program reads."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from handfast.errors import Malformed, Unacceptable
from handfast.findings import Finding, Severity
from handfast.pki import der, pem
from handfast.targets.contract import CrlForm, RenderedFile

CODES = {
    "crl-not-signed": "a CRL is not signed by the CA that it names",
    "crl-missing": "a CA in the chain has no CRL",
    "crl-without-end": "a CRL does not say when the next one comes",
    "crl-not-yet": "a CRL is not valid yet",
    "crl-expired": "a CRL has ended",
    "crl-older": "a CRL is older than the one in use",
    "crl-near-expiry": "a CRL ends soon",
}

# A program that gets no newer one in this time refuses everybody: time to notice, and to mend what publishes them.
MARGIN = timedelta(hours=24)
_REFERENCE = "RFC 5280 section 5.1.2"
Crl = x509.CertificateRevocationList


def read_crls(text: str, source: str = "the CRLs") -> tuple[Crl, ...]:
    """Every CRL of a PEM text. Raises Malformed when there is none, or anything is cut off."""
    if not text.strip():
        raise Malformed(f"{source}: empty", hint="publish the CRLs again: handfast crl")
    found = pem.read(text.encode(), source=source).crls
    if not found:
        raise Malformed(f"{source}: holds no CRL", hint="publish the CRLs again: handfast crl")
    return found


def require_usable(
    crls: Sequence[Crl], cas: Sequence[x509.Certificate], now: datetime, previous: Iterable[Crl] = ()
) -> None:
    """Refuse CRLs that would take a server down or open it: unsigned, expired or nearly, older, or one CA without.

    cas: every CA of the clients' chain, root and issuing. previous: what the program has now. Raises Unacceptable
    with everything that is wrong.
    """
    findings = [*_unsigned(crls, cas), *_missing(crls, cas), *_dated(crls, now), *_older(crls, tuple(previous))]
    if findings:
        raise Unacceptable(
            f"these CRLs are not fit for a server: {findings[0].message}",
            hint=findings[0].fix,
            findings=tuple(findings),
        )


def _finding(code: str, message: str, fix: str = "publish the CRLs again: handfast crl") -> Finding:
    return Finding(code, Severity.ERROR, message, fix, _REFERENCE)


def _named(crl: Crl) -> str:
    return f"the CRL of {crl.issuer.rfc4514_string()}"


def is_signed_by(crl: Crl, ca: x509.Certificate) -> bool:
    """Whether this CA's key signed it."""
    try:
        return crl.issuer == ca.subject and crl.is_signature_valid(ca.public_key())  # type: ignore[arg-type]  # keys that cannot sign raise TypeError
    except (InvalidSignature, UnsupportedAlgorithm, TypeError, ValueError):
        return False


def _unsigned(crls: Sequence[Crl], cas: Sequence[x509.Certificate]) -> Iterator[Finding]:
    for crl in crls:
        if not any(is_signed_by(crl, ca) for ca in cas):
            yield _finding("crl-not-signed", f"{_named(crl)} is not signed by any CA of the clients")


def _missing(crls: Sequence[Crl], cas: Sequence[x509.Certificate]) -> Iterator[Finding]:
    for ca in cas:
        if not any(crl.issuer == ca.subject for crl in crls):
            name = ca.subject.rfc4514_string()
            yield _finding("crl-missing", f"there is no CRL of {name}: servers would refuse everybody")


def _dated(crls: Sequence[Crl], now: datetime) -> Iterator[Finding]:
    for crl in crls:
        end = crl.next_update_utc
        if end is None:
            yield _finding("crl-without-end", f"{_named(crl)} does not say when the next one comes")
        elif end <= now:
            yield _finding("crl-expired", f"{_named(crl)} ended at {end:%Y-%m-%d %H:%M} UTC")
        elif end - now < min(MARGIN, (end - crl.last_update_utc) / 4):
            yield _finding("crl-near-expiry", f"{_named(crl)} ends soon, at {end:%Y-%m-%d %H:%M} UTC")
        if crl.last_update_utc > now:
            yield _finding("crl-not-yet", f"{_named(crl)} begins only at {crl.last_update_utc:%Y-%m-%d %H:%M} UTC")


def _older(crls: Sequence[Crl], previous: Sequence[Crl]) -> Iterator[Finding]:
    for crl in crls:
        for before in previous:
            if before.issuer == crl.issuer and _rank(crl) < _rank(before):
                yield _finding("crl-older", f"{_named(crl)} is older than the one that the server has")


def _rank(crl: Crl) -> tuple[datetime, int]:
    try:
        number = crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound:
        number = 0
    return crl.last_update_utc, number


def crl_files(form: CrlForm, path: str, crls: Sequence[Crl]) -> tuple[RenderedFile, ...]:
    """The files that a program of this form reads; those inside the CA file are not among them."""
    if form is CrlForm.CONCATENATED:
        return (RenderedFile(path, "".join(map(pem.to_pem, crls)), comment="the CRL of every CA in the chain"),)
    if form is CrlForm.DIRECTORY:
        return tuple(
            RenderedFile(f"{path}/{name_hash(crl.issuer)}.r0", pem.to_pem(crl), comment="one CRL, named by its issuer")
            for crl in crls
        )
    return ()


def der_of(crl: Crl) -> bytes:
    """A CRL in DER."""
    return crl.public_bytes(serialization.Encoding.DER)


def name_hash(name: x509.Name) -> str:
    """The file name under which OpenSSL looks a CRL or CA up in a directory (X509_NAME_hash, `openssl rehash`)."""
    content = b"".join(
        der.encode(der.SET, b"".join(sorted(_canonical(attribute) for attribute in rdn))) for rdn in name.rdns
    )
    digest = hashlib.sha1(content, usedforsecurity=False).digest()
    return f"{int.from_bytes(digest[:4], 'little'):08x}"


_UTF8_STRING = 0x0C


def _canonical(attribute: x509.NameAttribute[str | bytes]) -> bytes:
    text = attribute.value if isinstance(attribute.value, str) else attribute.value.decode("utf-8", "replace")
    folded = " ".join("".join(char.lower() if char.isascii() else char for char in text).split())
    return der.sequence((_oid(attribute.oid.dotted_string), der.encode(_UTF8_STRING, folded.encode())))


def _oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    content = bytearray()
    for arc in (first * 40 + second, *rest):
        septets = [arc & 0x7F]
        while arc := arc >> 7:
            septets.append(0x80 | (arc & 0x7F))
        content += bytes(reversed(septets))
    return der.encode(der.OBJECT_IDENTIFIER, bytes(content))
