"""The extensions about certificate policies, decoded (RFC 5280 sections 4.2.1.4, 4.2.1.5, 4.2.1.11 and 4.2.1.14)."""

from typing import NamedTuple

from handfast.validate.der import INTEGER, OBJECT_IDENTIFIER, SEQUENCE, content, dotted, integer, items, malformed
from handfast.validate.memory import remembering


class PolicyConstraints(NamedTuple):
    """Section 4.2.1.11: after how many certificates; None for what is left out."""

    require_explicit: int | None
    inhibit_mapping: int | None


@remembering()
def policies(value: bytes) -> frozenset[str]:
    """The policies of certificatePolicies, without their qualifiers."""
    found: list[str] = []
    for _, _, whole in items(value, SEQUENCE):
        parts = items(whole, SEQUENCE)
        if not parts or parts[0][0] != OBJECT_IDENTIFIER:
            raise malformed("a policy has no identifier")
        if len(parts) > 2 or (len(parts) == 2 and parts[1][0] != SEQUENCE):
            raise malformed("a policy has other things than an identifier and qualifiers")
        found.append(dotted(parts[0][1]))
    if not found or len(set(found)) != len(found):
        raise malformed("it is empty, or has one policy twice")
    return frozenset(found)


@remembering()
def policy_mappings(value: bytes) -> tuple[tuple[str, str], ...]:
    """Pairs: the issuer's policy, and the subject's policy that counts as it."""
    found = []
    for _, _, whole in items(value, SEQUENCE):
        parts = items(whole, SEQUENCE)
        if len(parts) != 2 or any(tag != OBJECT_IDENTIFIER for tag, _, _ in parts):
            raise malformed("a mapping is not two policies")
        found.append((dotted(parts[0][1]), dotted(parts[1][1])))
    if not found:
        raise malformed("it is empty")
    return tuple(found)


@remembering()
def policy_constraints(value: bytes) -> PolicyConstraints:
    """PolicyConstraints ::= SEQUENCE { [0] requireExplicitPolicy, [1] inhibitPolicyMapping }, each optional."""
    parts = {tag: _certificates(octets) for tag, octets, _ in items(value, SEQUENCE)}
    if parts.keys() - {0x80, 0x81}:
        raise malformed("it has other things than its two numbers")
    return PolicyConstraints(parts.get(0x80), parts.get(0x81))


@remembering()
def inhibit_any_policy(value: bytes) -> int:
    """InhibitAnyPolicy ::= SkipCerts."""
    return _certificates(content(value, INTEGER))


def _certificates(octets: bytes) -> int:
    number = integer(octets)
    if number < 0:
        raise malformed("a number of certificates is negative")
    return number
