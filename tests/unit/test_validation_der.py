"""DER and certificates are read strictly: what is encoded otherwise than X.690 says is refused."""

import pytest
from cryptography import x509

from handfast.errors import Malformed
from handfast.pki.der import encode, sequence
from handfast.validate import read_certificate
from handfast.validate.certificate import MAXIMUM_BYTES
from handfast.validate.der import boolean, dotted, identifier, integer, items, read
from handfast.validate.extensions import (
    authority_key_identifier,
    basic_constraints,
    extended_key_usage,
    key_usage,
    name_constraints,
    title,
)
from tests.unit.validation_world import World, codes, utc_times


@pytest.mark.parametrize("data", ["3000", "30820080" + "00" * 128, "308180" + "00" * 128, "0401ff"])
def test_an_element_is_read(data: str) -> None:
    octets = bytes.fromhex(data)
    if data.startswith("3082"):
        with pytest.raises(Malformed):
            read(octets, 0, len(octets))
    else:
        assert read(octets, 0, len(octets))[2] == len(octets)


@pytest.mark.parametrize(
    "data", ["", "30", "3001", "3080", "308100", "30817f" + "00" * 127, "30850000000000", "1f0100", "3082"]
)
def test_an_element_that_is_no_der_is_refused(data: str) -> None:
    octets = bytes.fromhex(data)
    with pytest.raises(Malformed):
        read(octets, 0, len(octets))


def test_one_element_is_all_there_is() -> None:
    assert items(b"\x30\x02\x05\x00", 0x30) == [(5, b"", b"\x05\x00")]
    with pytest.raises(Malformed):
        items(b"\x30\x02\x05\x00\x00", 0x30)
    with pytest.raises(Malformed):
        items(b"\x31\x00", 0x30)


@pytest.mark.parametrize(
    ("octets", "value"), [(b"\0", 0), (b"\x7f", 127), (b"\0\x80", 128), (b"\xff", -1), (b"\xff\x7f", -129)]
)
def test_an_integer_in_the_shortest_form_is_read(octets: bytes, value: int) -> None:
    assert integer(octets) == value


@pytest.mark.parametrize("octets", [b"", b"\0\x7f", b"\xff\x80"])
def test_an_integer_in_another_form_is_refused(octets: bytes) -> None:
    with pytest.raises(Malformed):
        integer(octets)


@pytest.mark.parametrize("octets", [b"", b"\x01", b"\xff\xff"])
def test_a_boolean_is_true_or_false(octets: bytes) -> None:
    assert boolean(b"\xff")
    assert not boolean(b"\0")
    with pytest.raises(Malformed):
        boolean(octets)


@pytest.mark.parametrize(
    "text", ["1.2.840.113549.1.1.11", "2.5.29.17", "2.16.840.1.101.3.4.3.17", "0.9.2342", "2.999.3"]
)
def test_an_object_identifier_reads_back(text: str) -> None:
    assert dotted(identifier(text)) == text


@pytest.mark.parametrize("octets", [b"", b"\x55\x9d"])
def test_an_object_identifier_that_breaks_off_is_refused(octets: bytes) -> None:
    with pytest.raises(Malformed):
        dotted(octets)


def test_a_certificate_is_read_as_cryptography_reads_it() -> None:
    data = World().leaf.der()
    ours, theirs = read_certificate(data), x509.load_der_x509_certificate(data)
    assert ours.serial == theirs.serial_number
    assert ours.tbs == theirs.tbs_certificate_bytes
    assert ours.signature == theirs.signature
    assert ours.not_before == f"{theirs.not_valid_before_utc:%Y%m%d%H%M%S}Z".encode()
    assert ours.not_after == f"{theirs.not_valid_after_utc:%Y%m%d%H%M%S}Z".encode()
    assert ours.subject == theirs.subject.public_bytes()
    assert len(ours.extensions) == len(theirs.extensions)
    assert read_certificate(theirs).der == data
    assert ours.to_x509() == theirs


def test_a_certificate_of_a_megabyte_is_read_and_one_byte_more_is_not() -> None:
    with pytest.raises(Malformed, match="more than"):
        read_certificate(b"\x30" * (MAXIMUM_BYTES + 1))
    with pytest.raises(Malformed, match="not a certificate"):
        read_certificate(b"\x30" * MAXIMUM_BYTES)


@pytest.mark.parametrize("cut", [-1, 1, 40])
def test_a_certificate_that_is_cut_or_has_more_is_refused(cut: int) -> None:
    data = World().leaf.der()
    with pytest.raises(Malformed):
        read_certificate(data[:cut] if cut > 1 else data + b"\0" if cut > 0 else data[:-1])


def test_nothing_follows_the_signature() -> None:
    data = World().leaf.der()
    tbs_and_more = b"".join(whole for _, _, whole in items(data, 0x30))
    read_certificate(sequence([tbs_and_more]))
    with pytest.raises(Malformed):
        read_certificate(sequence([tbs_and_more, b"\x05\x00"]))


BAD_TIMES = [
    "2601010000Z",
    "260101000000",
    "261301000000Z",
    "260132000000Z",
    "260101240000Z",
    "260101006000Z",
    "260101000060Z",
]


@pytest.mark.parametrize("text", BAD_TIMES)
def test_a_time_that_is_none_is_refused(text: str) -> None:
    world = World()
    world.leaf.validity = utc_times(text, "270101000000Z")
    assert ("malformed-certificate", 0) in codes(world.report())


@pytest.mark.parametrize(
    ("text", "found"), [("500101000000Z", b"19500101000000Z"), ("491231235959Z", b"20491231235959Z")]
)
def test_two_digits_of_a_year_mean_1950_to_2049(text: str, found: bytes) -> None:
    world = World()
    world.leaf.validity = utc_times(text, text)
    assert read_certificate(world.leaf.der()).not_before == found


def test_times_after_2049_are_read() -> None:
    world = World()
    world.leaf.validity = sequence([encode(0x17, b"260101000000Z"), encode(0x18, b"99991231235959Z")])
    assert world.report().is_acceptable


@pytest.mark.parametrize(
    ("decode", "value"),
    [
        (basic_constraints, "30030101fe"),
        (basic_constraints, "30060101ff0201ff"),
        (basic_constraints, "30020500"),
        (key_usage, "0300"),
        (key_usage, "030108"),
        (key_usage, "040107"),
        (extended_key_usage, "3000"),
        (extended_key_usage, "30020500"),
        (authority_key_identifier, "30028300"),
        (authority_key_identifier, "3003820101"),
        (name_constraints, "3002a200"),
        (name_constraints, "3004a0023000"),
        (name_constraints, "3007a0053003860161"[:-2] + "e4"),
    ],
)
def test_an_extension_that_is_not_what_it_is_called_is_malformed(decode: object, value: str) -> None:
    assert callable(decode)
    with pytest.raises(Malformed):
        decode(bytes.fromhex(value))


def test_extensions_that_are_right_are_decoded() -> None:
    assert basic_constraints(bytes.fromhex("30060101ff020103")) == (True, 3)
    assert basic_constraints(b"\x30\0") == (False, None)
    assert key_usage(bytes.fromhex("03020106")) == {"keyCertSign", "cRLSign"}
    assert key_usage(bytes.fromhex("0303070080")) == {"decipherOnly"}
    assert [title(field) for field in ("names", "key_usage", "access")] == [
        "subjectAltName",
        "keyUsage",
        "authorityInfoAccess",
    ]
