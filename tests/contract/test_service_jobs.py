"""Jobs of the service: each goes on after a failure, which is told once, and a claim keeps others from doing it too."""

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from handfast.ca.order import Order
from handfast.errors import Unavailable
from handfast.keys.generate import generate_key
from handfast.keys.passphrase import no_passphrase
from handfast.pki.subject import parse_subject
from handfast.server.assembly import open_parts
from handfast.server.founding import Plan, create_authority
from handfast.server.health import Health
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

    def fail(_: Service) -> None:
        raise Unavailable("the disk is full", hint="make room")

    def break_down(_: Service) -> None:
        raise KeyError("secret")

    jobs = [
        Job("good", _OFTEN, lambda _: runs.append("good")),
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
        Job("mine", _OFTEN, lambda _: runs.append("mine")),
        Job("anybody's", _OFTEN, lambda _: runs.append("anybody's"), is_shared=True),
    ]
    _run_until(lambda: len(asked) > 3 and len(runs) > 3, jobs, service, claim)

    assert set(asked) == {"mine"}
    assert set(runs) == {"anybody's"}


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
