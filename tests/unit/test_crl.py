"""CRLs: read back by cryptography, entry for entry."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from handfast.errors import ConfigError
from handfast.pki.crl import CrlHeader, RevokedEntry, build_crl, encode_entry, join_crl, parse_crl
from handfast.pki.keys import KeyKind
from tests.pki_factory import DAY, NOW, authority_of, key_of, serial

HEADER = CrlHeader(number=7, this_update=NOW, next_update=NOW + 7 * DAY)
SIGNERS = [kind for kind in KeyKind if kind not in {KeyKind.RSA3072, KeyKind.RSA4096}]


def build(entries: list[RevokedEntry], header: CrlHeader = HEADER, kind: KeyKind = KeyKind.P256) -> bytes:
    authority = authority_of(kind)
    return build_crl(entries, header, issuer=authority.issuer, key=authority.key)


@pytest.mark.parametrize("kind", SIGNERS)
def test_every_kind_of_key_signs_a_crl(kind: KeyKind) -> None:
    crl = parse_crl(build([RevokedEntry(serial(), NOW)], kind=kind))
    assert crl.is_signature_valid(authority_of(kind).key.public_key())
    assert crl.issuer == authority_of(kind).issuing.subject
    assert (crl.last_update_utc, crl.next_update_utc) == (HEADER.this_update, HEADER.next_update)


@pytest.mark.parametrize("reason", [None, *x509.ReasonFlags])
def test_every_reason_is_carried(reason: x509.ReasonFlags | None) -> None:
    entry = RevokedEntry(serial(), NOW, reason)
    (listed,) = parse_crl(build([entry]))
    assert (listed.serial_number, listed.revocation_date_utc) == (entry.serial, NOW)
    reasons = [extension.value.reason for extension in listed.extensions]
    assert reasons == ([reason] if reason not in {None, x509.ReasonFlags.unspecified} else [])


@pytest.mark.parametrize("number", [1, 127, 128, 255, 256, 2**64, 2**159 - 1, 2**159, 2**160 - 1, 2**1200])
def test_a_serial_of_any_size_is_carried(number: int) -> None:
    (listed,) = parse_crl(build([RevokedEntry(number, NOW)]))
    assert listed.serial_number == number


@pytest.mark.parametrize(
    "moment",
    [
        datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC),
        datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC),
        datetime(2050, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
    ],
)
def test_times_before_and_after_2050_are_carried(moment: datetime) -> None:
    header = CrlHeader(number=1, this_update=moment - timedelta(seconds=1), next_update=moment)
    crl = parse_crl(build([RevokedEntry(1, moment)], header))
    assert crl[0].revocation_date_utc == moment
    assert crl.next_update_utc == moment


def test_an_empty_crl_has_no_list_of_entries() -> None:
    crl = parse_crl(build([]))
    assert len(crl) == 0
    assert crl.is_signature_valid(authority_of().key.public_key())


def test_the_extensions_are_those_of_rfc_5280() -> None:
    scope = x509.IssuingDistributionPoint(
        full_name=[x509.UniformResourceIdentifier("http://ca.example.com/a.crl")],
        relative_name=None,
        only_contains_user_certs=True,
        only_contains_ca_certs=False,
        only_some_reasons=None,
        indirect_crl=False,
        only_contains_attribute_certs=False,
    )
    header = CrlHeader(
        number=2**150,
        this_update=NOW,
        next_update=NOW + DAY,
        base_number=5,
        scope=scope,
        freshest=("http://ca.example.com/delta.crl",),
    )
    extensions = parse_crl(build([], header)).extensions
    found = {type(extension.value): extension for extension in extensions}
    assert found[x509.CRLNumber].value == x509.CRLNumber(2**150)
    assert found[x509.DeltaCRLIndicator].value == x509.DeltaCRLIndicator(5)
    assert found[x509.DeltaCRLIndicator].critical
    assert found[x509.IssuingDistributionPoint].value == scope
    assert found[x509.IssuingDistributionPoint].critical
    assert isinstance(found[x509.FreshestCRL].value, x509.FreshestCRL)
    key_id = extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    assert key_id == authority_of().issuer.key_id


def test_encoded_entries_join_to_the_same_list_in_any_pieces() -> None:
    entries = [RevokedEntry(serial(), NOW + timedelta(seconds=number)) for number in range(100)]
    encoded = [encode_entry(entry.serial, entry.revoked_at, entry.reason) for entry in entries]
    authority = authority_of()
    pieces = [b"".join(encoded[:60]), b"", b"".join(encoded[60:])]
    joined = join_crl(pieces, HEADER, issuer=authority.issuer, key=authority.key)
    expected = [(entry.serial, entry.revoked_at) for entry in entries]
    assert [(listed.serial_number, listed.revocation_date_utc) for listed in parse_crl(joined)] == expected


def test_a_key_that_is_not_the_issuers_is_refused() -> None:
    with pytest.raises(ConfigError, match="does not belong"):
        build_crl([], HEADER, issuer=authority_of().issuer, key=key_of(KeyKind.P384))


def test_an_hour_elsewhere_is_written_in_utc() -> None:
    elsewhere = datetime.fromisoformat("2026-11-26T14:00:00+02:00")
    (listed,) = parse_crl(build([RevokedEntry(1, elsewhere)]))
    assert listed.revocation_date_utc == NOW
