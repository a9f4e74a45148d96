"""One PEM block or DER object turned into a value, with its own message for each way it can be wrong (RFC 7468)."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    load_der_private_key,
    load_der_public_key,
    pkcs12,
)

from handfast.errors import Malformed
from handfast.pki import der
from handfast.pki.rounds import require_bearable

Item: TypeAlias = tuple[str, Any]

_UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    OverflowError,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
_PRIVATE = re.compile(rb"-----BEGIN ([A-Z0-9 ]{0,40}PRIVATE KEY)-----.*?-----END \1-----[ \t]*\r?\n?", re.DOTALL)
_SKIPPED = frozenset({"EC PARAMETERS", "DH PARAMETERS", "X9.42 DH PARAMETERS", "X509 ATTRIBUTE CERTIFICATE"})
_AGAIN = "export it again from where it came from"


@dataclass(frozen=True, slots=True)
class Block:
    """A PEM block: its label, its bytes decoded, RFC 1421 headers when it has some; `source` for messages."""

    label: str
    der: bytes
    source: str
    headers: bytes = b""


def as_bytes_of_text(data: bytes) -> bytes:
    """Text that an editor saved as UTF-16, or with a byte order mark, as plain bytes; anything else as it is."""
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return data.decode("utf-16", "replace").encode("ascii", "replace")
    return data.removeprefix(b"\xef\xbb\xbf")


def without_private_keys(data: bytes) -> bytes:
    """PEM text with its private keys cut out, unless nothing else is in it."""
    text = as_bytes_of_text(data)
    rest = _PRIVATE.sub(b"", text)
    return rest if b"-----BEGIN" in rest else data


def not_pem(data: bytes, source: str) -> Malformed:
    """What to say of data that is neither PEM nor DER."""
    start = data.lstrip()[:64].lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        msg = f"{source} is a web page, not a certificate or key"
        return Malformed(msg, hint="the download went wrong; look at the file, and fetch it again")
    if start.startswith((b"ssh-", b"ecdsa-sha2-", b"---- begin ssh2")):
        msg = f"{source} is an SSH public key, not an X.509 certificate or key"
        return Malformed(msg, hint="make a key for TLS; an SSH key is of no use here")
    if start.startswith((b"{", b"[")):
        msg = f"{source} is JSON, not a certificate or key"
        return Malformed(msg, hint="take the certificate out of it first")
    if re.match(rb"[A-Za-z0-9+/=\s]{64}", data.strip()[:64]):
        msg = f"{source} is base64 without its BEGIN and END lines"
        return Malformed(msg, hint="put the lines -----BEGIN CERTIFICATE----- and -----END CERTIFICATE----- around it")
    msg = f"{source} holds neither PEM nor DER"
    return Malformed(msg, hint="give a file that begins with -----BEGIN, or one in DER or PKCS#12")


def items_of(block: Block, *, password: bytes | None) -> list[Item]:
    """What a PEM block holds. Raises Malformed."""
    if block.label in _SKIPPED:
        return []
    reader = _READERS.get(block.label)
    if reader is None:
        msg = f"{block.source} holds a block of the kind {block.label}, which handfast does not read"
        raise Malformed(msg, hint=_HINTS.get(block.label, f"known kinds are {', '.join(_READERS)}"))
    return reader(block, password)


def items_of_der(data: bytes, *, password: bytes | None, source: str) -> list[Item]:
    """What one DER object holds, told by its shape. Raises Malformed."""
    outer = der.element_at(data)
    if data[outer.end :].strip(b"\r\n\0"):
        msg = f"{source} has {len(data) - outer.end} bytes after its DER object"
        raise Malformed(msg, hint="give one object a file in DER, or several in PEM")
    data = data[: outer.end]
    label = _label_of(data, outer)
    if label is None:
        msg = f"{source} is DER, but no certificate, key, request, CRL or PKCS#12"
        raise Malformed(msg, hint="give a file that holds one of these")
    return _READERS[label](Block(label, data, source), password)


def _label_of(data: bytes, outer: der.Element) -> str | None:
    inner = []
    for child in der.children(data, outer):
        inner.append(child)
        if len(inner) == 4:
            break
    tags = tuple(child.tag for child in inner[:3])
    if tags == (der.SEQUENCE, der.SEQUENCE, der.BIT_STRING):
        return _label_of_signed(data, inner[0])
    if tags[:1] == (der.INTEGER,):
        version = data[inner[0].start : inner[0].end]
        return _VERSIONED.get((version, tags[1:2]))
    return _SHAPES.get(tags[:2])


def _label_of_signed(data: bytes, signed: der.Element) -> str | None:
    tags = []
    for child in der.children(data, signed):
        tags.append(child.tag)
        if len(tags) == 4:
            break
    if tags[:4] == [der.INTEGER, der.SEQUENCE, der.SEQUENCE, 0xA0] or tags == [der.INTEGER, der.SEQUENCE, der.SEQUENCE]:
        return "CERTIFICATE REQUEST"
    times = {der.UTC_TIME, der.GENERALIZED_TIME}
    if (tags[:1] == [der.INTEGER] and tags[3:4] and tags[3] in times) or (tags[2:3] and tags[2] in times):
        return "X509 CRL"
    return "CERTIFICATE"


_VERSIONED: Mapping[tuple[bytes, tuple[int, ...]], str] = {
    (b"\0", (der.SEQUENCE,)): "PRIVATE KEY",
    (b"\1", (der.SEQUENCE,)): "PRIVATE KEY",
    (b"\0", (der.INTEGER,)): "RSA PRIVATE KEY",
    (b"\1", (der.OCTET_STRING,)): "EC PRIVATE KEY",
    (b"\3", (der.SEQUENCE,)): "PKCS12",
}
_SHAPES: Mapping[tuple[int, ...], str] = {
    (der.SEQUENCE, der.OCTET_STRING): "ENCRYPTED PRIVATE KEY",
    (der.SEQUENCE, der.BIT_STRING): "PUBLIC KEY",
    (der.OBJECT_IDENTIFIER, 0xA0): "PKCS7",
}


def _wrong(block: Block, what: str, error: Exception) -> Malformed:
    """DER of another kind than its label says is the usual mistake, and gets the better message."""
    try:
        actual = _label_of(block.der, der.element_at(block.der))
    except Malformed as malformed:
        return Malformed(f"the {what} in {block.source} is damaged: {malformed.message}", hint=malformed.hint)
    if actual not in {None, block.label, _SAME.get(block.label, "")}:
        msg = f"the block {block.label} in {block.source} holds a {str(actual).lower()} inside"
        return Malformed(msg, hint="its BEGIN and END lines are wrong; export it again")
    reason = str(error).strip().split("\n")[0].rstrip(".")[:200] or type(error).__name__
    if "asn1" in reason.lower():
        reason = "its structure is wrong"
    return Malformed(f"the {what} in {block.source} cannot be read: {reason}", hint=_AGAIN)


def _certificate(block: Block, password: bytes | None) -> list[Item]:
    del password
    try:
        certificate = x509.load_der_x509_certificate(block.der)
        # cryptography parses lazily: what is wrong inside must show here, not where the value is used.
        _ = certificate.extensions, certificate.subject, certificate.issuer, certificate.public_key()
        _ = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    except _UNREADABLE as error:
        raise _wrong(block, "certificate", error) from None
    return [("certificates", certificate)]


def _request(block: Block, password: bytes | None) -> list[Item]:
    del password
    try:
        request = x509.load_der_x509_csr(block.der)
        # Its public key is read by handfast.pki.csr: that costs as much as all the rest.
        _ = request.subject
    except _UNREADABLE as error:
        raise _wrong(block, "certificate request", error) from None
    return [("requests", request)]


def _crl(block: Block, password: bytes | None) -> list[Item]:
    del password
    try:
        crl = x509.load_der_x509_crl(block.der)
        _ = crl.extensions, crl.issuer, crl.last_update_utc, crl.next_update_utc
    except _UNREADABLE as error:
        raise _wrong(block, "CRL", error) from None
    return [("crls", crl)]


def _public_key(block: Block, password: bytes | None) -> list[Item]:
    del password
    try:
        return [("public_keys", load_der_public_key(block.der))]
    except _UNREADABLE as error:
        raise _wrong(block, "public key", error) from None


def _private_key(block: Block, password: bytes | None) -> list[Item]:
    del password
    if b"ENCRYPTED" in block.headers:
        msg = f"the key in {block.source} is encrypted in the old way of OpenSSL, which protects little"
        raise Malformed(msg, hint="convert it: openssl pkcs8 -topk8 -in old.key -out new.key")
    try:
        return [("keys", load_der_private_key(block.der, None))]
    except _UNREADABLE as error:
        raise _wrong(block, "private key", error) from None


def _encrypted_key(block: Block, password: bytes | None) -> list[Item]:
    if not password:
        msg = f"the key in {block.source} is encrypted, and no password was given"
        raise Malformed(msg, hint="give its password")
    require_bearable(block.der, block.source)
    try:
        return [("keys", load_der_private_key(block.der, password))]
    except _UNREADABLE as error:
        if "password" in str(error).lower() or "decrypt" in str(error).lower():
            msg = f"the password does not open the key in {block.source}"
            raise Malformed(msg, hint="check the password; it is that of the key, not of a user") from None
        raise _wrong(block, "encrypted key", error) from None


def _pkcs12(block: Block, password: bytes | None) -> list[Item]:
    require_bearable(block.der, block.source)
    try:
        key, certificate, others = pkcs12.load_key_and_certificates(block.der, password)
    except _UNREADABLE as error:
        if "password" in str(error).lower():
            what = "the password does not open" if password else "no password was given for"
            msg = f"{what} the PKCS#12 file {block.source}"
            raise Malformed(msg, hint="give the password that was set when it was exported") from None
        raise _wrong(block, "PKCS#12 object", error) from None
    found: list[Item] = [("keys", key)] if key is not None else []
    return found + [("certificates", one) for one in (certificate, *others) if one is not None]


def _pkcs7(block: Block, password: bytes | None) -> list[Item]:
    del password
    # It takes as long to import as all the rest of this room, and few files need it.
    from cryptography.hazmat.primitives.serialization import pkcs7

    try:
        return [("certificates", one) for one in pkcs7.load_der_pkcs7_certificates(block.der)]
    except _UNREADABLE as error:
        raise _wrong(block, "PKCS#7 object", error) from None


_READERS: Mapping[str, Callable[[Block, bytes | None], list[Item]]] = {
    "CERTIFICATE": _certificate,
    "X509 CERTIFICATE": _certificate,
    "CERTIFICATE REQUEST": _request,
    "NEW CERTIFICATE REQUEST": _request,
    "X509 CRL": _crl,
    "PRIVATE KEY": _private_key,
    "RSA PRIVATE KEY": _private_key,
    "EC PRIVATE KEY": _private_key,
    "ENCRYPTED PRIVATE KEY": _encrypted_key,
    "PUBLIC KEY": _public_key,
    "PKCS7": _pkcs7,
    "PKCS12": _pkcs12,
}
_SAME = {"X509 CERTIFICATE": "CERTIFICATE", "NEW CERTIFICATE REQUEST": "CERTIFICATE REQUEST"}
_HINTS = {
    "OPENSSH PRIVATE KEY": "make a new key for TLS, or convert this one: ssh-keygen -p -m PKCS8 -f FILE",
    "SSH2 PUBLIC KEY": "an SSH key is of no use for TLS; make a new key",
    "DSA PRIVATE KEY": "DSA is not accepted by anything in use; make a P-256 key",
    "TRUSTED CERTIFICATE": "convert it: openssl x509 -in FILE -out NEW",
    "PGP PRIVATE KEY BLOCK": "a PGP key is of no use for TLS; make a new key",
    "PGP PUBLIC KEY BLOCK": "a PGP key is of no use for TLS; make a new key",
}
