"""Any bytes or text: a value comes out, or Malformed with a hint; nothing else, whatever is fed in."""

from collections.abc import Callable
from random import Random
from typing import TypeVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from handfast.checks.certificate import run_checks
from handfast.errors import ConfigError, Malformed, Unacceptable
from handfast.pki.crl import CrlHeader, RevokedEntry, build_crl, parse_crl
from handfast.pki.csr import build_request, parse_request
from handfast.pki.draft import draft_of
from handfast.pki.lifetime import format_lifetime, parse_lifetime
from handfast.pki.names import from_general_names, parse_name, parse_names
from handfast.pki.pem import read, to_pem
from handfast.pki.pkcs12 import build_pkcs12
from handfast.pki.profile import from_table
from handfast.pki.subject import format_subject, parse_subject
from tests.pki_factory import DAY, NOW, authority_of, key_of

FEW = settings(max_examples=60, derandomize=True, deadline=None)

LEAF = authority_of().issue("server", names=["www.example.com", "192.0.2.1"])
REQUEST = build_request(key_of(), subject=parse_subject("CN=a,O=b"), names=parse_names(["a.example", "b@c.example"]))
CRL = build_crl(
    [RevokedEntry(5, NOW, x509.ReasonFlags.superseded)],
    CrlHeader(number=1, this_update=NOW, next_update=NOW + DAY),
    issuer=authority_of().issuer,
    key=authority_of().key,
)
P12 = build_pkcs12(key_of(), authority_of().issue("client"), password=b"x", friendly_name="a")
SEEDS = {
    "certificate": LEAF.public_bytes(Encoding.DER),
    "certificate-pem": to_pem(LEAF).encode(),
    "request": REQUEST.public_bytes(Encoding.DER),
    "request-pem": to_pem(REQUEST).encode(),
    "crl": CRL,
    "key-pem": to_pem(key_of()).encode(),
    "pkcs12": P12,
}
READERS: dict[str, Callable[[bytes], object]] = {
    "read": read,
    "read-with-password": lambda data: read(data, password=b"x"),
    "request": parse_request,
    "crl": parse_crl,
}


Argument = TypeVar("Argument")
Value = TypeVar("Value")


def outcome(function: Callable[[Argument], Value], argument: Argument) -> Value | None:
    """The value, or None when it was refused as it should be."""
    try:
        return function(argument)
    except (Malformed, Unacceptable, ConfigError) as error:
        refused = error
    assert refused.hint
    assert refused.message
    return None


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@given(data=st.binary(max_size=300))
@FEW
def test_any_bytes_are_read_or_refused(reader: Callable[[bytes], object], data: bytes) -> None:
    outcome(reader, data)


@given(name=st.sampled_from(sorted(SEEDS)), seed=st.integers(0, 2**32))
@settings(max_examples=400, derandomize=True, deadline=None)
def test_a_damaged_file_is_read_or_refused(name: str, seed: int) -> None:
    # Positions drawn evenly: Hypothesis itself prefers the ends of a range.
    dice = Random(seed)
    damaged = bytearray(SEEDS[name])
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        damaged[dice.randrange(len(damaged))] = dice.randrange(256)
    if dice.random() < 0.2:
        del damaged[-dice.randrange(1, 40) :]
    for reader in READERS.values():
        contents = outcome(reader, bytes(damaged))
        for certificate in getattr(contents, "certificates", ()):
            run_checks(draft_of(certificate))


@given(label=st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ", max_size=20), content=st.binary(max_size=80))
@FEW
def test_a_block_of_any_kind_is_read_or_refused(label: str, content: bytes) -> None:
    data = b"-----BEGIN " + label.encode() + b"-----\n" + content + b"\n-----END " + label.encode() + b"-----\n"
    outcome(read, data)


PIECES = st.text(
    st.sampled_from('ab1.*-_@:/%[]=,+\\"# \x00\n\u00fc\u00df\u200d\u2603\u3002spifehttxn'), max_size=24
) | st.text(max_size=24)


@given(text=PIECES)
@settings(max_examples=200, derandomize=True, deadline=None)
def test_a_name_that_is_accepted_is_canonical(text: str) -> None:
    name = outcome(parse_name, text)
    if name is None:
        return
    assert parse_name(str(name)) == name
    assert name.value.isascii()
    assert name.value.isprintable()
    assert from_general_names([name.to_general_name()]) == (name,)


@given(text=PIECES)
@settings(max_examples=200, derandomize=True, deadline=None)
def test_a_subject_that_is_accepted_is_written_and_read_back(text: str) -> None:
    subject = outcome(parse_subject, text)
    if subject is None:
        return
    assert parse_subject(format_subject(subject)) == subject
    assert subject.public_bytes()


VALUES = st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" "), min_size=1, max_size=20)


@given(values=st.lists(VALUES, min_size=1, max_size=4))
@FEW
def test_any_printable_value_goes_through_a_subject(values: list[str]) -> None:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, value) for value in values]
    name = x509.Name(attributes)
    assert parse_subject(format_subject(name)) == name


@given(text=st.text(max_size=12) | st.from_regex(r"[0-9]{1,6}[smhdwy]([0-9]{1,4}[smhdwy])?", fullmatch=True))
@FEW
def test_a_length_of_time_is_read_or_refused(text: str) -> None:
    length = outcome(parse_lifetime, text)
    if length is None:
        return
    assert parse_lifetime(format_lifetime(length)) == length


@given(
    table=st.dictionaries(
        st.sampled_from(["like", "lifetime", "names", "keys", "key_usage", "subject", "wildcards", "x", "path_length"]),
        st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.lists(st.text(max_size=8), max_size=3),
    )
)
@FEW
def test_any_table_makes_a_profile_or_a_config_error(table: dict[str, object]) -> None:
    profile = outcome(lambda content: from_table("x", content), table)
    assert profile is None or profile.name == "x"


@given(
    serials=st.lists(st.integers(1, 2**159), max_size=30, unique=True),
    reason=st.sampled_from([None, *x509.ReasonFlags]),
)
@FEW
def test_a_crl_lists_what_it_was_given(serials: list[int], reason: x509.ReasonFlags | None) -> None:
    entries = [RevokedEntry(serial, NOW, reason) for serial in serials]
    header = CrlHeader(number=1, this_update=NOW, next_update=NOW + DAY)
    crl = parse_crl(build_crl(entries, header, issuer=authority_of().issuer, key=authority_of().key))
    assert [listed.serial_number for listed in crl] == serials
