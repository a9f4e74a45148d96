"""Certificates over the API: issued, renewed, ended, found and fetched."""

import base64
from enum import StrEnum
from typing import Annotated, Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from handfast.ca.finding import LEAST_PREFIX, candidates
from handfast.ca.order import Order
from handfast.ca.records import BatchRow, CertificateRecord, Listing, Pending, Reason, State
from handfast.errors import Conflict, Malformed, NotFound
from handfast.keys.generate import random_password
from handfast.pki import pem
from handfast.pki.keys import PublicKey, key_identifier
from handfast.pki.pem import to_pem
from handfast.pki.pkcs12 import build_pkcs12
from handfast.pki.serial import serial_text
from handfast.server.api import models, shown
from handfast.server.api.access import Whose
from handfast.server.api.answers import IdempotencyKey, once, require_right, row_of, unknown
from handfast.server.api.caller import Caller, Calling
from handfast.server.api.issuers import require_key

router = APIRouter(tags=["certificates"])
_PEM, _DER = "application/x-pem-file", "application/pkix-cert"


class Format(StrEnum):
    """What a certificate is fetched as."""

    PEM = "pem"
    DER = "der"
    CHAIN = "chain"


@router.post("/certificates", status_code=201)
def issue_certificate(
    caller: Calling, wanted: models.Wanted, request: Request, key: IdempotencyKey = None
) -> JSONResponse:
    """Issue a certificate: for the key of a CSR, or for a key that is made here and is in this answer only.

    202 when others have to approve it first: ask the same again later. With `row`, it is issued once for ever: an
    Idempotency-Key, which is good for a day, is not needed beside it.
    """

    body = wanted.model_dump_json().encode()

    def do() -> tuple[int, dict[str, Any]]:
        row = _row(caller, wanted.row) or row_of(caller, request, key, body)
        if wanted.csr is not None:
            return _enrolled(caller, _order(caller, wanted, wanted.csr.public_key, row))
        _require_no_lost_key(caller, row)
        made = authority.randomness.new_key(wanted.key)
        status, document = _enrolled(caller, _order(caller, wanted, made.public_key(), row))
        return status, {**document, "key": to_pem(made)}

    authority = caller.authority
    issuers = () if wanted.issuer is None else (wanted.issuer,)
    require_right(
        {
            "profile": unknown("profile", (wanted.profile,), authority.profiles),
            "issuer": unknown("issuer", issuers, authority.issuers),
        }
    )
    if wanted.issuer is not None:
        require_key(authority.issuers[wanted.issuer])
    if wanted.csr is None and wanted.row is not None:
        raise Malformed("a row of a bulk issue has no CSR: its key would be lost with the answer", hint="send a CSR")
    if wanted.csr is None and authority.policy.approvals.get(wanted.profile, 0):
        msg = f"the profile {wanted.profile} needs approvals: a key that is made here would be lost meanwhile"
        raise Conflict(msg, hint="make the key yourself, and send a CSR")
    return once(caller, request, key, body, do)


@router.get("/certificates")
def list_certificates(caller: Calling, asked: Annotated[models.Listed, Query()]) -> dict[str, Any]:
    """A page of certificates, newest first; those that are one's own, for a requester.

    With `means`, nothing else but the limit counts.
    """
    now = caller.authority.clock()
    if asked.means is not None:
        meant = [one for one in candidates(caller.authority.store, asked.means) if _may_see(caller, one)]
        return {"certificates": [shown.whole(one, now) for one in meant[: asked.limit]], "cursor": None}
    within = models.lifetime_of(asked.expires_within)
    page = caller.authority.search(
        Listing(
            now=now,
            state=State.VALID if within is not None and asked.state is None else asked.state,
            profile=asked.profile,
            issuer=asked.issuer,
            text=asked.text,
            requester=caller.requester.name if caller.whose is Whose.OWN else None,
            expires_before=now + within if within is not None else None,
            before=asked.cursor,
            limit=asked.limit,
        )
    )
    return {"certificates": [shown.certificate(one, now) for one in page.records], "cursor": page.cursor}


@router.get("/certificates/{which}")
def show_certificate(caller: Calling, which: models.Which) -> dict[str, Any]:
    """A certificate by its serial number or the beginning of its fingerprint, in hexadecimal."""
    return shown.whole(_found(caller, which), caller.authority.clock())


@router.get("/certificates/{which}/download", responses={200: {"content": {_PEM: {}, _DER: {}}}})
def download_certificate(caller: Calling, which: models.Which, format: Format = Format.PEM) -> Response:  # noqa: A002  # the name of the parameter
    """The certificate itself: in PEM, in DER, or in PEM with the chain after it."""
    record = _found(caller, which)
    certificate = _certificate(record)
    if format is Format.DER:
        return Response(certificate.public_bytes(Encoding.DER), media_type=_DER)
    chain = caller.authority.issuer(record.issuer).presented_chain if format is Format.CHAIN else ()
    return Response("".join(map(to_pem, (certificate, *chain))), media_type=_PEM)


@router.post("/certificates/{which}/pkcs12")
def bundle_certificate(caller: Calling, which: models.Which, wanted: models.Bundle) -> dict[str, Any]:
    """A PKCS#12 file of the certificate, its chain and the key that is sent along; nothing of it is kept."""
    record = _found(caller, which)
    key = pem.one_key(wanted.key.encode(), None, source="key")
    if key_identifier(key.public_key()) != record.key_id:
        raise Malformed("the key does not belong to this certificate", hint="send the key that it was made for")
    password = wanted.password or random_password()
    issuer = caller.authority.issuer(record.issuer)
    data = build_pkcs12(
        key,
        _certificate(record),
        tuple(dict.fromkeys((issuer.certificate, *issuer.chain, *issuer.presented_chain))),
        password=password.encode(),
        friendly_name=record.label,
        flavour=wanted.flavour,
    )
    return {"pkcs12": base64.b64encode(data).decode(), "password": None if wanted.password else password}


@router.post("/certificates/{which}/renew", status_code=201)
def renew_certificate(
    caller: Calling, which: models.Which, wanted: models.Renewal, request: Request, key: IdempotencyKey = None
) -> JSONResponse:
    """The next certificate for the same key, subject and names. The one before stays valid."""
    record = _found(caller, which)

    body = wanted.model_dump_json().encode()

    def do() -> tuple[int, dict[str, Any]]:
        row = row_of(caller, request, key, body)
        return _renewed(caller, record, _certificate(record).public_key(), wanted=wanted, row=row)

    return once(caller, request, key, body, do)


@router.post("/certificates/{which}/rekey", status_code=201)
def rekey_certificate(
    caller: Calling, which: models.Which, wanted: models.Rekey, request: Request, key: IdempotencyKey = None
) -> JSONResponse:
    """The next certificate for the key of a CSR, with the subject and names of the one before, which stays valid."""
    record = _found(caller, which)

    body = wanted.model_dump_json().encode()

    def do() -> tuple[int, dict[str, Any]]:
        row = row_of(caller, request, key, body)
        return _renewed(caller, record, wanted.csr.public_key, wanted=wanted, row=row)

    return once(caller, request, key, body, do)


@router.post("/certificates/{which}/revoke")
def revoke_certificate(caller: Calling, which: models.Which, wanted: models.Revocation) -> dict[str, Any]:
    """Revoke it for ever. It is refused from now on, and in the next CRL and OCSP answer."""
    record = _found(caller, which)
    changed = caller.authority.revoke(record, Reason(wanted.reason), requester=caller.requester)
    return shown.certificate(changed, caller.authority.clock())


@router.post("/certificates/{which}/hold")
def hold_certificate(caller: Calling, which: models.Which) -> dict[str, Any]:
    """Revoke it until it is released."""
    record = _found(caller, which)
    return shown.certificate(caller.authority.hold(record, requester=caller.requester), caller.authority.clock())


@router.post("/certificates/{which}/release")
def release_certificate(caller: Calling, which: models.Which) -> dict[str, Any]:
    """End a hold. What was revoked never becomes good again."""
    record = _found(caller, which)
    return shown.certificate(caller.authority.release(record, requester=caller.requester), caller.authority.clock())


def _order(caller: Caller, wanted: models.Wanted, public_key: PublicKey, row: BatchRow | None) -> Order:
    return Order(
        profile=wanted.profile,
        public_key=public_key,
        subject=wanted.subject_or(wanted.csr),
        names=wanted.names_or(wanted.csr),
        lifetime=models.lifetime_of(wanted.lifetime),
        issuer=wanted.issuer,
        requester=caller.requester,
        batch_row=row,
    )


def _row(caller: Caller, row: models.Row | None) -> BatchRow | None:
    """Nobody comes upon another requester's batch, nor upon those that are issued at the machine."""
    return None if row is None else BatchRow(f"{caller.requester.name}/{row.batch}", row.name)


def _require_no_lost_key(caller: Caller, row: BatchRow | None) -> None:
    """A key that was made here was in the first answer only. Raises Conflict when that is gone."""
    before = caller.authority.store.by_batch(row.batch, [row.row]) if row is not None else ()
    if before:
        serial = serial_text(before[0].serial)
        msg = f"this made the certificate {serial}, whose key was lost with the answer"
        raise Conflict(msg, hint=f"revoke {serial}, and ask again with another Idempotency-Key")


def _renewed(
    caller: Caller, record: CertificateRecord, public_key: PublicKey, *, wanted: models.Renewal, row: BatchRow | None
) -> tuple[int, dict[str, Any]]:
    return _enrolled(
        caller,
        Order(
            profile=record.profile,
            public_key=public_key,
            subject=_certificate(record).subject,
            names=record.names,
            lifetime=models.lifetime_of(wanted.lifetime),
            issuer=record.issuer if record.issuer in caller.authority.issuers else None,
            requester=caller.requester,
            replaces=record.serial,
            batch_row=row,
        ),
    )


def _enrolled(caller: Caller, order: Order) -> tuple[int, dict[str, Any]]:
    answer = caller.authority.enroll(order)
    if isinstance(answer, Pending):
        after = round(answer.retry_after.total_seconds())
        return 202, {"transaction": answer.transaction, "retry_after": after}
    return 201, shown.issued(answer, caller.authority.clock())


def _found(caller: Caller, which: str) -> CertificateRecord:
    """The one that is meant, as far as the caller may know of it. Raises NotFound, Conflict."""
    digits = which.lower().removeprefix("0x").replace(":", "")
    store = caller.authority.store
    found = list(store.by_serial(int(digits, 16))) if len(digits) <= 40 else []
    if not found and len(digits) >= LEAST_PREFIX and len(digits) % 2 == 0:
        found = [one for one in store.by_fingerprint(bytes.fromhex(digits)) if one.fingerprint]
    found = [one for one in found if _may_see(caller, one)]
    if not found:
        raise NotFound(f"there is no certificate {which}", hint="give its serial number in hexadecimal")
    if len(found) > 1:
        serials = ", ".join(serial_text(one.serial) for one in found)
        raise Conflict(f"{which} may mean several: {serials}", hint="give all of the serial number")
    return found[0]


def _may_see(caller: Caller, record: CertificateRecord) -> bool:
    own = caller.requester.certificate
    is_own = record.requester == caller.requester.name or (own is not None and own.id == record.id)
    return caller.whose is Whose.ANY or is_own


def _certificate(record: CertificateRecord) -> x509.Certificate:
    certificate = record.x509()
    if certificate is None:
        raise NotFound(f"the certificate {serial_text(record.serial)} was never finished", hint="issue a new one")
    return certificate
