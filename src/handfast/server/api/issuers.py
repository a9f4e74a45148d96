"""Issuers and profiles, over the API."""

import base64
from typing import Annotated, Any

from fastapi import APIRouter, Path

from handfast.ca.issuer import Issuer
from handfast.ca.published import Which
from handfast.errors import ConfigError, Conflict, NotFound
from handfast.pki.pem import to_pem
from handfast.pki.profile_document import to_document
from handfast.pki.serial import serial_text
from handfast.server.api import models
from handfast.server.api.caller import Caller, Calling

router = APIRouter(tags=["issuers"])
Name = Annotated[str, Path(max_length=64)]


@router.get("/profiles")
def list_profiles(caller: Calling) -> dict[str, Any]:
    """The kinds of certificates that there are, and all that each allows."""
    approvals = caller.authority.policy.approvals
    profiles = [
        {**to_document(one), "approvals": approvals.get(one.name, 0)} for one in caller.authority.profiles.values()
    ]
    return {"profiles": profiles}


@router.get("/issuers")
def list_issuers(caller: Calling) -> dict[str, Any]:
    """The CAs of this authority, with their certificates and chains."""
    authority = caller.authority
    found = []
    for one in authority.issuers.values():
        last = authority.store.last_crl(one.name)
        found.append(
            {
                "name": one.name,
                "role": one.role.value,
                "serial": serial_text(one.certificate.serial_number),
                "not_after": one.certificate.not_valid_after_utc.isoformat(),
                "pem": to_pem(one.certificate),
                "chain": "".join(map(to_pem, one.chain)),
                "crosses": "".join(map(to_pem, one.crosses)),
                "crl_number": last.number if last is not None else None,
                "crl_next_update": last.next_update.isoformat() if last is not None else None,
            }
        )
    return {"issuers": found, "default": authority.default_issuer}


@router.post("/issuers/{name}/crl")
def publish_crl(caller: Calling, name: Name) -> dict[str, Any]:
    """Make a new CRL of an issuer now; the service makes them by itself, too."""
    _require_issuer(caller, name)
    require_key(caller.authority.issuers[name])
    made = caller.authority.publish(Which(name), requester=caller.requester)
    return {
        "issuer": name,
        "number": made.record.number,
        "next_update": made.record.next_update.isoformat(),
        "entries": made.entries,
    }


def require_key(issuer: Issuer) -> None:
    """That a root's key is kept elsewhere is as it should be, and no failure of the service. Raises Conflict."""
    try:
        issuer.unlock()
    except ConfigError:
        hint = "do it at the machine that has the key, or bring the key here"
        raise Conflict(f"the key of {issuer.name} cannot be used at this service", hint=hint) from None


@router.post("/issuers/{name}/ocsp")
def answer_ocsp(caller: Calling, name: Name, wanted: models.Serials) -> dict[str, Any]:
    """Signed OCSP answers for a static web server, in DER and base64: each about one certificate, by SHA-1.

    null when the service does not have what signs for this issuer.
    """
    _require_issuer(caller, name)
    try:
        answers = caller.authority.ocsp_answers(name, [int(one, 16) for one in wanted.serials])
    except ConfigError:
        return {"answers": None}
    return {"answers": [base64.b64encode(one).decode() for one in answers]}


@router.get("/publications")
def list_publications(caller: Calling) -> dict[str, Any]:
    """The newest of all lists: full ones, shards and deltas. Each is at /crl/FILE, for everybody.

    is_late: three quarters of its life are over, and there is no newer one.
    """
    authority = caller.authority
    now, publications = authority.clock(), authority.store.publications
    found = [
        {
            "file": one.which.file_name,
            "issuer": one.which.issuer,
            "number": one.record.number,
            "this_update": one.record.this_update.isoformat(),
            "next_update": one.record.next_update.isoformat(),
            "entries": one.entries,
            "is_late": one.late_at <= now,
        }
        for name in authority.issuers
        for one in publications.all(name)
    ]
    return {"publications": found}


def _require_issuer(caller: Caller, name: str) -> None:
    issuers = caller.authority.issuers
    if name not in issuers:
        raise NotFound(f"there is no issuer {name}", hint=f"the issuers are: {', '.join(issuers)}")
