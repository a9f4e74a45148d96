"""What is where in an authority's directory, and the copies of public things that are written there for use."""

import binascii
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
ANCHORS = "anchors.pem"
CRL_BUNDLE = "crls.pem"
# A whole number of lines of 48 octets, which are 64 characters each.
_PIECE = 48 * 16384


def write_certificates(directory: Path, authority: Authority) -> None:
    """certificates/: each issuer as NAME.pem, chain.pem (what holders send after their own), anchors.pem (roots)."""
    folder = make_directory(directory / CERTIFICATES)
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
    authority.publish(Which(issuer.name))
    write_crl(directory, authority, issuer.name)
    return crl_path(directory, issuer.name)


def write_crl(directory: Path, authority: Authority, issuer: str) -> Published | None:
    """Write the CRL that is published in the store, as publish_crl() does; None when there is none yet."""
    path = crl_path(directory, issuer)
    make_directory(path.parent)
    with alone_in(path.parent):
        # Read here: of several who write, the last one writes the newest.
        published = authority.store.publications.get(Which(issuer))
        if published is None:
            return None
        write_atomically(path, published.der, mode=PUBLIC)
        text = _crl_pem(published.der)
        write_atomically(path.with_suffix(".pem"), text, mode=PUBLIC)
        others = [crl_path(directory, one).with_suffix(".pem") for one in authority.issuers if one != issuer]
        bundle = [one.read_bytes() for one in others if one.exists()]
        write_atomically(path.parent / CRL_BUNDLE, b"".join((*bundle, text)) if bundle else text, mode=PUBLIC)
    return published


def _crl_pem(data: bytes) -> bytes:
    """The PEM of a CRL in DER, without reading a million entries."""
    pieces = [b"-----BEGIN X509 CRL-----\n"]
    for start in range(0, len(data), _PIECE):
        text = binascii.b2a_base64(data[start : start + _PIECE], newline=False)
        pieces += [b"\n".join([text[at : at + 64] for at in range(0, len(text), 64)]), b"\n"]
    return b"".join((*pieces, b"-----END X509 CRL-----\n"))


def crl_path(directory: Path, issuer: str) -> Path:
    """Where an issuer's CRL is, in DER; in PEM beside it."""
    return directory / CRLS / f"{issuer}.crl"


def request_path(directory: Path, name: str) -> Path:
    """Where the request of a subordinate CA waits for its certificate."""
    return directory / CERTIFICATES / f"{name}.csr"


def der_of(certificate: x509.Certificate) -> bytes:
    """The certificate in DER."""
    return certificate.public_bytes(Encoding.DER)
