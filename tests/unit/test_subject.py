"""Distinguished names: RFC 4514, the slash form, and what is refused."""

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from handfast.errors import Malformed
from handfast.pki.subject import format_subject, parse_subject

ACCEPTED = [
    ("CN=alice,O=Example", "CN=alice,O=Example"),
    (" cn = alice , o = Example ", "CN=alice,O=Example"),
    ("alice", "CN=alice"),
    ("", ""),
    ("/O=Example/CN=alice", "CN=alice,O=Example"),
    ("CN=Smith\\, Jr.,O=A\\=B", "CN=Smith\\, Jr.,O=A\\=B"),
    ('CN="Smith, Jr.",O=Example', "CN=Smith\\, Jr.,O=Example"),
    ("CN=caf\\C3\\A9", "CN=café"),
    ("CN=alice+UID=7,O=Example", "CN=alice+UID=7,O=Example"),
    ("CN=alice;C=de", "CN=alice,C=DE"),
    ("commonName=alice,emailAddress=a@example.com", "CN=alice,EMAIL=a@example.com"),
    ("CN=\\20alice\\20", "CN=\\20alice\\20"),
    ("CN=a/b", "CN=a/b"),
    ("CN=alice,DC=example,DC=com", "CN=alice,DC=example,DC=com"),
]

REFUSED = [
    ("XN=alice", "XN is not known", 0),
    ("CN=", "CN is empty", 3),
    ("CN=alice,", "no =", 9),
    ("CN=alice,,O=x", "no =", 9),
    ("C=deu", "over 2 characters", 4),
    ("C=d1", "two letters", 2),
    ("CN=" + "x" * 65, "over 64 characters", 67),
    ("CN=a\\", "backslash", 4),
    ('CN="alice', "not closed", 9),
    ("CN=a\x07b", "U+0007", 4),
    ("CN=a\\00b", "U+0000", 3),
    ("CN=\\ff", "not UTF-8", 3),
    ("CN=a+CN=a", "twice", 0),
    ("DC=bücher", "ASCII", 4),
    ("=x", "not known", 0),
]


@pytest.mark.parametrize(("text", "expected"), ACCEPTED)
def test_a_subject_is_read_and_written(text: str, expected: str) -> None:
    assert format_subject(parse_subject(text)) == expected


@pytest.mark.parametrize(("text", "said", "column"), REFUSED)
def test_a_wrong_subject_is_refused_with_a_caret(text: str, said: str, column: int) -> None:
    with pytest.raises(Malformed) as refused:
        parse_subject(text)
    message, _, caret = refused.value.message.split("\n")
    assert said in message
    assert caret.index("^") - 2 == column
    assert refused.value.hint


def test_the_comma_form_is_turned_around_in_the_certificate() -> None:
    assert [rdn.rfc4514_string() for rdn in parse_subject("CN=alice,O=Example").rdns] == ["O=Example", "CN=alice"]


def test_an_attribute_that_is_not_known_names_the_nearest_one() -> None:
    with pytest.raises(Malformed) as refused:
        parse_subject("ORGANISATION=x")
    assert "CN" in refused.value.hint


def test_too_many_attributes_are_refused() -> None:
    assert len(parse_subject(",".join(["OU=x"] * 32)).rdns) == 32
    with pytest.raises(Malformed, match="33 attributes"):
        parse_subject(",".join(["OU=x"] * 33))


def test_an_attribute_of_bytes_is_written_in_hexadecimal() -> None:
    attribute = x509.NameAttribute(NameOID.X500_UNIQUE_IDENTIFIER, b"\x01", x509.name._ASN1Type.BitString)
    assert format_subject(x509.Name([attribute])) == "2.5.4.45=#01"
