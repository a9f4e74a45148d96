"""The index over a CRL's entries: it finds exactly what is there, whatever the serials look like."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from handfast.errors import Malformed
from handfast.validate.revocation import load_crl
from tests.unit.revocation_world import CA, crl, entry

R = x509.ReasonFlags
EDGES = [1, 127, 128, 255, 256, 32767, 32768, 2**63, 2**64 - 1, 2**159 - 1, 2**158 + 12345]


def test_every_serial_is_found_and_no_other() -> None:
    index = crl(*(entry(serial) for serial in EDGES)).index
    assert [index.find(serial) is not None for serial in EDGES] == [True] * len(EDGES)
    others = {serial + step for serial in EDGES for step in (-1, 1)} - set(EDGES)
    assert [serial for serial in others if index.find(serial)] == []
    assert index.find(0) is None
    assert index.find(-1) is None


@pytest.mark.parametrize("reason", [reason for reason in R if reason is not R.unspecified])
def test_the_reason_and_the_time_are_those_that_cryptography_reads(reason: x509.ReasonFlags) -> None:
    loaded = crl(entry(1), entry(2, reason))
    found = loaded.index.find(2)
    assert found is not None
    assert (found.reason, found.revoked_at) == (reason, loaded.crl[1].revocation_date_utc)


def test_an_empty_list_has_an_empty_index() -> None:
    assert len(crl().index) == 0
    assert crl().index.find(1) is None


def test_a_list_of_many_entries_agrees_with_cryptography() -> None:
    serials = [(7919 * number) ** 3 % 2**61 for number in range(1, 2000)]
    loaded = crl(*(entry(serial) for serial in serials))
    assert len(loaded.index) == len(loaded.crl)
    assert all(loaded.index.find(serial) for serial in serials)


def test_pem_and_der_are_the_same_list() -> None:
    loaded = crl(entry(9))
    again = load_crl(loaded.crl.public_bytes(Encoding.PEM))
    assert (again.der, again.number, again.issuer) == (loaded.der, 7, CA.subject.public_bytes())


def test_what_is_no_list_is_refused_by_name() -> None:
    data = crl(entry(9)).der
    for broken in (b"", b"\x30", data[:-1], b"-----BEGIN X509 CRL-----", CA.public_bytes(Encoding.DER)):
        with pytest.raises(Malformed, match=r"^here: not a CRL"):
            load_crl(broken, source="here")
