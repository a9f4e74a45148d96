"""Certificate policies: what holds for a path, mappings, the inhibitions, and the bound on the graph (RFC 9618)."""

import pytest
from cryptography import x509

from handfast.pki.der import encode, sequence
from handfast.validate import Budget, Level, Report
from handfast.validate.der import identifier
from handfast.validate.policy import ANY_POLICY, policies
from tests.unit.validation_world import INHIBIT_ANY, MAPPINGS, POLICIES, POLICY_CONSTRAINTS, World, codes

GOLD, SILVER, OURS = "1.2.3.1", "1.2.3.2", "1.2.9.1"


def stated(*oids: str) -> x509.CertificatePolicies:
    return x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier(oid), None) for oid in oids])


def mapped(*pairs: tuple[str, str]) -> bytes:
    return sequence(sequence(encode(6, identifier(oid)) for oid in pair) for pair in pairs)


def world(ca: tuple[str, ...], leaf: tuple[str, ...], mappings: tuple[tuple[str, str], ...] = ()) -> World:
    found = World()
    found.ca.set(POLICIES, stated(*ca) if ca else None)
    found.leaf.set(POLICIES, stated(*leaf) if leaf else None)
    found.ca.set(MAPPINGS, mapped(*mappings) if mappings else None, critical=True)
    return found


def asked(found: World, *oids: str, explicit: bool = True) -> Report:
    return found.report(level=Level.RFC5280, policies=policies(oids), require_explicit_policy=explicit)


def test_a_policy_that_every_certificate_states_holds() -> None:
    report = asked(world((GOLD, SILVER), (GOLD,)), GOLD)
    assert report.is_acceptable
    assert report.policies == frozenset({GOLD})


def test_a_policy_that_one_certificate_lacks_does_not_hold() -> None:
    assert not asked(world((SILVER,), (GOLD,)), GOLD).is_acceptable
    assert not asked(world((), (GOLD,)), GOLD).is_acceptable
    assert not asked(world((GOLD,), (SILVER, GOLD)), SILVER).is_acceptable


def test_without_the_demand_a_path_needs_no_policy() -> None:
    assert asked(world((GOLD,), (SILVER,)), SILVER, explicit=False).is_acceptable
    assert World().report(level=Level.RFC5280).policies == frozenset()


def test_any_policy_stands_for_every_policy() -> None:
    report = asked(world((ANY_POLICY,), (ANY_POLICY,)), GOLD)
    assert report.policies == frozenset({GOLD})
    assert world((ANY_POLICY,), (ANY_POLICY,)).report().policies is None
    assert policies([GOLD, ANY_POLICY]) is None


def test_any_policy_that_is_inhibited_stands_for_none() -> None:
    found = world((ANY_POLICY,), (ANY_POLICY,))
    found.ca.set(INHIBIT_ANY, x509.InhibitAnyPolicy(0), critical=True)
    assert not asked(found, GOLD).is_acceptable
    found.ca.set(INHIBIT_ANY, x509.InhibitAnyPolicy(1), critical=True)
    assert asked(found, GOLD).is_acceptable


def test_a_mapped_policy_counts_as_the_issuers() -> None:
    report = asked(world((OURS,), (GOLD,), ((OURS, GOLD),)), OURS)
    assert report.policies == frozenset({OURS})
    assert not asked(world((OURS,), (GOLD,), ((OURS, GOLD),)), GOLD).is_acceptable
    assert not asked(world((OURS,), (OURS,), ((OURS, GOLD),)), OURS).is_acceptable


def test_mapping_that_is_inhibited_takes_the_policy_away() -> None:
    found = world((OURS, SILVER), (GOLD, SILVER), ((OURS, GOLD),))
    report = found.report(policies=frozenset({OURS}), require_explicit_policy=True, inhibit_policy_mapping=True)
    assert ("policy-required", None) in codes(report)
    assert found.report(
        policies=frozenset({SILVER}), require_explicit_policy=True, inhibit_policy_mapping=True
    ).is_acceptable


def test_a_ca_can_demand_a_policy() -> None:
    found = world((GOLD,), ())
    assert asked(found, GOLD, explicit=False).is_acceptable
    found.ca.set(POLICY_CONSTRAINTS, x509.PolicyConstraints(0, None), critical=True)
    assert ("policy-required", 0) in codes(asked(found, GOLD, explicit=False))


def test_the_leaf_itself_can_demand_a_policy() -> None:
    found = world((), ())
    assert asked(found, GOLD, explicit=False).is_acceptable
    found.leaf.set(POLICY_CONSTRAINTS, x509.PolicyConstraints(0, None), critical=True)
    assert ("policy-required", None) in codes(asked(found, GOLD, explicit=False))


def test_more_policies_than_the_budget_are_refused() -> None:
    many = tuple(f"1.2.3.4.{number}" for number in range(20))
    assert asked(world(many, many), many[0]).is_acceptable
    report = world(many, many).report(policies=frozenset(many), budget=Budget(policy_nodes=79))
    assert ("policies-too-many", 0) in codes(report)
    assert world(many, many).report(policies=frozenset(many), budget=Budget(policy_nodes=80)).is_acceptable


@pytest.mark.parametrize(
    ("oid", "value"),
    [
        (POLICIES, "3000"),
        (POLICIES, "300e30050603550406300506035504 06".replace(" ", "")),
        (POLICIES, "30023000"),
        (MAPPINGS, "3000"),
        (MAPPINGS, "300730050603550406"),
        (POLICY_CONSTRAINTS, "30038001ff"),
        (POLICY_CONSTRAINTS, "3003820100"),
        (INHIBIT_ANY, "0201ff"),
    ],
)
def test_an_extension_about_policies_that_is_none_is_malformed(oid: str, value: str) -> None:
    found = World()
    found.ca.set(oid, bytes.fromhex(value), critical=True)
    assert ("malformed-extension", 1) in codes(found.report())
