"""Every CRL of PKITS and of cryptography's own vectors: the index holds exactly what cryptography reads in it."""

from pathlib import Path

import cryptography_vectors
import pytest
from cryptography import x509

from handfast.errors import Malformed
from handfast.validate.distinguished_names import Key, name_key
from handfast.validate.revocation import LoadedCRL, load_crl

VECTORS = Path(cryptography_vectors.__file__).parent / "x509"
LISTS = [*sorted((VECTORS / "PKITS_data" / "crls").iterdir()), *sorted((VECTORS / "custom").glob("*crl*"))]

pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")


def reason_of(entry: x509.RevokedCertificate) -> x509.ReasonFlags | None:
    try:
        return entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except x509.ExtensionNotFound:
        return None


def issuer_of(entry: x509.RevokedCertificate) -> x509.Name | None:
    try:
        names = entry.extensions.get_extension_for_class(x509.CertificateIssuer).value
    except x509.ExtensionNotFound:
        return None
    return names.get_values_for_type(x509.DirectoryName)[0]


def read(path: Path) -> LoadedCRL | None:
    """The list; None for those vectors that are damaged on purpose."""
    try:
        loaded = load_crl(path.read_bytes(), source=path.name)
        _ = loaded.index
        _ = [entry.extensions for entry in loaded.crl]
    except (Malformed, ValueError, x509.DuplicateExtension):
        return None
    return loaded


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.name)
def test_the_index_finds_each_entry_with_its_reason_and_issuer(path: Path) -> None:
    loaded = read(path)
    if loaded is None:
        return
    issuer: Key = ()
    for entry in loaded.crl:
        named = issuer_of(entry)
        issuer = name_key(named.public_bytes()) if named else issuer
        found = loaded.index.find(entry.serial_number, issuer)
        assert found is not None
        assert (found.revoked_at, found.reason) == (entry.revocation_date_utc, reason_of(entry))
    assert len(loaded.index) == len(loaded.crl)


def test_all_but_the_damaged_ones_are_read() -> None:
    assert sum(read(path) is not None for path in LISTS if "PKITS" in str(path)) == 173
