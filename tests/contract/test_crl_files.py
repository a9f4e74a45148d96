"""The files of a CRL in an authority's directory: DER, PEM, and the PEM of all CRLs."""

import base64
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from handfast.ca.authority import Authority
from handfast.ca.published import Which
from handfast.keys.passphrase import no_passphrase
from handfast.pki.crl import number_of
from handfast.server.assembly import open_authority
from handfast.server.founding import Plan, create_authority
from handfast.server.layout import crl_path, write_crl

ISSUING = Which("issuing")
# So many octets become PEM at once.
PIECE = 48 * 1024


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[Authority]:
    create_authority(tmp_path, Plan(name="Test"), passphrase=no_passphrase).store.close()
    opened = open_authority(tmp_path, passphrase=no_passphrase)
    yield opened
    opened.store.close()


@pytest.mark.parametrize("size", [1, 47, 48, 49, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 3 * PIECE + 100])
def test_pem_of_any_size_is_lines_of_64_characters(size: int, authority: Authority, tmp_path: Path) -> None:
    data = bytes(number * number % 251 for number in range(size))
    made = replace(authority.publish(ISSUING), der=data)

    write_crl(tmp_path, authority, "issuing", made)

    lines = textwrap.wrap(base64.b64encode(data).decode(), 64)
    expected = "\n".join(["-----BEGIN X509 CRL-----", *lines, "-----END X509 CRL-----\n"])
    folder = tmp_path / "crl"
    assert (folder / "issuing.pem").read_text() == expected
    assert (folder / "issuing.crl").read_bytes() == data
    assert (folder / "crls.pem").read_text() == (folder / "root.pem").read_text() + expected


def test_a_crl_that_was_overtaken_is_not_written_over_the_newer_one(authority: Authority, tmp_path: Path) -> None:
    made = authority.publish(ISSUING)
    newer = authority.publish(ISSUING)

    written = write_crl(tmp_path, authority, "issuing", made)

    assert written == newer
    assert number_of(crl_path(tmp_path, "issuing").read_bytes()) == newer.record.number > made.record.number
