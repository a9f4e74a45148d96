"""Signed heads of the audit chain: kept elsewhere, they tell when its end is cut off or all of it is made anew."""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from handfast.ca.audit import broken, event_hash
from handfast.ca.records import AuditEvent
from handfast.errors import ConfigError, Malformed
from handfast.findings import Finding, Severity
from handfast.pki.keys import PrivateKey

AUDIT_KEY = "audit"
CODES = {
    "audit-cut-off": "audit events that a signed head tells of are gone",
    "audit-rewritten": "the audit log is another one than when a head was signed",
    "audit-head-forged": "a head of the audit log was not signed by the audit key",
}
_REFERENCE = "NIST SP 800-92 section 5.3"
_COMPARE = "compare with a backup; after a restore this is so for events that came after the backup"
_MOST_TOLD = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The newest event of the audit log at a moment. key: the SubjectPublicKeyInfo that verifies the signature, DER."""

    id: int
    hash: bytes
    at: datetime
    key: bytes
    signature: bytes

    def document(self) -> dict[str, Any]:
        """What JSON has of it."""
        content = {"id": self.id, "hash": self.hash.hex(), "time": self.at.isoformat()}
        return {**content, "key": _text(self.key), "signature": _text(self.signature)}

    def line(self) -> str:
        """JSON on one line, as a witness keeps it."""
        return json.dumps(self.document())

    def is_signed(self) -> bool:
        """True when the key that it names signed it. Whether that is the right key, somebody else must know."""
        try:
            key = load_der_public_key(self.key)
            if not isinstance(key, ec.EllipticCurvePublicKey):
                return False
            key.verify(self.signature, _message(self.id, self.hash, self.at), ec.ECDSA(hashes.SHA256()))
        except (InvalidSignature, ValueError):
            return False
        return True


class Heads(Protocol):
    """Where the store keeps them."""

    def last_event(self) -> AuditEvent | None:
        """The newest event."""
        ...

    def add(self, head: Head) -> None:
        """Keep a head; one of the same event is kept once."""
        ...

    def all(self) -> tuple[Head, ...]:
        """Every head, oldest first."""
        ...

    def page(self, *, after: int, limit: int) -> tuple[Head, ...]:
        """Those of events after that one, oldest first."""
        ...


def sign_head(event: AuditEvent, key: PrivateKey, now: datetime) -> Head:
    """The head at this event. Raises ConfigError for a key that is not of an elliptic curve."""
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigError("the audit key is no EC key", hint="move the key `audit` away: a new one will be made")
    now = now.replace(microsecond=0)
    signature = key.sign(_message(event.id, event.hash, now), ec.ECDSA(hashes.SHA256()))
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Head(id=event.id, hash=event.hash, at=now, key=public, signature=signature)


def _message(number: int, digest: bytes, at: datetime) -> bytes:
    return b"handfast audit head " + json.dumps([number, digest.hex(), at.isoformat()]).encode()


def parse_heads(text: str, source: str) -> tuple[Head, ...]:
    """The heads of a witness's file, a line each. Raises Malformed with the number of the line."""
    heads = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            heads.append(head_in(json.loads(line)))
        except (ValueError, KeyError, TypeError):
            hint = "give a file that `handfast audit-log head --to FILE` wrote"
            raise Malformed(f"line {number} of {source} is no head of an audit log", hint=hint) from None
    return tuple(heads)


def head_in(document: Mapping[str, Any]) -> Head:
    """The head of a document. Raises ValueError, KeyError or TypeError for one that has none."""
    return Head(
        id=int(document["id"]),
        hash=bytes.fromhex(document["hash"]),
        at=datetime.fromisoformat(document["time"]),
        key=base64.b64decode(document["key"], validate=True),
        signature=base64.b64decode(document["signature"], validate=True),
    )


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


@dataclass(slots=True)
class Verification:
    """Verifies all events from the first on, in order, and what heads say of them. count and last: of the events.

    heads: in the order of the trust in them: the first one says which key is the audit key, when `key` does not.
    counted: how many events there were at least, as whoever keeps them says.
    """

    heads: Sequence[Head] = ()
    key: bytes | None = None
    counted: int = 0
    count: int = 0
    last: bytes = b""

    def findings(self, events: Iterable[AuditEvent]) -> tuple[Finding, ...]:
        """What is wrong; empty for a log that is whole. key: the audit key, when somebody knows it."""
        signed = [head for head in self.heads if self._is_ours(head)]
        wanted = {head.id for head in signed}
        found: dict[int, bytes] = {}
        broken = tuple(_first(self._chain(events, wanted, found)))
        forged = [head for head in self.heads if head not in signed]
        return (*broken, *_forged(forged), *_contradicted(signed, found, self.count), *self._miscounted())

    def _miscounted(self) -> Iterator[Finding]:
        if self.count < self.counted:
            message = f"{self.counted} events were counted, and the log ends at {self.count}"
            yield Finding("audit-cut-off", Severity.ERROR, message, _COMPARE, _REFERENCE)

    def _is_ours(self, head: Head) -> bool:
        expected = self.key if self.key is not None else self.heads[0].key
        return head.key == expected and head.is_signed()

    def _chain(self, events: Iterable[AuditEvent], wanted: set[int], found: dict[int, bytes]) -> Iterator[Finding]:
        expected = 1
        for event in events:
            if event.id != expected:
                yield broken(f"the audit events from {expected} to {event.id - 1} are missing")
            elif event_hash(self.last, event) != event.hash:
                yield broken(f"the audit event {event.id}, or its place in the chain, was changed")
            if event.id in wanted:
                found[event.id] = event.hash
            self.last, self.count, expected = event.hash, event.id, event.id + 1


def _first(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Some of them, and how many there are besides: a log of millions may be another one from its first event on."""
    more = 0
    for number, one in enumerate(findings):
        if number < _MOST_TOLD:
            yield one
        else:
            more += 1
    if more:
        yield broken(f"in {more} more places audit events were changed or are missing")


def _forged(heads: Sequence[Head]) -> Iterator[Finding]:
    for head in heads[:_MOST_TOLD]:
        message = f"the head at event {head.id} of {head.at:%Y-%m-%d %H:%M} was not signed by the audit key"
        fix = "find out who wrote to the file of heads; if the audit key was replaced, keep a file for each key"
        yield Finding("audit-head-forged", Severity.ERROR, message, fix, _REFERENCE)


def _contradicted(heads: Sequence[Head], found: dict[int, bytes], last: int) -> Iterator[Finding]:
    for head in heads:
        told = f"a head signed on {head.at:%Y-%m-%d %H:%M}"
        if head.id > last:
            message = f"{told} tells of event {head.id}, and the log ends at {last}"
            yield Finding("audit-cut-off", Severity.ERROR, message, _COMPARE, _REFERENCE)
        elif found.get(head.id) != head.hash:
            message = f"{told} tells of another event {head.id}: the log was made anew since"
            yield Finding("audit-rewritten", Severity.ERROR, message, _COMPARE, _REFERENCE)
