"""Names as people type them: what is recognized, what is refused, and where the caret points."""

import pytest
from cryptography import x509

from handfast.errors import Malformed
from handfast.pki.names import MAXIMUM_NAMES, Name, NameKind, from_general_names, parse_name, parse_names

ACCEPTED = [
    ("www.example.com", "dns:www.example.com"),
    ("WWW.Example.COM.", "dns:www.example.com"),
    ("  printer  ", "dns:printer"),
    ("dns:1.example", "dns:1.example"),
    ("DNS: www.example.com", "dns:www.example.com"),
    ("*.example.com", "dns:*.example.com"),
    ("bücher.example", "dns:xn--bcher-kva.example"),
    ("BÜCHER.example", "dns:xn--bcher-kva.example"),
    ("xn--bcher-kva.example", "dns:xn--bcher-kva.example"),
    ("faß.de", "dns:xn--fa-hia.de"),
    ("例え。テスト", "dns:xn--r8jz45g.xn--zckzah"),
    ("a-b.example", "dns:a-b.example"),
    ("192.0.2.1", "ip:192.0.2.1"),
    ("ip:192.0.2.1", "ip:192.0.2.1"),
    ("2001:DB8:0:0::1", "ip:2001:db8::1"),
    ("[2001:db8::1]", "ip:2001:db8::1"),
    ("::1", "ip:::1"),
    ("ip:::ffff:192.0.2.1", "ip:::ffff:c000:201"),
    ("alice@Example.COM", "email:alice@example.com"),
    ("Alice.B+x@bücher.example", "email:Alice.B+x@xn--bcher-kva.example"),
    ("email:a@b", "email:a@b"),
    ("spiffe://example.org/ns/Prod/sa-1", "uri:spiffe://example.org/ns/Prod/sa-1"),
    ("SPIFFE://example.org", "uri:spiffe://example.org"),
    ("urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "uri:urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"),
    ("HTTPS://Example.COM:8443/Path", "uri:https://example.com:8443/Path"),
    ("uri:tag:example.com,2026:x", "uri:tag:example.com,2026:x"),
    ("https://[2001:DB8::1]/", "uri:https://[2001:db8::1]/"),
]

# text, what the message says, the column of the caret
REFUSED = [
    ("", "empty", 0),
    ("dns:", "empty", 4),
    ("exa mple.com", "a space", 3),
    ("a_b.example.com", "'_'", 1),
    ("www..example.com", "empty part", 4),
    (".example.com", "empty part", 0),
    ("*.com", "top-level", 0),
    ("*", "top-level", 0),
    ("w*.example.com", "wildcard", 1),
    ("www.*.example.com", "wildcard", 4),
    ("*.*.example.com", "wildcard", 2),
    ("-a.example.com", "hyphen", 0),
    ("a-.example.com", "hyphen", 1),
    ("ab--c.example", "hyphens in the third", 2),
    ("xn--a.example", "", 0),
    ("xn--bcher.example", "", 0),
    ("xn--abc-.example", "hyphen", 7),
    ("a" * 64 + ".example", "64 characters", 63),
    (".".join(["a" * 60] * 5) + ".example", "characters; the most is 253", 253),
    ("bü\u200dcher.example", "U+200D", 2),
    ("b☃.example", "'☃'", 1),
    ("www.example.com\x00.evil.example", "U+0000", 15),
    ("192.0.2.256", "not an IP address", 8),
    ("192.0.2.1.5", "not an IP address", 11),
    ("192.0.2.01", "not an IP address", 8),
    ("192.0.2.0/24", "not a network", 9),
    ("fe80::1%eth0", "zone", 7),
    ("2001:db8:::1", "not an IP address", 0),
    ("dns:192.0.2.1", "does not end in a number", 12),
    ("email:alice", "no @", 11),
    ("@example.com", "nothing before the @", 0),
    ("alice@", "empty", 6),
    ("a lice@example.com", "a space", 1),
    (".a@example.com", "dot", 0),
    ("a..b@example.com", "dot", 1),
    ("ä@example.com", "SmtpUTF8Mailbox", 0),
    ("alice@exa_mple.com", "'_'", 9),
    ("alice@*.example.com", "domain", 6),
    ("alice@example.com.", "ends with a dot", 17),
    ("x" * 65 + "@example.com", "64 characters", 64),
    ("uri:relative/path", "not absolute", 4),
    ("uri:http:", "not absolute", 4),
    ("https://exa mple.com", "a space", 11),
    ("https://example.com/%zz", "hexadecimal", 20),
    ("https:///path", "no host", 8),
    ("https://example.com:http/", "port", 20),
    ("spiffe:example.org", "two slashes", 7),
    ("spiffe://", "empty part", 9),
    ("spiffe://Example.org/", "'E'", 9),
    ("spiffe://example.org/a//b", "empty part", 23),
    ("spiffe://example.org/", "empty part", 21),
    ("spiffe://example.org/../a", ". or ..", 21),
    ("spiffe://example.org:80/a", "':'", 20),
    ("spiffe://example.org/a?b", "'?'", 22),
    ("uri:http://" + "a/" * 1100, "longer than 2048", 2052),
]


@pytest.mark.parametrize(("text", "expected"), ACCEPTED)
def test_a_name_is_read_into_its_canonical_form(text: str, expected: str) -> None:
    assert str(parse_name(text)) == expected


@pytest.mark.parametrize("expected", [expected for _, expected in ACCEPTED])
def test_a_canonical_name_reads_back_as_itself(expected: str) -> None:
    assert str(parse_name(expected)) == expected


@pytest.mark.parametrize(("text", "said", "column"), REFUSED)
def test_a_wrong_name_is_refused_with_a_caret_under_the_character(text: str, said: str, column: int) -> None:
    with pytest.raises(Malformed) as refused:
        parse_name(text)
    message, line, caret = refused.value.message.split("\n")
    assert said in message
    assert refused.value.hint
    assert caret.rstrip().endswith("^")
    if len(text) <= 72:
        assert line[2:].rstrip() == "".join(c if c.isprintable() else "\ufffd" for c in text).rstrip()
        assert caret.index("^") - 2 == column


@pytest.mark.parametrize("text", [text for text, _ in ACCEPTED])
def test_a_name_goes_through_a_general_name_and_back(text: str) -> None:
    name = parse_name(text)
    assert from_general_names([name.to_general_name()]) == (name,)


def test_names_are_kept_once_in_the_order_given() -> None:
    assert parse_names(["b.example", "a.example", "B.example."]) == (
        Name(NameKind.DNS, "b.example"),
        Name(NameKind.DNS, "a.example"),
    )


def test_the_most_names_are_accepted_and_one_more_refused() -> None:
    texts = [f"host{number}.example" for number in range(MAXIMUM_NAMES + 1)]
    assert len(parse_names(texts[:-1])) == MAXIMUM_NAMES
    with pytest.raises(Malformed, match="too many"):
        parse_names(texts)
    with pytest.raises(Malformed, match="too many"):
        from_general_names([x509.DNSName(text) for text in texts])


def test_a_general_name_of_another_kind_is_refused() -> None:
    with pytest.raises(Malformed, match="RegisteredID"):
        from_general_names([x509.RegisteredID(x509.ObjectIdentifier("1.2.3"))])


def test_a_general_name_is_checked_like_a_typed_one() -> None:
    for general in (
        x509.DNSName("a b.example"),
        x509.DNSName("xn--a_b"),
        x509.RFC822Name("x"),
    ):
        with pytest.raises(Malformed):
            from_general_names([general])


def test_a_wildcard_is_told_apart() -> None:
    assert parse_name("*.example.com").is_wildcard
    assert not parse_name("www.example.com").is_wildcard
