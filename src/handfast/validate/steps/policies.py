"""Certificate policies over the path, with the bounded graph of RFC 9618 (RFC 5280 sections 6.1.2 to 6.1.5)."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from handfast.validate.certificate import Certificate
from handfast.validate.path import Examination
from handfast.validate.policy import ANY_POLICY, Policy


@dataclass(slots=True)
class Node:
    """A valid policy at one depth: what the next certificate may call it, and which nodes above lead to it."""

    expected: set[str]
    parents: frozenset[str]


Level = dict[str, Node]


@dataclass(slots=True)
class State:
    """The variables of section 6.1.2. levels is empty once no policy is valid any more."""

    explicit: int
    mapping: int
    any_policy: int
    levels: list[Level] = field(default_factory=lambda: [{ANY_POLICY: Node({ANY_POLICY}, frozenset())}])
    nodes: int = 0

    @classmethod
    def start(cls, policy: Policy, length: int) -> "State":
        """The state before the first certificate; a length beyond the path means never."""
        never = length + 1
        return cls(
            explicit=0 if policy.require_explicit_policy else never,
            mapping=0 if policy.inhibit_policy_mapping else never,
            any_policy=0 if policy.inhibit_any_policy else never,
        )


def check(examination: Examination) -> None:
    """Find the policies that hold, and whether they are what is asked for."""
    for position, certificate in enumerate(examination.chain):
        _check_form(examination, position, certificate)
    certificates = examination.path.certificates
    if _is_plain(examination):
        return
    state = State.start(examination.policy, len(certificates))
    for position in range(len(certificates) - 1, -1, -1):
        _process(state, certificates[position], is_last=not position)
        if state.nodes + examination.work.policy_nodes > examination.policy.budget.policy_nodes:
            examination.note(
                "policies-too-many", position, "the certificate policies of the path are too many to follow"
            )
            examination.policies = frozenset()
            return
        if not state.explicit and not state.levels:
            _refuse(examination, position, "no certificate policy holds at this certificate, and one is required")
            return
        _prepare(state, certificates[position], is_last=not position)
    examination.work.policy_nodes += state.nodes
    _conclude(examination, state)


def _is_plain(examination: Examination) -> bool:
    """Whether nobody asks for a policy and no certificate says anything of one: then none holds, and none need."""
    if examination.policy.require_explicit_policy or examination.policy.policies is not None:
        return False
    for certificate in examination.path.certificates:
        says = certificate.says
        if says.policies is not None or says.policy_constraints is not None or says.policy_mappings is not None:
            return False
    examination.policies = frozenset()
    return True


def _check_form(examination: Examination, position: int, certificate: Certificate) -> None:
    says = certificate.says
    if says.policy_constraints is not None:
        if "policy_constraints" not in says.critical:
            examination.note("policy-constraints-not-critical", position, "policyConstraints is not critical")
        if says.policy_constraints == (None, None):
            examination.note("policy-constraints-empty", position, "policyConstraints constrains nothing")
    if says.inhibit_any_policy is not None and "inhibit_any_policy" not in says.critical:
        examination.note("inhibit-any-policy-not-critical", position, "inhibitAnyPolicy is not critical")
    if says.policy_mappings is not None and any(ANY_POLICY in pair for pair in says.policy_mappings):
        examination.note("policy-mapping-any", position, "policyMappings maps anyPolicy")


def _process(state: State, certificate: Certificate, *, is_last: bool) -> None:
    """Section 6.1.3 (d) and (e): the policies of this certificate, as children of those above."""
    stated = certificate.says.policies
    if not state.levels or stated is None:
        state.levels.clear()
        return
    above = state.levels[-1]
    expecting: dict[str, set[str]] = {}
    for policy, node in above.items():
        for each in node.expected:
            expecting.setdefault(each, set()).add(policy)
    level: Level = {}
    for policy in stated - {ANY_POLICY}:
        parents = expecting.get(policy) or ({ANY_POLICY} & above.keys())
        if parents:
            level[policy] = Node({policy}, frozenset(parents))
    if ANY_POLICY in stated and (state.any_policy or (not is_last and certificate.is_self_issued)):
        for policy, sources in expecting.items():
            if policy not in level:
                level[policy] = Node({policy}, frozenset(sources))
    _push(state, level)


def _push(state: State, level: Level) -> None:
    state.nodes += len(level) + sum(len(node.parents) for node in level.values())
    if level:
        state.levels.append(level)
    else:
        state.levels.clear()


def _prepare(state: State, certificate: Certificate, *, is_last: bool) -> None:
    """Section 6.1.4 (b) and (h) to (j), and 6.1.5 (a) and (b) for the last certificate."""
    says = certificate.says
    constraints = says.policy_constraints
    if is_last:
        state.explicit = max(0, state.explicit - 1)
        if constraints is not None and constraints.require_explicit == 0:
            state.explicit = 0
        return
    if says.policy_mappings is not None and state.levels:
        _map(state, says.policy_mappings)
    if not certificate.is_self_issued:
        state.explicit = max(0, state.explicit - 1)
        state.mapping = max(0, state.mapping - 1)
        state.any_policy = max(0, state.any_policy - 1)
    if constraints is not None:
        state.explicit = _least(state.explicit, constraints.require_explicit)
        state.mapping = _least(state.mapping, constraints.inhibit_mapping)
    state.any_policy = _least(state.any_policy, says.inhibit_any_policy)


def _least(current: int, stated: int | None) -> int:
    return current if stated is None else min(current, stated)


def _map(state: State, mappings: Iterable[tuple[str, str]]) -> None:
    level = state.levels[-1]
    mapped: dict[str, set[str]] = {}
    for issuers, subjects in mappings:
        mapped.setdefault(issuers, set()).add(subjects)
    for policy, subjects_policies in mapped.items():
        if not state.mapping:
            level.pop(policy, None)
        elif policy in level:
            level[policy].expected = subjects_policies
        elif ANY_POLICY in level:
            level[policy] = Node(subjects_policies, frozenset({ANY_POLICY}))
            state.nodes += 1
    if not level:
        state.levels.clear()


def _conclude(examination: Examination, state: State) -> None:
    """Section 6.1.5 (g): the policies that the CAs vouch for, and of these those that were asked for."""
    vouched = _vouched(state.levels)
    asked = examination.policy.policies
    holding = _chosen(vouched, asked)
    examination.policies = None if ANY_POLICY in holding else holding
    if not state.explicit and not holding:
        wanted = "one" if asked is None else f"one of {', '.join(sorted(asked))}"
        stated = ", ".join(sorted(vouched)) or "none"
        _refuse(
            examination, None, f"{wanted} of the certificate policies must hold for the path; what holds is {stated}"
        )


def _chosen(vouched: frozenset[str], asked: frozenset[str] | None) -> frozenset[str]:
    if asked is None:
        return vouched
    return asked if ANY_POLICY in vouched else vouched & asked


def _vouched(levels: list[Level]) -> frozenset[str]:
    """The policies of the top domain: nodes whose parent is anyPolicy, and that lead down to the last certificate."""
    if not levels:
        return frozenset()
    found: set[str] = {ANY_POLICY} & levels[-1].keys()
    alive = set(levels[-1])
    for depth in range(len(levels) - 1, 0, -1):
        nodes = [(policy, levels[depth][policy]) for policy in alive if policy in levels[depth]]
        found.update(policy for policy, node in nodes if ANY_POLICY in node.parents and policy != ANY_POLICY)
        alive = {parent for _, node in nodes for parent in node.parents}
    return frozenset(found)


def _refuse(examination: Examination, position: int | None, message: str) -> None:
    examination.policies = frozenset()
    examination.note("policy-required", position, message)
