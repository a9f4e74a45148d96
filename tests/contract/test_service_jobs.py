"""Jobs of the service: each goes on after a failure, which is told once, and a claim keeps others from doing it too."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from handfast.ca.notices import Notice, NoticeKind
from handfast.ca.order import Order
from handfast.errors import Conflict, Unavailable
from handfast.keys.generate import generate_key
from handfast.keys.passphrase import no_passphrase
from handfast.pki.subject import parse_subject
from handfast.server import jobs as jobs_module
from handfast.server.assembly import open_parts
from handfast.server.delivering import Channel, Delivery
from handfast.server.founding import Plan, create_authority
from handfast.server.health import Health
from handfast.server.holding import Step
from handfast.server.jobs import JOBS, Claim, Job, alone, keep_running
from handfast.server.service import Service, service_of

_OFTEN = timedelta(milliseconds=1)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    create_authority(tmp_path / "ca", Plan(name="Trial"), passphrase=no_passphrase).store.close()
    parts = open_parts(tmp_path / "ca", passphrase=no_passphrase)
    yield service_of(parts, log=lambda event, **fields: told.append((event, fields)))
    parts.store.close()
    told.clear()


told: list[tuple[str, dict[str, object]]] = []


def _run_until(condition: Callable[[], bool], jobs: list[Job], service: Service, claim: Claim = alone) -> Health:
    health = Health(service)

    async def running() -> None:
        keeping = asyncio.create_task(keep_running(jobs, service, health, claim))
        async with asyncio.timeout(60):
            while not condition():
                await asyncio.sleep(0.005)
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)

    asyncio.run(running())
    return health


def test_a_job_that_fails_is_told_and_the_others_go_on(service: Service) -> None:
    runs: list[str] = []

    def fail(_: Service, __: Step) -> None:
        raise Unavailable("the disk is full", hint="make room")

    def break_down(_: Service, __: Step) -> None:
        raise KeyError("secret")

    jobs = [
        Job("good", _OFTEN, lambda *_: runs.append("good")),
        Job("failing", _OFTEN, fail),
        Job("broken", _OFTEN, break_down),
    ]
    health = _run_until(lambda: len(runs) > 5 and len(told) >= 2, jobs, service)

    failures = {fields["job"]: fields["why"] for event, fields in told if event == "job.failed"}
    assert failures == {"failing": "the disk is full", "broken": "KeyError in the job"}
    assert health.ready().status == 200
    assert json.loads(health.ready().body)["failing_jobs"] == ["broken", "failing"]


def test_a_job_that_is_another_replicas_is_not_run(service: Service) -> None:
    runs: list[str] = []
    asked: list[str] = []

    def claim(name: str, length: timedelta) -> bool:
        asked.append(name)
        return False

    jobs = [
        Job("mine", _OFTEN, lambda *_: runs.append("mine")),
        Job("anybody's", _OFTEN, lambda *_: runs.append("anybody's"), is_shared=True),
    ]
    _run_until(lambda: len(asked) > 3 and len(runs) > 3, jobs, service, claim)

    assert set(asked) == {"mine"}
    assert set(runs) == {"anybody's"}


def _claims(service: Service, owner: str) -> Claim:
    return lambda name, length: service.authority.store.leases.claim(name, owner, max(length, timedelta(minutes=5)))


def _taken_over_after(steps: int, service: Service) -> Claim:
    """The claim of a holder from whom another one takes the job, as when its lease had ended, after so many claims."""
    first, second = _claims(service, "first"), _claims(service, "second")
    asked: list[str] = []

    def claim(name: str, length: timedelta) -> bool:
        asked.append(name)
        if len(asked) == steps + 1:
            service.authority.store.leases.release(name, "first")
            assert second(name, length)
        return first(name, length)

    return claim


def _job(name: str) -> Job:
    return next(replace(job, every=_OFTEN) for job in JOBS if job.name == name)


# Asked when it begins, for the tenant, before the one batch that finds nothing, and before the witness.
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_job_that_another_has_taken_over_stops_before_the_witness_hears_of_it(tmp_path: Path, steps: int) -> None:
    settings = '[audit]\nwitness = "heads"\n'
    create_authority(tmp_path / "ca", Plan(name="Trial", settings=settings), passphrase=no_passphrase).store.close()
    parts = open_parts(tmp_path / "ca", passphrase=no_passphrase)
    service = service_of(parts, log=lambda event, **fields: told.append((event, fields)))
    told.clear()

    health = _run_until(lambda: bool(told), [_job("keep-house")], service, _taken_over_after(steps, service))

    assert told == [("job.lost", {"job": "keep-house"})]
    assert not (tmp_path / "ca" / "heads").exists()
    assert parts.store.heads.all() == ()
    assert "failing_jobs" not in json.loads(health.ready().body)
    _run_until(lambda: len(told) > 1, [_job("keep-house")], service, _claims(service, "second"))
    assert len((tmp_path / "ca" / "heads").read_text().splitlines()) == 1
    parts.store.close()


def test_a_job_that_runs_long_is_told_that_its_lease_was_lost(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_module, "_RENEW", _OFTEN)
    told.clear()
    published: list[str] = []

    def long_job(service: Service, step: Step) -> None:
        second = _claims(service, "second")
        while not second("long", timedelta(minutes=1)):  # the thread that renews may be faster
            service.authority.store.leases.release("long", "first")
        while True:  # until the step fails, by what the renewing thread found out
            renewed.wait(60)
            service.authority.store.leases.release("long", "second")
            step()
            published.append("too late")

    renewed = threading.Event()
    first = _claims(service, "first")

    def claim(name: str, length: timedelta) -> bool:
        is_ours = first(name, length)
        if not is_ours:
            renewed.set()
        return is_ours

    _run_until(lambda: bool(told), [Job("long", timedelta(hours=1), long_job)], service, claim)
    assert told == [("job.lost", {"job": "long"})]
    assert published == []


def test_notices_are_delivered_one_by_one_and_none_after_the_job_was_lost(service: Service) -> None:
    given: list[str] = []
    queue = service.authority.store.notices
    now = service.clock()
    queue.add(
        tuple(
            Notice(subject=f"crl/{number}", kind=NoticeKind.CRL_LATE, text="late", created_at=now)
            for number in range(3)
        )
    )

    def step() -> None:
        if given:
            raise Conflict("another replica has taken the job over", hint="it does what is left")

    delivery = Delivery(queue, (Channel("list", lambda notice, _: given.append(notice.subject)),))
    with pytest.raises(Conflict):
        delivery.deliver(now, step)
    assert given == ["crl/0"]
    assert queue.waiting() == 2


def test_the_services_own_jobs_run_on_a_new_authority_and_publish_a_revocation(service: Service) -> None:
    key = generate_key().public_key()
    issued = service.authority.issue(Order(profile="device", public_key=key, subject=parse_subject("CN=cam")))
    service.authority.revoke(issued.record)

    health = _run_until(lambda: any(event == "list.published" for event, _ in told), list(JOBS), service)

    assert [event for event, _ in told if event == "job.failed"] == []
    assert health.ready().status == 200


def test_a_tenant_whose_store_is_gone_is_named_and_keeps_no_other_from_being_ready(
    service: Service, tmp_path: Path
) -> None:
    parts = {}
    for name in ("acme", "umbrella"):
        create_authority(tmp_path / name, Plan(name=name), passphrase=no_passphrase).store.close()
        parts[name] = open_parts(tmp_path / name, passphrase=no_passphrase)
    health = Health(service_of(service.parts, tenants=parts))
    assert json.loads(health.ready().body) == {"status": "ready", "amiss": {}}
    parts["acme"].store.close()

    told_by_all = health.ready()

    assert told_by_all.status == 200
    assert json.loads(told_by_all.body) == {"status": "ready", "amiss": {}, "tenants_not_ready": ["acme"]}
    assert health.ready("acme").status == 503
    assert json.loads(health.ready("acme").body)["amiss"] == {"store": "does not answer"}
    assert health.ready("umbrella").status == 200
    parts["umbrella"].store.close()


def test_a_service_that_stops_or_has_lost_its_certificate_is_alive_and_not_ready(service: Service) -> None:
    health = Health(service)
    assert health.ready().status == 200

    health.certificate_until = service.clock() - timedelta(seconds=1)
    expired = health.ready()
    health.certificate_until, health.is_stopping = None, True

    assert expired.status == 503
    assert json.loads(expired.body)["amiss"] == {"certificate": "expired"}
    assert health.ready().status == 503
    assert "retry-after" in health.ready().headers
    assert health.live().status == 200
