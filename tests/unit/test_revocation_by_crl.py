"""Revocation by CRL, rule by rule of RFC 5280 section 6.3.3: an acceptance and a refusal for each."""

from dataclasses import replace
from datetime import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID

from handfast.findings import Severity
from handfast.validate import Level, Policy, examine, trust
from handfast.validate.certificate import read_certificate
from handfast.validate.revocation import (
    FactKind,
    LoadedCRL,
    Question,
    RevocationFacts,
    RevocationMode,
    RevocationPolicy,
    RevocationStatus,
    Signers,
    Status,
    authority_of,
    check_certificate,
    check_path,
)
from tests.unit.revocation_world import (
    CA,
    CA_EXTENSIONS,
    CA_KEY,
    HOUR,
    LEAF,
    LEAF_KEY,
    NOW,
    OTHER_KEY,
    REQUIRE,
    accept,
    ask,
    certificate,
    crl,
    entry,
    key_usage,
    leaf,
    name,
    refuse,
    said,
    scope,
)

R = x509.ReasonFlags
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
HALF = frozenset({R.key_compromise, R.ca_compromise, R.superseded, R.certificate_hold})
OTHER_HALF = frozenset(R) - HALF - {R.unspecified, R.remove_from_crl}


def points(*parts: x509.DistributionPoint) -> x509.CRLDistributionPoints:
    return x509.CRLDistributionPoints(parts)


def point(url: str | None = None, *, issuer: str | None = None) -> x509.DistributionPoint:
    full = [x509.UniformResourceIdentifier(url)] if url else None
    return x509.DistributionPoint(full, None, None, [x509.DirectoryName(name(issuer))] if issuer else None)


def test_a_certificate_that_a_current_list_leaves_out_is_good() -> None:
    assert ask(crl(entry(5))).status is Status.GOOD


def test_a_certificate_that_is_listed_is_revoked_and_the_reason_is_said() -> None:
    status = ask(crl(entry(5), entry(1000, R.key_compromise)))
    assert status.status is Status.REVOKED
    assert said(status) == "revoked since 2040-06-01 07:00 UTC (key compromise), says the CRL number 7 of CN=CA"


def test_a_certificate_on_hold_is_told_apart() -> None:
    assert [f.code for f in ask(crl(entry(1000, R.certificate_hold))).findings] == ["certificate-on-hold"]


def test_a_list_that_ended_says_nothing_good() -> None:
    status = ask(crl(begins=NOW - 9 * HOUR, ends=NOW - HOUR))
    assert status.status is Status.UNDETERMINED
    assert "it ended at 2040-06-01 11:00 UTC" in said(status)


def test_a_list_that_ended_still_revokes() -> None:
    assert ask(crl(entry(), begins=NOW - 9 * HOUR, ends=NOW - HOUR)).status is Status.REVOKED


def test_a_hold_on_a_list_that_ended_is_no_longer_known_to_last() -> None:
    ended = crl(entry(1000, R.certificate_hold), begins=NOW - 9 * HOUR, ends=NOW - HOUR)
    assert ask(ended).status is Status.UNDETERMINED


def test_a_list_from_the_future_is_no_use_beyond_the_skew() -> None:
    minute = HOUR / 60
    assert ask(crl(begins=NOW + 5 * minute)).status is Status.GOOD
    assert ask(crl(begins=NOW + 6 * minute)).status is Status.UNDETERMINED


def test_a_list_signed_by_another_key_is_no_use() -> None:
    status = ask(crl(key=OTHER_KEY))
    assert status.status is Status.UNDETERMINED
    assert "its signature does not verify" in said(status)


def test_the_list_of_another_issuer_is_no_use() -> None:
    assert ask(crl(entry(), issuer="Other", key=OTHER_KEY)).status is Status.UNDETERMINED


@pytest.mark.parametrize(("may", "status"), [(True, Status.GOOD), (False, Status.UNDETERMINED)])
def test_the_signer_must_be_allowed_to_sign_lists(may: bool, status: Status) -> None:
    usage = (key_usage(crl_sign=may), True)
    issuer = certificate("CA", CA_KEY, issuer="CA", issuer_key=CA_KEY, extensions=[usage])
    assert ask(crl(), issuer=issuer).status is status


def test_a_signer_without_key_usage_may_sign_lists() -> None:
    assert ask(crl(), issuer=certificate("CA", CA_KEY, issuer="CA", issuer_key=CA_KEY)).status is Status.GOOD


@pytest.mark.parametrize(("critical", "status"), [(False, Status.GOOD), (True, Status.UNDETERMINED)])
def test_an_unknown_critical_extension_makes_a_list_useless(critical: bool, status: Status) -> None:
    assert ask(crl(extensions=[(UNKNOWN, critical)])).status is status


@pytest.mark.parametrize(("critical", "status"), [(False, Status.GOOD), (True, Status.UNDETERMINED)])
def test_an_unknown_critical_entry_extension_makes_a_list_useless(critical: bool, status: Status) -> None:
    assert ask(crl(entry(5, None, (UNKNOWN, critical)))).status is status


def test_an_entry_revokes_whatever_extensions_it_has() -> None:
    assert ask(crl(entry(1000, None, (UNKNOWN, True)))).status is Status.REVOKED


def test_a_critical_entry_extension_that_is_as_short_as_a_reason_is_still_seen() -> None:
    short = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.99"), b"")
    assert ask(crl(entry(5, None, (short, True)))).status is Status.UNDETERMINED


CA_LEAF = leaf(x509.BasicConstraints(ca=True, path_length=None))


@pytest.mark.parametrize(
    ("users", "cas", "about", "status"),
    [
        (True, False, LEAF, Status.GOOD),
        (True, False, CA_LEAF, Status.UNDETERMINED),
        (False, True, LEAF, Status.UNDETERMINED),
        (False, True, CA_LEAF, Status.GOOD),
    ],
)
def test_a_list_for_one_kind_of_certificates_speaks_for_that_kind(
    users: bool, cas: bool, about: x509.Certificate, status: Status
) -> None:
    assert ask(crl(extensions=[scope(users=users, cas=cas)]), about=about).status is status


def test_a_list_of_attribute_certificates_is_no_use() -> None:
    assert ask(crl(extensions=[scope(attributes=True)])).status is Status.UNDETERMINED


@pytest.mark.parametrize(("url", "status"), [("http://a/1", Status.GOOD), ("http://a/2", Status.UNDETERMINED)])
def test_a_partition_speaks_for_certificates_that_point_to_it(url: str, status: Status) -> None:
    about = leaf(points(point("http://a/1")))
    assert ask(crl(extensions=[scope(url=url)]), about=about).status is status


def test_a_partition_is_no_use_for_a_certificate_that_points_nowhere() -> None:
    assert ask(crl(extensions=[scope(url="http://a/1")])).status is Status.UNDETERMINED


def test_lists_for_some_reasons_answer_only_together() -> None:
    one, two = crl(extensions=[scope(reasons=HALF)]), crl(extensions=[scope(reasons=OTHER_HALF)])
    assert ask(one, two).status is Status.GOOD
    assert ask(one).status is Status.UNDETERMINED
    assert ask(one, one).status is Status.UNDETERMINED


def test_a_list_for_some_reasons_revokes_alone() -> None:
    assert ask(crl(entry(1000, R.superseded), extensions=[scope(reasons=HALF)])).status is Status.REVOKED


INDIRECT = leaf(points(point("http://a/1", issuer="Clerk")))
CLERK = certificate("Clerk", OTHER_KEY, issuer="CA", issuer_key=CA_KEY, extensions=[(key_usage(), True)])


def governed(issuer: str, serial: int) -> x509.RevokedCertificate:
    return entry(serial, None, (x509.CertificateIssuer([x509.DirectoryName(name(issuer))]), True))


def by_clerk(*entries: x509.RevokedCertificate, marked: bool = True) -> LoadedCRL:
    return crl(*entries, issuer="Clerk", key=OTHER_KEY, extensions=[scope(indirect=True)] if marked else [])


def ask_clerk(listed: LoadedCRL, about: x509.Certificate = INDIRECT) -> RevocationStatus:
    return ask(listed, about=about, pool=[CLERK], is_valid=accept)


def test_an_indirect_list_speaks_for_the_issuer_that_its_entries_name() -> None:
    assert ask_clerk(by_clerk(governed("CA", 1000))).status is Status.REVOKED
    assert ask_clerk(by_clerk(governed("Else", 1000))).status is Status.GOOD
    assert ask_clerk(by_clerk(entry(1000))).status is Status.GOOD


def test_the_issuer_that_an_entry_names_holds_for_the_entries_after_it() -> None:
    listed = by_clerk(entry(1), governed("Else", 2), entry(3), governed("CA", 4), entry(1000))
    assert ask_clerk(listed).status is Status.REVOKED


def test_an_indirect_list_of_the_issuer_itself_tells_its_own_entries_apart() -> None:
    assert ask(crl(governed("Else", 1000), extensions=[scope(indirect=True)])).status is Status.GOOD
    assert ask(crl(entry(1000), governed("Else", 5), extensions=[scope(indirect=True)])).status is Status.REVOKED


def test_an_entry_that_names_the_issuer_of_the_list_itself_revokes_in_an_unmarked_list_too() -> None:
    assert ask(crl(governed("CA", 1000))).status is Status.REVOKED


def test_a_list_of_another_that_is_not_marked_indirect_is_no_use() -> None:
    assert ask_clerk(by_clerk(marked=False)).status is Status.UNDETERMINED


def test_an_indirect_list_counts_only_for_certificates_that_name_its_issuer() -> None:
    assert ask_clerk(by_clerk(governed("CA", 1000)), about=LEAF).status is Status.UNDETERMINED


def test_a_separate_signer_needs_a_valid_path() -> None:
    signer = certificate("CA", OTHER_KEY, issuer="CA", issuer_key=CA_KEY, extensions=[(key_usage(), True)])
    assert ask(crl(key=OTHER_KEY), pool=[signer], is_valid=accept).status is Status.GOOD
    assert "no valid path leads from its signer" in said(ask(crl(key=OTHER_KEY), pool=[signer]))


DELTA = (x509.DeltaCRLIndicator(7), True)


def test_a_delta_adds_to_its_base() -> None:
    assert ask(crl(number=7), crl(entry(), number=8, extensions=[DELTA])).status is Status.REVOKED


def test_a_delta_takes_off_its_base() -> None:
    base = crl(entry(1000, R.certificate_hold), number=7)
    assert ask(base, crl(entry(1000, R.remove_from_crl), number=8, extensions=[DELTA])).status is Status.GOOD
    assert ask(base, crl(number=8, extensions=[DELTA])).status is Status.REVOKED


REMOVED = entry(1000, R.remove_from_crl)


@pytest.mark.parametrize(
    "delta",
    [
        crl(REMOVED, number=8, extensions=[(x509.DeltaCRLIndicator(8), True)]),
        crl(REMOVED, number=7, extensions=[DELTA]),
        crl(REMOVED, number=8, extensions=[DELTA, scope(users=True)]),
        crl(REMOVED, number=8, extensions=[DELTA], key=OTHER_KEY),
        crl(REMOVED, number=8, extensions=[DELTA], begins=NOW - 9 * HOUR, ends=NOW - HOUR),
    ],
    ids=["for a later base", "not later than its base", "of another scope", "of another key", "that ended"],
)
def test_a_delta_that_does_not_belong_changes_nothing(delta: LoadedCRL) -> None:
    assert ask(crl(entry(1000, R.certificate_hold), number=7), delta).status is Status.REVOKED


def test_a_delta_alone_is_no_use() -> None:
    assert ask(crl(number=8, extensions=[DELTA])).status is Status.UNDETERMINED


def test_a_list_without_a_number_is_refused_only_by_strict() -> None:
    lenient = replace(REQUIRE, strict=False)
    assert ask(crl(number=None), policy=lenient).status is Status.GOOD
    assert "it has no CRL number" in said(ask(crl(number=None)))


def test_not_knowing_is_an_error_when_required_and_a_warning_when_preferred() -> None:
    (required,) = ask(policy=REQUIRE).findings
    (preferred,) = ask(policy=RevocationPolicy()).findings
    assert (required.severity, preferred.severity) == (Severity.ERROR, Severity.WARNING)
    assert "accepted all the same" in preferred.message


def ask_path(policy: RevocationPolicy) -> tuple[RevocationStatus, ...]:
    path = [read_certificate(LEAF), read_certificate(CA)]
    signers = Signers((), refuse)
    issuers = [authority_of(path[1])] * 2
    return check_path(path, issuers, facts=RevocationFacts(), policy=policy, at=NOW, signers=signers)


def test_not_asking_is_said_once() -> None:
    statuses = ask_path(RevocationPolicy(mode=RevocationMode.NONE))
    assert [[f.code for f in status.findings] for status in statuses] == [["revocation-not-checked"], []]


def test_what_is_required_of_the_leaf_only_is_preferred_above() -> None:
    statuses = ask_path(replace(REQUIRE, leaf_only=True))
    assert [status.findings[0].severity for status in statuses] == [Severity.ERROR, Severity.WARNING]


def test_the_facts_that_would_help_are_named() -> None:
    responder = x509.UniformResourceIdentifier("http://o/")
    access = x509.AuthorityInformationAccess([x509.AccessDescription(AuthorityInformationAccessOID.OCSP, responder)])
    status = ask(about=leaf(points(point("http://a/1"), point("ldap://a/")), access))
    assert [(fact.kind, fact.urls) for fact in status.missing] == [
        (FactKind.OCSP, ("http://o/",)),
        (FactKind.CRL, ("http://a/1",)),
    ]
    assert status.findings[0].fix.startswith("fetch http://o/")


def test_a_certificate_that_has_no_revocation_information_is_exempt() -> None:
    no_revocation = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.56"), b"\x05\x00")
    assert ask(about=leaf(no_revocation)).status is Status.EXEMPT


def test_names_that_differ_in_case_only_are_one_issuer() -> None:
    assert ask(crl(issuer="ca")).status is Status.GOOD


def question(facts: RevocationFacts, issuer: x509.Certificate = CA) -> Question:
    subject, authority = read_certificate(LEAF), authority_of(read_certificate(issuer))
    return Question(subject, authority, NOW, REQUIRE, facts, Signers((), refuse))


def test_what_was_verified_once_does_not_hold_for_another_key_or_another_time() -> None:
    facts = RevocationFacts(crls=(crl(),))
    assert check_certificate(question(facts)).status is Status.GOOD
    assert check_certificate(question(facts)._replace(at=NOW + 2 * HOUR)).status is Status.UNDETERMINED
    impostor_key = ec.generate_private_key(ec.SECP256R1())
    impostor = certificate("CA", impostor_key, issuer="CA", issuer_key=impostor_key, extensions=CA_EXTENSIONS)
    assert check_certificate(question(facts, impostor)).status is Status.UNDETERMINED
    assert check_certificate(question(facts)).status is Status.GOOD


def test_the_latest_of_several_lists_speaks() -> None:
    old = crl(entry(1000, R.certificate_hold), begins=NOW - 3 * HOUR)
    assert ask(old, crl()).status is Status.GOOD
    assert ask(crl(begins=NOW - 3 * HOUR), crl(entry())).status is Status.REVOKED


def test_a_leaf_is_no_signer_of_lists_without_a_valid_path() -> None:
    assert ask(crl(key=LEAF_KEY), pool=[LEAF], is_valid=accept).status is Status.UNDETERMINED


def examine_at(facts: RevocationFacts, at: datetime, leaf_certificate: x509.Certificate = LEAF) -> Status:
    policy = Policy(level=Level.RFC5280, revocation=REQUIRE)
    report = examine(leaf_certificate, anchors=trust([CA]), policy=policy, at=at, facts=facts)
    return report.revocation[0].status


def test_what_is_known_fast_is_what_is_found_slowly() -> None:
    facts = RevocationFacts(crls=(crl(entry(5)),))
    for _ in range(3):
        assert examine_at(facts, NOW) is Status.GOOD
        assert examine_at(facts, NOW, leaf(serial=5)) is Status.REVOKED
        assert examine_at(facts, NOW + 2 * HOUR) is Status.UNDETERMINED
    assert len(facts.plain) == 1


def test_an_older_list_that_answered_once_does_not_hide_a_newer_one() -> None:
    older, newer = crl(begins=NOW - 5 * HOUR), crl(entry(), begins=NOW - HOUR)
    facts = RevocationFacts(crls=(older, newer))
    assert examine_at(facts, NOW - 3 * HOUR) is Status.GOOD
    assert examine_at(facts, NOW) is Status.REVOKED


def test_more_facts_forget_what_was_found_with_fewer() -> None:
    facts = RevocationFacts(crls=(crl(begins=NOW - 5 * HOUR),))
    assert examine_at(facts, NOW) is Status.GOOD
    assert examine_at(facts.with_more(crls=(crl(entry()),)), NOW) is Status.REVOKED


def test_a_pool_full_of_namesakes_costs_a_few_signatures_and_the_named_key_comes_first() -> None:
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(20)]
    identifiers = [x509.SubjectKeyIdentifier.from_public_key(key.public_key()) for key in keys]
    pool = [
        certificate("CA", key, issuer="CA", issuer_key=CA_KEY, extensions=[(identifier, False)])
        for key, identifier in zip(keys, identifiers, strict=True)
    ]
    named = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifiers[-1])
    listed = crl(key=keys[-1], extensions=[(named, False)])
    assert ask(listed, pool=pool, is_valid=accept).status is Status.GOOD
    unnamed = crl(key=keys[-1])
    assert ask(unnamed, pool=pool, is_valid=accept).status is Status.UNDETERMINED
    assert len(unnamed.verified) <= 1 + 8
