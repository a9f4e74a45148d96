"""OCSP answers of an authority: whom a question is about, what is known, and who signs (RFC 6960 section 2)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Protocol

from handfast.ca.issuer import Issuer
from handfast.ca.policy import Grant, Requester
from handfast.ca.ports import Store
from handfast.ca.records import Reason
from handfast.ca.statuses import NEVER_ISSUED, Status
from handfast.errors import NotFound
from handfast.pki.keys import KeyKind, PrivateKey, kind_of
from handfast.pki.ocsp import CertId, IssuerKey, build_request, cert_id, issuer_keys, parse_request
from handfast.pki.ocsp_response import CertStatus, Responder, Times, build_response

OCSP_LIFETIME = timedelta(hours=12)
# A certificate that is being issued just now is unknown until it is on record: that must not be believed for long.
UNKNOWN_LIFETIME = timedelta(minutes=5)
PROFILE = "ocsp"
# Who the service is when it makes itself the certificate by which it signs answers.
RESPONDER = Requester("ocsp-responder", frozenset({Grant.ISSUE, Grant.MANAGE}), frozenset({PROFILE}), is_local=True)
# P-256 signs ten times as fast as RSA; a CA with a key of a newer kind has clients that know that kind.
_SAME_KIND = {KeyKind.ED25519, KeyKind.ML_DSA_44, KeyKind.ML_DSA_65, KeyKind.ML_DSA_87}


@dataclass(frozen=True, slots=True, kw_only=True)
class OcspAnswer:
    """A signed answer. rests_on: the certificates (issuer, serial) that it tells of and is signed by, when the same
    question may get the same answer again as long as none of them is revoked; else empty.

    covers: the id of the last revocation that it may tell of.
    """

    der: bytes
    this_update: datetime
    next_update: datetime
    rests_on: tuple[tuple[str, int], ...] = ()
    covers: int = 0


class OcspMemory(Protocol):
    """What a process keeps to answer fast: the responders' keys, and answers that may be given again."""

    def new_key(self, kind: KeyKind) -> PrivateKey:
        """A new key for a responder."""
        ...

    def responder(self, issuer: str, make: Callable[[], Responder], *, now: datetime) -> Responder:
        """The responder of this issuer; made once, however many ask, and anew at two thirds of its life."""
        ...

    def forget(self, issuer: str, responder: Responder) -> None:
        """Use this one no more: its certificate was revoked."""
        ...

    def keep(self, request: bytes, answer: OcspAnswer, store: Store) -> None:
        """Keep an answer, if nothing was revoked since it was made."""
        ...

    def find(self, request: bytes, store: Store, now: datetime) -> object | None:
        """What is kept for this request, as the memory's maker prepared it; never what a revocation has overtaken.

        It waits for nobody, and so may find nothing although something is kept.
        """
        ...

    def recall(self, request: bytes, store: Store, now: datetime) -> OcspAnswer | None:
        """The answer that is kept for this request; never one that a revocation has overtaken. It may wait."""
        ...


def key_kind_for(issuer: Issuer) -> KeyKind:
    """The kind of key that answers for this issuer."""
    kind = kind_of(issuer.identity.public_key)
    return kind if kind is not None and kind in _SAME_KIND else KeyKind.P256


def answer(
    data: bytes,
    *,
    issuers: Mapping[str, Issuer],
    store: Store,
    responder: Callable[[Issuer, Responder | None], Responder],
    now: datetime,
    lifetime: timedelta = OCSP_LIFETIME,
) -> OcspAnswer:
    """Answer a request in DER. responder: who signs for an issuer, instead of one whose certificate was revoked.

    Raises Malformed, NotFound for an issuer that is not ours or for certificates of several issuers (no delegated
    responder may sign for two), ConfigError when the issuer's key is not there, Unavailable.
    """
    request = parse_request(data)
    found = _issuers_of(request.identifiers, issuers)
    signer = responder(found[0], None)
    covers = store.last_revocation_id()
    serials = [one.serial for one in request.identifiers]
    known = _known([one.name for one in found], [*serials, signer.serial], store)
    if _is_revoked(known, signer):
        signer = responder(found[0], signer)
    statuses = [known.get(serial, NEVER_ISSUED) for serial in serials]
    is_known = all(map(_is_known, statuses))
    times = _times(now, lifetime if is_known else UNKNOWN_LIFETIME, signer)
    pairs = [(one, _said(status)) for one, status in zip(request.identifiers, statuses, strict=True)]
    der = build_response(pairs, times, responder=signer, nonce=request.nonce)
    may_repeat = request.is_plain and is_known and len(found) == 1
    return OcspAnswer(
        der=der,
        this_update=times.this_update,
        next_update=times.next_update,
        rests_on=((found[0].name, serials[0]), (found[0].name, signer.serial)) if may_repeat else (),
        covers=covers,
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """How one certificate stands now, by SHA-1 as RFC 5019 asks. request: the whole request without nonce, in DER."""

    identifier: CertId
    status: CertStatus

    @property
    def request(self) -> bytes:
        return build_request([self.identifier])


def standings(issuer: Issuer, *, store: Store, now: datetime) -> Iterator[Standing]:
    """That of every certificate that is alive."""
    named = _keys(issuer)[0]
    for serial, status in store.statuses.all(issuer.name, alive_at=now):
        yield standing_of(named, serial, status)


def standing_of(issuer: IssuerKey, serial: int, status: Status) -> Standing:
    """How a certificate of that issuer stands. issuer: by SHA-1."""
    return Standing(cert_id(issuer, serial), _said(status))


def sign_standing(one: Standing, responder: Responder, *, now: datetime, lifetime: timedelta = OCSP_LIFETIME) -> bytes:
    """The answer that tells it, in DER."""
    return build_response([(one.identifier, one.status)], _times(now, lifetime, responder), responder=responder)


def answers(
    serials: Sequence[int],
    issuer: Issuer,
    *,
    store: Store,
    responder: Callable[[Issuer, Responder | None], Responder],
    now: datetime,
    lifetime: timedelta = OCSP_LIFETIME,
) -> list[bytes]:
    """An answer about each certificate, for a static web server. responder: as in answer().

    Raises ConfigError when the issuer's key is not there, Unavailable.
    """
    signer, named = responder(issuer, None), _keys(issuer)[0]
    known = store.statuses.of(issuer.name, [*serials, signer.serial])
    if _is_revoked(known, signer):
        signer = responder(issuer, signer)
    found = ((serial, known.get(serial, NEVER_ISSUED)) for serial in serials)
    return [
        sign_standing(
            standing_of(named, serial, status),
            signer,
            now=now,
            lifetime=lifetime if _is_known(status) else UNKNOWN_LIFETIME,
        )
        for serial, status in found
    ]


def _times(now: datetime, lifetime: timedelta, responder: Responder) -> Times:
    begins = now.replace(microsecond=0)
    return Times(begins, begins, min(begins + lifetime, responder.not_after))


@lru_cache(maxsize=256)
def _keys(issuer: Issuer) -> tuple[IssuerKey, ...]:
    return issuer_keys(issuer.identity.subject, issuer.identity.public_key)


def _issuers_of(identifiers: tuple[CertId, ...], issuers: Mapping[str, Issuer]) -> list[Issuer]:
    """Those that all of the CertIDs name: several when a CA was renewed with its name and key."""
    found = [one for one in issuers.values() if all(asked.issuer in _keys(one) for asked in identifiers)]
    if not found:
        hint = "ask the responder that the certificate names, about certificates of one CA in each request"
        raise NotFound("no CA of this authority has issued all that the OCSP request asks about", hint=hint)
    return found


def _known(names: list[str], serials: list[int], store: Store) -> dict[int, Status]:
    known: dict[int, Status] = {}
    for name in names:
        for serial, status in store.statuses.of(name, serials).items():
            if serial not in known or known[serial].revoked_at is None:
                known[serial] = status
    return known


def _is_revoked(known: Mapping[int, Status], responder: Responder) -> bool:
    return known.get(responder.serial, NEVER_ISSUED).revoked_at is not None


def _is_known(status: Status) -> bool:
    return status.is_issued or status.revoked_at is not None


def _said(status: Status) -> CertStatus:
    """A reason that is not specified is left out (RFC 5280 section 5.3.1)."""
    reason = None if status.reason in {None, Reason.UNSPECIFIED} else status.reason
    return CertStatus(_is_known(status), status.revoked_at, None if reason is None else reason.flag)
