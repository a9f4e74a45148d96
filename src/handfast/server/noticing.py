"""What is worth a notice now: certificates and CAs that end, CRLs that are late, requests that wait for approval."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from handfast.ca.authority import Authority
from handfast.ca.due import ages
from handfast.ca.issuer import Issuer
from handfast.ca.notices import Notice, NoticeKind
from handfast.ca.records import CertificateRecord, Listing, State
from handfast.pki.lifetime import format_lifetime
from handfast.pki.serial import serial_text

# A CA takes long to replace: everybody has to trust the next one before it is needed.
CA_AHEAD = (timedelta(days=365), timedelta(days=90), timedelta(days=30), timedelta(days=7))
# More than a person reads; the notice says how many there are.
_MOST_NAMED = 20
_MOST_LOOKED_AT = 2000


def notices_of(authority: Authority, ahead: Sequence[timedelta]) -> Iterator[Notice]:
    """Everything that is to be told now; the subjects see to it that each is told once."""
    now = authority.clock()
    for issuer in authority.issuers.values():
        yield from _ca_expires(issuer, now)
    yield from _crls_late(authority, now)
    yield from _approvals_wait(authority, now)
    yield from _certificates_expire(authority, tuple(sorted(ahead)), now)


def _ca_expires(issuer: Issuer, now: datetime) -> Iterator[Notice]:
    end = issuer.certificate.not_valid_after_utc
    near = [limit for limit in CA_AHEAD if now <= end < now + limit]
    if not near:
        return
    limit = min(near)
    yield Notice(
        subject=f"ca/{issuer.name}/{serial_text(issuer.certificate.serial_number)}/{format_lifetime(limit)}",
        kind=NoticeKind.CA_EXPIRES,
        text=f"the CA {issuer.name} ends on {end:%Y-%m-%d}: make the next one, and have everybody trust it before",
        created_at=now,
        detail={"issuer": issuer.name, "not_after": end.isoformat()},
    )


def _crls_late(authority: Authority, now: datetime) -> Iterator[Notice]:
    for one in ages(authority):
        if not one.is_late(now):
            continue
        over, name = "ended" if now >= one.next_update else "ends", one.which.file_name
        yield Notice(
            subject=f"crl/{one.which.issuer}/{one.number}/{over}",
            kind=NoticeKind.CRL_LATE,
            text=f"the CRL {one.number}, {name}, {over} on {one.next_update:%Y-%m-%d %H:%M} UTC, and no newer one was "
            "made: relying parties refuse everybody after that",
            created_at=now,
            detail={
                "issuer": one.which.issuer,
                "list": name,
                "number": str(one.number),
                "next_update": one.next_update.isoformat(),
            },
        )


def _approvals_wait(authority: Authority, now: datetime) -> Iterator[Notice]:
    for one in authority.store.approvals.all(now=now):
        if one.state != "waiting":
            continue
        yield Notice(
            subject=f"approval/{one.transaction}",
            kind=NoticeKind.APPROVAL_PENDING,
            text=f"{one.requester} asks for a {one.profile} certificate for {one.subject or one.names[0]}: "
            f"handfast approvals approve {one.transaction}",
            created_at=now,
            detail={"transaction": one.transaction, "profile": one.profile, "requester": one.requester},
        )


def _certificates_expire(authority: Authority, ahead: Sequence[timedelta], now: datetime) -> Iterator[Notice]:
    """One notice a day for each limit, about those that came within it and have no successor yet."""
    nearest_limit = timedelta(0)
    for limit in ahead:
        ending = [
            record
            for record in _ending(authority, now, limit)
            if record.not_after >= now + nearest_limit and not _has_successor(authority, record, now)
        ]
        nearest_limit = limit
        if ending:
            yield _digest(ending, limit, now)


def _ending(authority: Authority, now: datetime, limit: timedelta) -> Iterator[CertificateRecord]:
    """The valid ones that end within the limit; at most so many as a look may cost."""
    before, left = None, _MOST_LOOKED_AT
    while left > 0:
        page = authority.store.search(
            Listing(now=now, state=State.VALID, expires_before=now + limit, before=before, limit=min(200, left))
        )
        yield from page.records
        left -= len(page.records)
        if page.cursor is None:
            return
        before = page.cursor


def _has_successor(authority: Authority, record: CertificateRecord, now: datetime) -> bool:
    """Whether its holder has a certificate that lives longer: renewed, or issued anew under the same name."""
    return any(
        other.not_after > record.not_after
        and other.profile == record.profile
        and other.label == record.label
        and other.state(now) is State.VALID
        for other in authority.store.by_name(record.label)
    )


def _digest(ending: Sequence[CertificateRecord], limit: timedelta, now: datetime) -> Notice:
    within = format_lifetime(limit)
    lines = [f"{one.label} ({one.profile}) on {one.not_after:%Y-%m-%d}" for one in ending[:_MOST_NAMED]]
    more = [f"and {len(ending) - _MOST_NAMED} more"] if len(ending) > _MOST_NAMED else []
    what = "1 certificate ends" if len(ending) == 1 else f"{len(ending)} certificates end"
    return Notice(
        subject=f"certificates/{within}/{now:%Y-%m-%d}",
        kind=NoticeKind.CERTIFICATE_EXPIRES,
        text="\n".join([f"{what} within {within} and have no successor:", *lines, *more]),
        created_at=now,
        detail={"count": str(len(ending)), "within": within, "serials": " ".join(_serials(ending))},
    )


def _serials(records: Sequence[CertificateRecord]) -> list[str]:
    return [serial_text(record.serial) for record in records[:_MOST_NAMED]]
