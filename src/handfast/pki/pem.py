"""Reading any heap of certificates, keys, requests and CRLs, in PEM, DER or PKCS#12 (RFC 7468, RFC 5958, RFC 7292)."""

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from handfast.errors import Malformed
from handfast.pki import block
from handfast.pki.block import Block, Item
from handfast.pki.keys import PrivateKey

# A CRL of a million entries has about 50 MB; nothing else comes near.
MAXIMUM_SIZE = 256 * 1024 * 1024
MAXIMUM_BLOCKS = 10_000
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 #]{1,64})-----[ \t]*\r?\n(.*?)-----END ([A-Z0-9 #]{1,64})-----", re.DOTALL)
_BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9 #]{1,64})-----")
_HEADER = re.compile(rb"\A(?:[A-Za-z0-9-]+:[^\n]*\n(?:[ \t][^\n]*\n)*)+\s*\n")


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file holds, each kind in the order of the file. Requests are not proven: handfast.pki.csr does that."""

    certificates: tuple[x509.Certificate, ...] = ()
    requests: tuple[x509.CertificateSigningRequest, ...] = ()
    keys: tuple[PrivateKey, ...] = ()
    crls: tuple[x509.CertificateRevocationList, ...] = ()
    public_keys: tuple[PublicKeyTypes, ...] = ()
    source: str = field(default="input", compare=False)

    def describe(self) -> str:
        """`2 certificates and a private key`."""
        found = [_counted(len(getattr(self, name)), word) for name, word in _WORDS.items() if getattr(self, name)]
        return " and ".join(found) or "nothing"


_WORDS = {
    "certificates": "certificate",
    "requests": "certificate request",
    "keys": "private key",
    "crls": "CRL",
    "public_keys": "public key",
}


def _counted(count: int, word: str) -> str:
    return f"a {word}" if count == 1 else f"{count} {word}s"


def read(data: bytes, *, password: bytes | None = None, source: str = "input") -> Contents:
    """Everything in the data: PEM blocks in any order and mixture, or one DER or PKCS#12 object.

    password: for keys and PKCS#12 that are encrypted. source: what messages call the data, usually a file name.
    Raises Malformed, with another message for each way in which the data is not what it should be.
    """
    if len(data) > MAXIMUM_SIZE:
        msg = f"{source} has {len(data)} bytes; the most that is read is {MAXIMUM_SIZE}"
        raise Malformed(msg, hint="give a file of certificates or keys")
    data = block.as_bytes_of_text(data)
    if not data.strip():
        raise Malformed(f"{source} is empty", hint="give the file that holds the certificate, key or request")
    if data[:1] == b"\x30":
        items = block.items_of_der(data, password=password, source=source)
    elif _BEGIN.search(data):
        blocks = list(_blocks(data, source))
        items = [item for one in blocks for item in block.items_of(one, password=password)]
    else:
        raise block.not_pem(data, source)
    return _sorted(items, source)


def _sorted(items: list[Item], source: str) -> Contents:
    kinds: dict[str, list[object]] = {name: [] for name in _WORDS}
    for kind, value in items:
        kinds[kind].append(value)
    return Contents(**{name: tuple(values) for name, values in kinds.items()}, source=source)  # type: ignore[arg-type]  # each kind's reader made them


def _blocks(data: bytes, source: str) -> Iterator[Block]:
    end = 0
    for count, match in enumerate(_BLOCK.finditer(data)):
        _check_begin(data, match, end, source)
        end = match.end()
        if count >= MAXIMUM_BLOCKS:
            msg = f"{source} holds over {MAXIMUM_BLOCKS} PEM blocks"
            raise Malformed(msg, hint="split the file")
        body = match[2].replace(b"\r\n", b"\n")
        headers = _headers(body)
        label = match[1].decode()
        yield Block(label, _decoded(body[len(headers) :], f"the {label} in {source}"), source, headers)
    cut = _BEGIN.search(data, end)
    if cut is not None:
        msg = f"{source} is cut off: BEGIN {cut[1].decode()} has no END {cut[1].decode()}"
        raise Malformed(msg, hint="copy the whole block, with its BEGIN and END lines")


def _check_begin(data: bytes, match: re.Match[bytes], end: int, source: str) -> None:
    between = data[end : match.start()]
    if match[1] == match[3] and b"-----BEGIN" not in match[2] and not _BEGIN.search(between):
        return
    label = (_BEGIN.search(between) or match)[1].decode()
    msg = f"{source} is cut off: BEGIN {label} is not followed by END {label}"
    raise Malformed(msg, hint="copy the whole block, with its BEGIN and END lines")


def _headers(body: bytes) -> bytes:
    # Base64 has no colon.
    found = _HEADER.match(body) if b":" in body else None
    return found.group() if found else b""


def _decoded(body: bytes, what: str) -> bytes:
    try:
        decoded = binascii.a2b_base64(body.translate(None, b" \t\r\n"), strict_mode=True)
    except binascii.Error as error:
        msg = f"{what} is not base64: {str(error).lower()}"
        raise Malformed(msg, hint="the text was changed in transit; copy or export it again") from None
    if not decoded:
        raise Malformed(f"{what} is empty", hint="export it again")
    return decoded


def certificates(data: bytes, source: str = "input") -> tuple[x509.Certificate, ...]:
    """Every certificate in the data, at least one; keys beside them are left alone. Raises Malformed."""
    contents = read_public(data, source=source)
    if not contents.certificates:
        raise _wanted("a certificate", contents)
    return contents.certificates


def read_public(data: bytes, *, source: str = "input") -> Contents:
    """As read(), but private keys are skipped unread: no password is needed for a file that also holds one."""
    return read(block.without_private_keys(data), source=source)


def one_certificate(data: bytes, source: str = "input") -> x509.Certificate:
    """The only certificate, or of a chain the first. Raises Malformed."""
    return certificates(data, source)[0]


def one_request(data: bytes, source: str = "input") -> x509.CertificateSigningRequest:
    """The only certificate request. Does not verify its signature (handfast.pki.csr does). Raises Malformed."""
    contents = read_public(data, source=source)
    if len(contents.requests) != 1:
        raise _wanted("one certificate request", contents)
    return contents.requests[0]


def request_der(data: bytes, source: str = "input") -> bytes | None:
    """The DER of the only request, not parsed: for one that needs more tolerance than read() has. None for any other.

    Raises Malformed for PEM that is not whole.
    """
    data = block.as_bytes_of_text(data)
    if data[:1] == b"\x30":
        return data
    labels = {"CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"}
    found = [one.der for one in _blocks(data, source) if one.label in labels]
    return found[0] if len(found) == 1 else None


def request_text(der: bytes) -> str:
    """The PEM text of a request in DER, as it came: some that are accepted cannot be written anew."""
    text = base64.encodebytes(der).decode()
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{text}-----END CERTIFICATE REQUEST-----\n"


def one_key(data: bytes, password: bytes | None = None, source: str = "input") -> PrivateKey:
    """The only private key. Does not ask whether it is strong. Raises Malformed."""
    contents = read(data, password=password, source=source)
    if len(contents.keys) != 1:
        raise _wanted("one private key", contents)
    return contents.keys[0]


def one_crl(data: bytes, source: str = "input") -> x509.CertificateRevocationList:
    """The only CRL. Does not verify its signature. Raises Malformed."""
    contents = read_public(data, source=source)
    if len(contents.crls) != 1:
        raise _wanted("one CRL", contents)
    return contents.crls[0]


def _wanted(what: str, contents: Contents) -> Malformed:
    msg = f"{contents.source} holds {contents.describe()}, where {what} is wanted"
    return Malformed(msg, hint=f"give the file that holds {what}")


def to_pem(
    value: x509.Certificate
    | x509.CertificateSigningRequest
    | x509.CertificateRevocationList
    | PrivateKey
    | PublicKeyTypes,
) -> str:
    """The PEM text. A private key comes out as unencrypted PKCS#8: where it goes is the caller's care."""
    if isinstance(value, x509.Certificate | x509.CertificateSigningRequest | x509.CertificateRevocationList):
        return value.public_bytes(Encoding.PEM).decode("ascii")
    if hasattr(value, "private_bytes"):
        return value.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")
    return value.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")
