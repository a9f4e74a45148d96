"""Names: constraints of every type, expected names of every type, and directory names that are the same name."""

from ipaddress import ip_address, ip_network

import pytest
from cryptography import x509

from handfast.pki.names import parse_name
from handfast.validate.certificate import read_certificate
from handfast.validate.distinguished_names import readable_name, same_name
from handfast.validate.general_names import GeneralName, NameType, general_names, is_spelled_right
from handfast.validate.steps.common_name import is_other_spelling
from handfast.validate.steps.subject import matches
from handfast.validate.subtrees import constraint_problem, is_excluded_by, is_in_subtree
from tests.unit.validation_world import BASIC, CONSTRAINTS, NAMES, World, codes, common_name, directory


def dns(text: str) -> GeneralName:
    return GeneralName(NameType.DNS, text, b"")


def mail(text: str) -> GeneralName:
    return GeneralName(NameType.EMAIL, text, b"")


def uri(text: str) -> GeneralName:
    return GeneralName(NameType.URI, text, b"")


def address(text: str) -> GeneralName:
    return GeneralName(NameType.IP, "", ip_address(text).packed)


def network(text: str) -> GeneralName:
    found = ip_network(text)
    return GeneralName(NameType.IP, "", found.network_address.packed + found.netmask.packed)


def subject(text: str) -> GeneralName:
    return GeneralName(NameType.DIRECTORY, "", directory(text))


WITHIN = [
    (dns("example.com"), dns("example.com")),
    (dns("WWW.Example.COM"), dns("example.com")),
    (dns("a.b.example.com"), dns("example.com")),
    (dns("*.example.com"), dns("example.com")),
    (dns("anything"), dns("")),
    (mail("bob@example.com"), mail("bob@EXAMPLE.com")),
    (mail("bob@example.com"), mail("example.com")),
    (mail("bob@mail.example.com"), mail(".example.com")),
    (uri("https://www.example.com/x"), uri("www.example.com")),
    (uri("https://me@a.example.com:8443/x"), uri(".example.com")),
    (uri("spiffe://prod.example.com/ns/a"), uri("prod.example.com")),
    (address("192.0.2.7"), network("192.0.2.0/24")),
    (address("2001:db8::7"), network("2001:db8::/32")),
    (subject("CN=leaf,O=Example,C=DE"), subject("O=example,C=de")),
    (subject("O=Example,C=DE"), subject("O=Example,C=DE")),
]
OUTSIDE = [
    (dns("badexample.com"), dns("example.com")),
    (dns("com"), dns("example.com")),
    (dns("*.org"), dns("example.com")),
    (mail("Bob@example.com"), mail("bob@example.com")),
    (mail("bob@mail.example.com"), mail("example.com")),
    (mail("bob@example.com"), mail(".example.com")),
    (mail("bob"), mail("example.com")),
    (uri("https://b.www.example.com/"), uri("www.example.com")),
    (uri("https://example.com/"), uri(".example.com")),
    (uri("https://evil.example/?.example.com"), uri(".example.com")),
    (address("192.0.3.7"), network("192.0.2.0/24")),
    (address("192.0.2.7"), network("2001:db8::/32")),
    (subject("CN=leaf,O=Other,C=DE"), subject("O=Example,C=DE")),
    (subject("C=DE"), subject("O=Example,C=DE")),
]


@pytest.mark.parametrize(("name", "base"), WITHIN, ids=str)
def test_a_name_within_a_subtree_is_permitted_and_excluded_by_it(name: GeneralName, base: GeneralName) -> None:
    assert is_in_subtree(name, base)
    assert is_excluded_by(name, base)


@pytest.mark.parametrize(("name", "base"), OUTSIDE, ids=str)
def test_a_name_outside_a_subtree_is_neither_permitted_nor_excluded_by_it(name: GeneralName, base: GeneralName) -> None:
    assert not is_in_subtree(name, base)
    assert not is_excluded_by(name, base)


@pytest.mark.parametrize("text", ["https://192.0.2.1/", "urn:a:b", "https://[2001:db8::1]/", "mailto:a@example.com"])
def test_a_uri_without_a_host_name_is_never_permitted_and_always_excluded(text: str) -> None:
    assert not is_in_subtree(uri(text), uri(".example.com"))
    assert is_excluded_by(uri(text), uri(".example.com"))


def test_a_wildcard_is_excluded_by_a_host_that_it_covers_and_not_by_others() -> None:
    assert is_excluded_by(dns("*.example.com"), dns("foo.example.com"))
    assert not is_excluded_by(dns("*.example.com"), dns("a.foo.example.com"))
    assert not is_in_subtree(dns("*.example.com"), dns("foo.example.com"))


SOUND_BASES = [dns(""), dns("example.com"), mail("a@b.example"), mail(".b.example"), uri("h.example"), uri(".example")]


@pytest.mark.parametrize(
    "base", [*SOUND_BASES, network("10.0.0.0/8"), network("0.0.0.0/0"), network("::1/128")], ids=str
)
def test_a_sound_constraint_has_no_problem(base: GeneralName) -> None:
    assert constraint_problem(base) is None


HOLES = GeneralName(NameType.IP, "", bytes((10, 0, 0, 0, 255, 0, 255, 0)))
BROKEN_BASES = [
    dns(".example.com"),
    dns("*.example.com"),
    dns("a_b.c"),
    mail("@b"),
    mail("*.b"),
    uri("http://h/"),
    HOLES,
]


@pytest.mark.parametrize("base", BROKEN_BASES, ids=str)
def test_a_constraint_that_is_none_of_its_type_has_a_problem(base: GeneralName) -> None:
    assert constraint_problem(base)


MATCHES = [
    ("dns:www.example.com", dns("WWW.example.com")),
    ("dns:www.example.com", dns("*.example.com")),
    ("ip:192.0.2.1", address("192.0.2.1")),
    ("ip:2001:db8::1", address("2001:db8:0::1")),
    ("email:bob@example.com", mail("bob@EXAMPLE.com")),
    ("uri:spiffe://example.com/a", uri("spiffe://example.com/a")),
]
MISMATCHES = [
    ("dns:a.www.example.com", dns("*.example.com")),
    ("dns:example.com", dns("*.example.com")),
    ("dns:www.example.com", dns("w*.example.com")),
    ("dns:www.example.com", dns("www.*.com")),
    ("dns:www.example.com", dns("*")),
    ("dns:www.xample.com", dns("*example.com")),
    ("ip:192.0.2.1", dns("192.0.2.1")),
    ("ip:192.0.2.1", address("192.0.2.2")),
    ("email:bob@example.com", mail("Bob@example.com")),
    ("uri:spiffe://example.com/a", uri("spiffe://example.com/b")),
    ("uri:spiffe://example.com/ab", uri("spiffe://example.com/a")),
    ("uri:spiffe://example.com/a", dns("spiffe://example.com/a")),
]


@pytest.mark.parametrize(("expected", "name"), MATCHES, ids=str)
def test_a_name_stands_for_the_expected_one(expected: str, name: GeneralName) -> None:
    assert matches(parse_name(expected), name)


@pytest.mark.parametrize(("expected", "name"), MISMATCHES, ids=str)
def test_a_name_does_not_stand_for_another(expected: str, name: GeneralName) -> None:
    assert not matches(parse_name(expected), name)


def test_one_of_several_expected_names_is_enough_and_none_is_not() -> None:
    assert World().report(names=["other.example", "www.example.com"]).is_acceptable
    assert not World().report(names=["other.example", "another.example"]).is_acceptable


def test_a_directory_name_is_the_subject_or_an_alternative_name() -> None:
    world = World()
    assert world.report(directory_name=common_name("LEAF ")).is_acceptable
    assert ("name-mismatch", 0) in codes(world.report(directory_name=common_name("other")))
    alternatives = [x509.DNSName("www.example.com"), x509.DirectoryName(common_name("other"))]
    world.leaf.set(NAMES, x509.SubjectAlternativeName(alternatives))
    assert world.report(directory_name=common_name("other")).is_acceptable


def test_the_common_name_counts_at_the_legacy_level_only_and_never_beside_alternative_names() -> None:
    world = World()
    world.leaf.subject = directory("CN=www.example.com")
    world.leaf.set(NAMES, x509.SubjectAlternativeName([x509.DNSName("other.example")]))
    assert ("name-mismatch", 0) in codes(world.report())
    world.leaf.set(NAMES, None)
    assert ("name-in-common-name-only", 0) in codes(world.report())
    world.leaf.subject = directory("CN=ww.example.com")
    assert ("name-mismatch", 0) in codes(world.report())


@pytest.mark.parametrize("text", ["example.com", "*.example.com", "xn--bcher-kva.example", "a.b-c.d", "localhost"])
def test_a_host_in_preferred_syntax_is_spelled_right(text: str) -> None:
    assert is_spelled_right(dns(text))


@pytest.mark.parametrize(
    "text", ["", "a..b", ".a.b", "-a.b", "a_b.c", "a.*.b", "*", "1.2.3.4", "a.b.", f"{'a' * 64}.b", f"{'a.' * 127}a"]
)
def test_a_host_in_no_preferred_syntax_is_not(text: str) -> None:
    assert not is_spelled_right(dns(text))


def test_mailboxes_and_uris_are_spelled_right_or_not() -> None:
    assert is_spelled_right(mail("a@b"))
    assert not is_spelled_right(mail("a@b@c"))
    assert is_spelled_right(uri("urn:a:b"))
    assert not is_spelled_right(uri("no scheme"))


def test_constraints_bind_the_subject_and_its_mail_address_too() -> None:
    world = World()
    world.leaf.subject = directory("1.2.840.113549.1.9.1=#1605614062636f,CN=leaf")
    world.ca.set(CONSTRAINTS, x509.NameConstraints([x509.DirectoryName(common_name("leaf"))], None), critical=True)
    assert ("name-not-permitted", 0) not in codes(world.report())
    world.ca.set(CONSTRAINTS, x509.NameConstraints([x509.DirectoryName(common_name("other"))], None), critical=True)
    assert ("name-not-permitted", 0) in codes(world.report())
    world.ca.set(CONSTRAINTS, x509.NameConstraints(None, [x509.RFC822Name("bco")]), critical=True)
    assert ("name-excluded", 0) in codes(world.report())


def test_constraints_of_the_anchor_bind_the_intermediate_too() -> None:
    world = World()
    world.root.set(CONSTRAINTS, x509.NameConstraints(None, [x509.DirectoryName(common_name("ca"))]), critical=True)
    assert ("name-excluded", 1) in codes(world.report())
    world.root.set(CONSTRAINTS, x509.NameConstraints(None, [x509.DirectoryName(common_name("cb"))]), critical=True)
    assert world.report().is_acceptable


def test_a_subtree_with_a_minimum_is_refused() -> None:
    world = World()
    world.ca.set(CONSTRAINTS, bytes.fromhex("300da00b3009820461 2e62638 00100".replace(" ", "")), critical=True)
    assert ("name-constraints-malformed", 1) in codes(world.report())


def test_names_are_one_name_whatever_case_space_and_string_type() -> None:
    printable, utf8 = (
        bytes.fromhex("300d310b3009060355040313024341"),
        bytes.fromhex("3010310e300c06035504030c0520 63 61 2020".replace(" ", "")),
    )
    assert same_name(printable, utf8)
    assert not same_name(printable, directory("CN=cb"))
    assert not same_name(printable, directory("O=CA"))
    assert not same_name(printable, b"\x30\x01")


def test_a_name_is_shown_as_it_is_spelled() -> None:
    assert readable_name(directory("CN=Alice Example,O=Example")) == "CN=Alice Example,O=Example"
    assert readable_name(b"\x30\x00") == "(empty name)"
    assert readable_name(b"\x31") == "a name that cannot be read"


@pytest.mark.parametrize("value", ["3003820261", "300482026180", "30038202c3a4", "300387010a", "3002a200", "30028900"])
def test_general_names_that_are_none_make_the_extension_malformed(value: str) -> None:
    world = World()
    world.leaf.set(NAMES, bytes.fromhex(value))
    assert ("malformed-extension", 0) in codes(world.report())


def test_general_names_of_every_type_are_read() -> None:
    found = general_names(
        x509.SubjectAlternativeName([
            x509.DNSName("a"), x509.IPAddress(ip_address("::1")), x509.RFC822Name("a@b"),
            x509.UniformResourceIdentifier("urn:a"), x509.DirectoryName(common_name("x")),
            x509.RegisteredID(x509.ObjectIdentifier("1.2.3")), x509.OtherName(x509.ObjectIdentifier("1.2.3"), b"\5\0"),
        ]).public_bytes()
    )  # fmt: skip
    assert [str(name) for name in found[:5]] == ["dns:a", "ip:::1", "email:a@b", "uri:urn:a", "directory:CN=x"]
    assert [name.kind for name in found[5:]] == [NameType.REGISTERED_ID, NameType.OTHER]


def test_a_certificate_knows_whether_it_is_a_cas_own() -> None:
    world = World()
    assert read_certificate(world.root.der()).is_self_issued
    assert not read_certificate(world.ca.der()).is_self_issued
    assert read_certificate(world.ca.der()).is_ca
    world.ca.set(BASIC, None)
    assert not read_certificate(world.ca.der()).is_ca


SPELLINGS = [
    "0xC0000201",
    "192.000.002.001",
    "2001:DB8::1",
    "2001:db8:0:0:0:0:0:1",
    "WWW.example.com",
    "www.exämple.com",
]


@pytest.mark.parametrize("text", SPELLINGS)
def test_a_common_name_that_means_a_name_and_is_not_it_is_another_spelling(text: str) -> None:
    names = (address("192.0.2.1"), address("2001:db8::1"), dns("www.example.com"))
    assert is_other_spelling(text, names)


@pytest.mark.parametrize(
    "text", ["0xC0000202", "192.0.2.2", "2001:db8::2", "other.example.com", "Exämple GmbH", "1.2.3.400"]
)
def test_a_common_name_that_means_something_else_is_no_other_spelling(text: str) -> None:
    names = (address("192.0.2.1"), address("2001:db8::1"), dns("www.example.com"))
    assert not is_other_spelling(text, names)
