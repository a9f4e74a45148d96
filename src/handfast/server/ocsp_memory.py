"""What one process keeps to answer OCSP fast: its responders' keys, and answers ready to go out (RFC 5019)."""

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from handfast.ca.answering import OcspAnswer
from handfast.ca.ports import Store
from handfast.errors import ConfigError, HandfastError
from handfast.keys.generate import generate_key
from handfast.pki.keys import KeyKind, PrivateKey
from handfast.pki.ocsp_response import Responder
from handfast.protocols.exchange import Prepared
from handfast.protocols.ocsp import headers_of

# 40,000 answers signed with P-256.
LARGEST = 64 << 20
# The objects around one kept answer, in bytes.
_AROUND = 1100
# Reading more changes than this takes longer than making the answers anew.
_MOST_CHANGES = 1000
# A key that is not there is not looked for at every request: a passphrase is slow to try.
_AGAIN_AFTER = timedelta(minutes=1)
# How long one look at the store may serve in one turn of the event loop, in seconds: turns are rarely longer.
_ONE_TURN = 0.001
# What is left of a responder's certificate when it is no longer used.
_SPARE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class _Kept:
    answer: OcspAnswer
    prepared: Prepared
    renew_at: datetime
    size: int


@dataclass(slots=True, eq=False)
class Memory:
    """An OcspMemory (handfast.ca.answering) of one process. Each replica makes its own keys and shares none.

    largest: how many bytes of answers are kept; the oldest go first.
    """

    largest: int = LARGEST
    _responders: dict[str, Responder] = field(default_factory=dict)
    _failures: dict[str, tuple[datetime, ConfigError]] = field(default_factory=dict)
    _making: threading.Lock = field(default_factory=threading.Lock)
    _kept: OrderedDict[bytes, _Kept] = field(default_factory=OrderedDict)
    _requests: dict[tuple[str, int], set[bytes]] = field(default_factory=dict)
    _size: int = 0
    _mark: int | None = None
    _covers: int = -1
    _looked_until: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def new_key(self, kind: KeyKind) -> PrivateKey:
        return generate_key(kind)

    def responder(self, issuer: str, make: Callable[[], Responder], *, now: datetime) -> Responder:
        kept = self._responders.get(issuer)
        if kept is not None and now < _renewal(kept):
            return kept
        # While one thread makes a new one, the others go on with the old one as long as it is valid.
        usable = kept if kept is not None and now + _SPARE < kept.not_after else None
        if not self._making.acquire(blocking=usable is None) and usable is not None:
            return usable
        try:
            return self._made(issuer, make, now)
        except HandfastError:
            if usable is None:
                raise
            return usable
        finally:
            self._making.release()

    def forget(self, issuer: str, responder: Responder) -> None:
        with self._making:
            if self._responders.get(issuer) is responder:
                del self._responders[issuer]

    def _made(self, issuer: str, make: Callable[[], Responder], now: datetime) -> Responder:
        kept = self._responders.get(issuer)
        if kept is not None and now < _renewal(kept):
            return kept
        failed = self._failures.get(issuer)
        if failed is not None and now < failed[0]:
            raise failed[1]
        try:
            made = self._responders[issuer] = make()
        except ConfigError as error:
            self._failures[issuer] = (now + _AGAIN_AFTER, error)
            raise
        self._failures.pop(issuer, None)
        return made

    def find(self, request: bytes, store: Store, now: datetime) -> Prepared | None:
        kept = self._kept.get(request)
        if kept is None:
            return None
        if time.monotonic() >= self._looked_until:
            if not self._look(store):
                return None
            kept = self._kept.get(request)
        return kept.prepared if kept is not None and now < kept.renew_at else None

    def recall(self, request: bytes, store: Store, now: datetime) -> OcspAnswer | None:
        if request not in self._kept:
            return None
        if store.change_mark() != self._mark:
            with self._lock:
                self._catch_up(store)
        kept = self._kept.get(request)
        return kept.answer if kept is not None and now < kept.renew_at else None

    def _look(self, store: Store) -> bool:
        """Look at the store, once for all requests that the event loop found waiting when this turn of it began.

        They were sent before this look, so nobody among them can know of a revocation that it does not see. False when
        there is news that the event loop would have to wait for: who answers the long way takes it up, by recall().
        """
        if store.change_mark() != self._mark:
            if not store.is_local:
                return False
            with self._lock:
                self._catch_up(store)
        with suppress(RuntimeError):  # no loop runs here: look each time
            asyncio.get_running_loop().call_soon(self._look_again)
            self._looked_until = time.monotonic() + _ONE_TURN
        return True

    def _look_again(self) -> None:
        self._looked_until = 0.0

    def keep(self, request: bytes, answer: OcspAnswer, store: Store) -> None:
        if not answer.rests_on:
            return
        size = len(request) + len(answer.der) + _AROUND
        prepared = Prepared.of(headers_of(answer), answer.der)
        middle = answer.this_update + (answer.next_update - answer.this_update) / 2
        with self._lock:
            self._catch_up(store)
            if answer.covers != self._covers:
                return
            self._drop(request)
            self._kept[request] = _Kept(answer, prepared, middle, size)
            for certificate in answer.rests_on:
                self._requests.setdefault(certificate, set()).add(request)
            self._size += size
            while self._size > self.largest:
                self._drop(next(iter(self._kept)))

    def _catch_up(self, store: Store) -> None:
        """Let go of the answers that a revocation, hold or release has overtaken: what they tell, or who signed."""
        mark = store.change_mark()
        if mark == self._mark:
            return
        until = store.last_revocation_id()
        if self._kept and until != self._covers:
            if not 0 <= until - self._covers <= _MOST_CHANGES:
                self._clear()
            for issuer in {issuer for issuer, _ in self._requests}:
                for change in store.changes(issuer, after=self._covers, until=until):
                    for request in tuple(self._requests.get((issuer, change.serial), ())):
                        self._drop(request)
        self._mark, self._covers = mark, until

    def _drop(self, request: bytes) -> None:
        kept = self._kept.pop(request, None)
        if kept is None:
            return
        self._size -= kept.size
        for certificate in frozenset(kept.answer.rests_on):
            requests = self._requests[certificate]
            requests.discard(request)
            if not requests:
                del self._requests[certificate]

    def _clear(self) -> None:
        self._kept.clear()
        self._requests.clear()
        self._size = 0


def _renewal(responder: Responder) -> datetime:
    begin, end = responder.certificate.not_valid_before_utc, responder.certificate.not_valid_after_utc
    return begin + (end - begin) * 2 / 3
