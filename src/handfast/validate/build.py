"""Path building: every way from a leaf to an anchor, signatures verified, in a budget (RFC 5280 6.1, RFC 4158)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from handfast.errors import Malformed
from handfast.validate.anchor import TrustAnchor
from handfast.validate.certificate import Certificate
from handfast.validate.distinguished_names import Key, name_key, same_name
from handfast.validate.keys import subject_key, with_parameters
from handfast.validate.path import Path
from handfast.validate.policy import Policy
from handfast.validate.signatures import is_signed_by, scheme

# Self-issued certificates do not count as intermediates, but each costs work.
_MOST_SELF_ISSUED = 8


class Issuer(NamedTuple):
    """Who may have signed: a CA certificate that was sent along, or a trust anchor."""

    subject: bytes
    spki: bytes
    certificate: Certificate | None
    anchor: TrustAnchor | None


class DeadEnd(NamedTuple):
    """A way that leads nowhere: how far it went, the broken rule, the words for it, and where (None: at its end)."""

    certificates: tuple[Certificate, ...]
    code: str
    message: str
    position: int | None = None


class Pool:
    """The issuers at hand, by name: each once, trust anchors first."""

    __slots__ = ("_by_bytes", "_by_key")

    def __init__(self, anchors: Iterable[TrustAnchor], certificates: Iterable[Certificate]) -> None:
        self._by_bytes: dict[bytes, list[Issuer]] = {}
        self._by_key: dict[Key, list[Issuer]] | None = None
        for anchor in anchors:
            self._add(Issuer(anchor.subject, anchor.spki, anchor.certificate, anchor))
        seen = set()
        for certificate in certificates:
            if certificate.der not in seen:
                seen.add(certificate.der)
                self._add(Issuer(certificate.subject, certificate.spki, certificate, None))

    def _add(self, issuer: Issuer) -> None:
        self._by_bytes.setdefault(issuer.subject, []).append(issuer)

    def named(self, name: bytes) -> list[Issuer]:
        """Those with this very name."""
        return self._by_bytes.get(name, [])

    def named_alike(self, name: bytes) -> list[Issuer]:
        """Those whose name is the same but spelled otherwise (RFC 5280 section 7.1)."""
        if self._by_key is None:
            self._by_key = self._index()
        try:
            return [issuer for issuer in self._by_key.get(name_key(name), ()) if issuer.subject != name]
        except Malformed:
            return []

    def _index(self) -> dict[Key, list[Issuer]]:
        found: dict[Key, list[Issuer]] = {}
        for name, issuers in self._by_bytes.items():
            try:
                found.setdefault(name_key(name), []).extend(issuers)
            except Malformed:
                continue
        return found


@dataclass(slots=True)
class Search:
    """One search, its budget and what it has spent; `exhausted` once the budget did not allow to look further."""

    pool: Pool
    policy: Policy
    moment: bytes
    signatures: int = 0
    candidates: int = 0
    exhausted: bool = False
    dead_ends: list[DeadEnd] = field(default_factory=list)
    memory: dict[tuple[Certificate, bytes], bool] = field(default_factory=dict)

    def paths(self, leaf: Certificate) -> Iterator[Path]:
        """Every path, the likeliest first."""
        stack: list[tuple[tuple[Certificate, ...], Iterator[Issuer]]] = [((leaf,), self._issuers(leaf))]
        while stack:
            way, issuers = stack[-1]
            issuer = next(issuers, None)
            if issuer is None or self.exhausted:
                stack.pop()
                self._remember_end(way)
                continue
            if not self._may_extend(way, issuer):
                continue
            if issuer.anchor is not None:
                if self._parameters_hold(way, issuer):
                    yield Path(way, issuer.anchor)
            elif issuer.certificate is not None:
                longer = (*way, issuer.certificate)
                stack.append((longer, self._issuers(issuer.certificate)))

    def _remember_end(self, way: tuple[Certificate, ...]) -> None:
        if not self.dead_ends or len(way) > len(self.dead_ends[0].certificates):
            self.dead_ends = [DeadEnd(way, "no-path", "")]

    def _issuers(self, certificate: Certificate) -> Iterator[Issuer]:
        yield from self._ranked(certificate, self.pool.named(certificate.issuer))
        yield from self._ranked(certificate, self.pool.named_alike(certificate.issuer))

    def _ranked(self, certificate: Certificate, found: list[Issuer]) -> list[Issuer]:
        return sorted(found, key=lambda issuer: self._rank(certificate, issuer)) if len(found) > 1 else found

    def _rank(self, certificate: Certificate, issuer: Issuer) -> tuple[int, bool, bool, bool]:
        """Smaller is likelier: the key identifier fits, it is trusted, it is valid now, it is a CA."""
        said = certificate.says.authority_key_identifier
        other = issuer.certificate
        if other is None:
            return 1, False, False, False
        own = other.says.subject_key_identifier
        fit = 1 if said is None or said.key is None or own is None else 2 * (said.key != own)
        constraints = other.says.basic_constraints
        is_current = other.not_before <= self.moment <= other.not_after
        return fit, issuer.anchor is None, not is_current, constraints is None or not constraints.is_ca

    def _may_extend(self, way: tuple[Certificate, ...], issuer: Issuer) -> bool:
        self.candidates += 1
        if self.candidates > self.policy.budget.candidates:
            self.exhausted = True
            return False
        if self._is_loop(way, issuer):
            return False
        if issuer.anchor is None and self._is_too_long(way, issuer):
            self.dead_ends.append(DeadEnd(way, "depth-exceeded", self._depth_words()))
            return False
        if not self._is_signed(way[-1], issuer):
            name = issuer.certificate.name if issuer.certificate else "the trust anchor"
            message = f"the signature is not by the key of {name}"
            self.dead_ends.append(DeadEnd(way, "signature-invalid", message))
            return False
        return True

    @staticmethod
    def _is_loop(way: tuple[Certificate, ...], issuer: Issuer) -> bool:
        """No issuer twice (RFC 4158 section 2.4.2); but the leaf may be an anchor's own certificate, signed anew."""
        if issuer.anchor is not None and len(way) == 1:
            return False
        return any(each.spki == issuer.spki and same_name(each.subject, issuer.subject) for each in way)

    def _depth_words(self) -> str:
        return f"more than {self.policy.max_intermediates} intermediates lead to a trust anchor, if any do"

    def _is_too_long(self, way: tuple[Certificate, ...], issuer: Issuer) -> bool:
        counted = sum(not each.is_self_issued for each in way[1:])
        if issuer.certificate is not None and not issuer.certificate.is_self_issued:
            counted += 1
        return counted > self.policy.max_intermediates or len(way) > self.policy.max_intermediates + _MOST_SELF_ISSUED

    def _is_signed(self, certificate: Certificate, issuer: Issuer) -> bool:
        question = certificate, issuer.spki
        if question not in self.memory:
            found = subject_key(issuer.spki)
            self.memory[question] = found.inherits or self._verify(certificate, found.key)
        return self.memory[question]

    def _verify(self, certificate: Certificate, key: PublicKeyTypes | None) -> bool:
        if self.signatures >= self.policy.budget.signatures:
            self.exhausted = True
            return False
        self.signatures += 1
        return is_signed_by(key, scheme(certificate.algorithm), certificate.signature, certificate.tbs)

    def _parameters_hold(self, way: tuple[Certificate, ...], top: Issuer) -> bool:
        """Verify what DSA keys signed that have their parameters from the key above them (section 6.1.4 (e))."""
        if not any(subject_key(each.spki).inherits for each in way[1:]):
            return True
        key = subject_key(top.spki).key
        for position in range(len(way) - 1, 0, -1):
            found = subject_key(way[position].spki)
            key = with_parameters(way[position].spki, key) if found.inherits else found.key
            if found.inherits and not self._verify(way[position - 1], key):
                self.dead_ends.append(DeadEnd(way, "signature-invalid", "the signature does not verify", position - 1))
                return False
        return True
