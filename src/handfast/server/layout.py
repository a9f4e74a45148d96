"""What is where in an authority's directory, and the copies of public things that are written there for use."""

import binascii
import struct
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from handfast.ca.authority import Authority
from handfast.ca.published import Published, Which
from handfast.keys.files import PUBLIC, alone_in, make_directory, write_atomically
from handfast.pki.pem import to_pem

DATABASE = "ca.sqlite"
KEYS = "keys"
CERTIFICATES = "certificates"
CRLS = "crl"
RESPONDERS = "ocsp"
ISSUED = "issued"
CHAIN = "chain.pem"
CROSSES = "crosses.pem"
ANCHORS = "anchors.pem"
CRL_BUNDLE = "crls.pem"
# So many lines of PEM are made at once: 48 octets, which are 64 characters, each.
_LINES = struct.Struct("64s" * 1024)
_PIECE = _LINES.size // 4 * 3


def write_certificates(directory: Path, authority: Authority) -> None:
    """certificates/: each issuer as NAME.pem, chain.pem (what holders send after their own), anchors.pem (roots),
    crosses.pem (the roots' cross certificates, while there are any).
    """
    folder = make_directory(directory / CERTIFICATES)
    crosses = dict.fromkeys(cross for one in authority.issuers.values() for cross in one.crosses)
    if crosses:
        write_atomically(folder / CROSSES, "".join(map(to_pem, crosses)), mode=PUBLIC)
    else:
        (folder / CROSSES).unlink(missing_ok=True)
    for issuer in authority.issuers.values():
        write_atomically(folder / f"{issuer.name}.pem", to_pem(issuer.certificate), mode=PUBLIC)
    if not authority.issuers:
        return
    issuer = authority.issuer()
    write_atomically(folder / CHAIN, "".join(map(to_pem, issuer.presented_chain)), mode=PUBLIC)
    anchors = dict.fromkeys(one.anchor for one in authority.issuers.values())
    write_atomically(folder / ANCHORS, "".join(map(to_pem, anchors)), mode=PUBLIC)


def publish_crl(directory: Path, authority: Authority, name: str | None = None) -> Path:
    """Make a new CRL of an issuer and write it: crl/NAME.crl in DER (what it returns), crl/NAME.pem, crl/crls.pem.

    crls.pem holds the CRLs of all issuers, which is what servers want. Raises ConfigError when the key is not there.
    """
    issuer = authority.issuer(name)
    write_crl(directory, authority, issuer.name, authority.publish(Which(issuer.name)))
    return crl_path(directory, issuer.name)


def write_crl(directory: Path, authority: Authority, issuer: str, made: Published | None = None) -> Published | None:
    """Write the CRL that is published in the store, as publish_crl() does; None when there is none yet.

    made: one that was just published, and need not be read again if it is still the newest.
    """
    path = crl_path(directory, issuer)
    make_directory(path.parent)
    with alone_in(path.parent):
        # Read here: of several who write, the last one writes the newest.
        published = _newest(authority, Which(issuer), made)
        if published is None:
            return None
        write_atomically(path, published.der, mode=PUBLIC)
        lines = _crl_pem(published.der)
        write_atomically(path.with_suffix(".pem"), lines, mode=PUBLIC)
        others = [crl_path(directory, one).with_suffix(".pem") for one in authority.issuers if one != issuer]
        bundle = [one.read_bytes() for one in others if one.exists()]
        write_atomically(path.parent / CRL_BUNDLE, [*bundle, *lines], mode=PUBLIC)
    return published


def _newest(authority: Authority, which: Which, made: Published | None) -> Published | None:
    publications = authority.store.publications
    numbers = {one.which: one.record.number for one in publications.all(which.issuer)}
    if made is not None and numbers.get(which) == made.record.number:
        return made
    return publications.get(which)


def _crl_pem(data: bytes) -> list[bytes]:
    """The PEM of a CRL in DER, in pieces and without reading a million entries."""
    pieces = [b"-----BEGIN X509 CRL-----\n"]
    end = len(data) // _PIECE * _PIECE
    for start in range(0, end, _PIECE):
        text = binascii.b2a_base64(data[start : start + _PIECE], newline=False)
        pieces += (b"\n".join(_LINES.unpack(text)), b"\n")
    rest = binascii.b2a_base64(data[end:], newline=False)
    pieces += [rest[at : at + 64] + b"\n" for at in range(0, len(rest), 64)]
    return [*pieces, b"-----END X509 CRL-----\n"]


def crl_path(directory: Path, issuer: str) -> Path:
    """Where an issuer's CRL is, in DER; in PEM beside it."""
    return directory / CRLS / f"{issuer}.crl"


def request_path(directory: Path, name: str) -> Path:
    """Where the request of a subordinate CA waits for its certificate."""
    return directory / CERTIFICATES / f"{name}.csr"


def der_of(certificate: x509.Certificate) -> bytes:
    """The certificate in DER."""
    return certificate.public_bytes(Encoding.DER)
