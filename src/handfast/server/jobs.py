"""Jobs: what the service does by itself, from time to time, while nobody asks."""

import asyncio
import os
import secrets
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from handfast.ca.authority import Authority
from handfast.ca.due import publish_due
from handfast.ca.refusals import record
from handfast.errors import HandfastError, Unavailable
from handfast.server.assembly import Parts
from handfast.server.delivering import delivery_of
from handfast.server.health import Health
from handfast.server.holding import Hold, Step, freely
from handfast.server.housekeeping import drop_segments, retire
from handfast.server.log import Log
from handfast.server.noticing import notices_of
from handfast.server.service import Service
from handfast.server.witness import witness_if_due

# Called with a job's name and how long it is to be kept from others; True for the replica that shall do it now.
Claim = Callable[[str, timedelta], bool]
# A job that failed is tried again no sooner, so that a store that is down is not asked without end.
_PAUSE = timedelta(seconds=5)
# And no later, so that what is done once an hour has not to wait for another one.
_AGAIN = timedelta(minutes=1)
# A replica that dies keeps a job from the others for so long. One that lives renews it while the job runs.
_SHORTEST_LEASE = timedelta(minutes=5)
_RENEW = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Job:
    """is_shared: the store itself sees to it that replicas do not get into each other's way; else one at a time does
    it. run: in a thread of its own; takes each step that others would see only if it may, and raises HandfastError when
    it cannot.
    """

    name: str
    every: timedelta
    run: Callable[[Service, Step], None]
    is_shared: bool = False


@dataclass(frozen=True, slots=True)
class Tenant:
    """One of the service's authorities. name: empty for its own; log: says which one it is about. step: before what
    others would see.
    """

    name: str
    authority: Authority
    parts: Parts
    log: Log
    step: Step = freely


def of_each(service: Service, do: Callable[[Tenant], None], step: Step = freely) -> None:
    """Do it for every tenant. One that fails keeps it from no other; then Unavailable says which failed, and why."""
    failed = []
    for name, authority in service.authorities.items():
        step()
        tenant = Tenant(name, authority, service.parts_of(name), partial(service.log, tenant=name or None), step)
        try:
            do(tenant)
        except HandfastError as error:
            failed.append(f"{name}: {error.message}" if name else error.message)
    if failed:
        raise Unavailable("; ".join(failed), hint="it is tried again")


def publish(service: Service, step: Step = freely) -> None:
    """The revocation lists that are due, of every tenant."""
    of_each(service, _publish, step)


def _publish(tenant: Tenant) -> None:
    outcome = publish_due(tenant.authority, tenant.authority.clock())
    for one in outcome.published:
        tenant.log("list.published", list=one.which.file_name, number=one.record.number, entries=one.entries)
    for which in outcome.late:
        tenant.log("list.late", list=which.file_name)


def take_crosses(service: Service, step: Step = freely) -> None:
    """The cross certificates that holders are to send along now, of every tenant."""
    of_each(service, lambda tenant: service.take_crosses(tenant.name), step)


def tell(service: Service, step: Step = freely) -> None:
    """What people are to know in time, as far as the settings of each tenant name somebody."""
    of_each(service, _tell, step)


def _tell(tenant: Tenant) -> None:
    parts = tenant.parts
    settings, queue = parts.settings.notices, parts.store.notices
    if not settings.are_wanted:
        return
    queue.add(tuple(notices_of(tenant.authority, settings.ahead)))
    delivery = delivery_of(settings, queue, parts.directory, tenant.log)
    arrived, missed = delivery.deliver(parts.clock(), tenant.step)
    if arrived or missed:
        tenant.log("notices.delivered", arrived=arrived, missed=missed)


def keep_house(service: Service, step: Step = freely) -> None:
    """Archive what ended long ago, and give each tenant's witness a head."""
    of_each(service, _keep_house, step)


def _keep_house(tenant: Tenant) -> None:
    archived, head = retire(tenant.parts, tenant.step), witness_if_due(tenant.parts, tenant.step)
    if archived or head is not None:
        tenant.log("house.kept", archived=archived, head=None if head is None else head.id)


def keep_journal(service: Service, step: Step = freely) -> None:
    """Drop old segments of this replica's own journals."""
    of_each(service, _keep_journal, step)


def _keep_journal(tenant: Tenant) -> None:
    dropped = drop_segments(tenant.parts)
    if dropped:
        tenant.log("journal.dropped", segments=dropped)


def record_refusals(service: Service, step: Step = freely, *, everything: bool = False) -> None:
    """What this replica refused, in sums. everything: the service stops."""
    of_each(service, partial(_record_refusals, everything=everything), step)


def _record_refusals(tenant: Tenant, *, everything: bool) -> None:
    record(tenant.authority.refusals, tenant.authority.store, tenant.authority.clock(), everything=everything)


JOBS = (
    # A revocation is in the CRL within a second, the time for making it included.
    Job("publish", timedelta(seconds=0.5), publish, is_shared=True),
    Job("take-crosses", timedelta(minutes=1), take_crosses, is_shared=True),
    Job("tell", timedelta(minutes=1), tell),
    Job("keep-house", timedelta(hours=1), keep_house),
    Job("record-refusals", timedelta(minutes=1), record_refusals, is_shared=True),
    Job("keep-journal", timedelta(hours=1), keep_journal, is_shared=True),
)


def claim_of(service: Service) -> Claim:
    """By leases in the store: of all replicas one does the job, until it dies or stops."""
    owner = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"

    def claim(name: str, length: timedelta) -> bool:
        return service.authority.store.leases.claim(name, owner, max(2 * length, _SHORTEST_LEASE))

    return claim


def alone(name: str, length: timedelta) -> bool:
    """The claim of a service that is the only one."""
    return True


async def keep_running(jobs: Sequence[Job], service: Service, health: Health, claim: Claim = alone) -> None:
    """Run each job at once, and then again and again, until cancelled. One that runs is never run a second time."""
    async with asyncio.TaskGroup() as group:
        for job in jobs:
            group.create_task(_keep(job, service, health, claim))


async def _keep(job: Job, service: Service, health: Health, claim: Claim) -> None:
    failed = ""
    while True:
        why = await _held(job, service, claim)
        if why != failed:
            # Told when it begins to fail and when it goes well again, and not each time between.
            service.log("job.failed" if why else "job.recovered", job=job.name, why=why or None)
            health.note_job(job.name, why)
        failed = why
        pause = max(min(job.every, _AGAIN), _PAUSE) if why else job.every
        await asyncio.sleep(pause.total_seconds())


async def _held(job: Job, service: Service, claim: Claim) -> str:
    """Run it once, and keep the lease as long as it takes."""
    hold = Hold((lambda: True) if job.is_shared else partial(claim, job.name, job.every))
    work = asyncio.create_task(asyncio.to_thread(_once, job, service, hold))
    while not (await asyncio.wait({work}, timeout=_RENEW.total_seconds()))[0]:
        await asyncio.to_thread(_renew, hold)
    return work.result()


def _renew(hold: Hold) -> None:
    with suppress(HandfastError):  # the job itself will say that the store does not answer
        hold.renew()


def _once(job: Job, service: Service, hold: Hold) -> str:
    """Why it failed; empty when it went well, or was another's turn."""
    has_begun = False
    try:
        if has_begun := hold.renew():
            job.run(service, hold.step)
    except HandfastError as error:
        if not hold.is_lost:
            return error.message
    except Exception as error:  # noqa: BLE001  # an outermost frame: the other jobs go on
        return f"{type(error).__name__} in the job"
    if has_begun and hold.is_lost:
        service.log("job.lost", job=job.name)
    return ""
