"""Patterns cover what their author meant, and nothing else."""

import pytest

from handfast.ca.name_patterns import parse_pattern
from handfast.errors import ConfigError
from handfast.pki.names import parse_name


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("*.example.org", "www.example.org"),
        ("*.example.org", "a.b.example.org"),
        ("*.Example.ORG", "www.example.org"),
        ("www.example.org", "WWW.example.org"),
        ("*.bücher.example", "www.bücher.example"),
        ("*.bücher.example", "www.xn--bcher-kva.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("dns:alice", "alice"),
        ("*@example.org", "Alice@example.org"),
        ("*@EXAMPLE.org", "Alice@example.org"),
        ("email:*@bücher.example", "a@xn--bcher-kva.example"),
        ("Alice@example.org", "Alice@Example.org"),
        ("10.0.0.0/8", "10.1.2.3"),
        ("2001:db8::/32", "2001:DB8::1"),
        ("spiffe://example.org/*", "spiffe://example.org/A/b"),
        ("spiffe://example.org/A/*", "spiffe://example.org/A/b"),
        ("HTTPS://Example.org/Path/*", "https://example.org/Path/x"),
        ("uri:urn:example:printer-7", "urn:example:printer-7"),
    ],
)
def test_a_pattern_covers(pattern: str, name: str) -> None:
    assert parse_pattern(pattern).matches(parse_name(name))


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("*.example.org", "example.org"),
        ("*.example.org", "evilexample.org"),
        ("*.example.org", "example.org.evil.example"),
        ("www.example.org", "mail.example.org"),
        ("Alice@example.org", "alice@example.org"),
        ("*@example.org", "a@sub.example.org"),
        ("10.0.0.0/8", "11.0.0.1"),
        ("example.org", "spiffe://example.org/x"),
        ("spiffe://example.org/A/*", "spiffe://example.org/a/b"),
        ("https://example.org/a/*", "https://example.org/a/../b"),
        ("https://example.org/a/*", "https://example.org/a/%2e%2e/b"),
        ("https://example.org/a/*", "https://example.org/a/%2E%2e/b"),
        ("https://example.org/a/*", "https://example.org/a/..%2fb"),
        ("https://example.org/a/*", "https://example.org/a/..%5Cb"),
        ("https://example.org/a/*", "https://example.org.evil.example/a/b"),
        ("uri:urn:example:printer-7", "urn:example:printer-77"),
    ],
)
def test_a_pattern_does_not_cover(pattern: str, name: str) -> None:
    assert not parse_pattern(pattern).matches(parse_name(name))


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "*", "*.", "dns:", "email:", "uri:", "ip:", "email:example.org", "@example.org", "alice@",
        "a*@example.org",
        "w*.example.org", "www.*.org", "*example.org", "spiffe://example.org*", "spiffe://*/a", "uri:urn:example:*",
        "10.0.0.0/33", "10.0.0.1/8", "ip:*", "exa mple.org", "*.-bad-.org", "https://example.org/%2*",
    ],
)  # fmt: skip
def test_a_pattern_that_covers_nothing_or_too_much_is_refused(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_pattern(text)
    assert caught.value.hint


def test_an_email_pattern_without_an_at_says_how_to_mean_the_domain() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_pattern("email:example.org")
    assert "email:*@example.org" in caught.value.hint


@pytest.mark.parametrize(
    "text", ["*.bücher.example", "*@Example.org", "spiffe://example.org/A/*", "10.0.0.0/8", "alice"]
)
def test_a_pattern_is_read_back_from_what_it_prints(text: str) -> None:
    pattern = parse_pattern(text)
    assert parse_pattern(str(pattern)) == pattern
