"""Liveness and readiness: does the process answer, and can it do its work now?"""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from handfast.errors import HandfastError
from handfast.protocols.exchange import Response
from handfast.server.service import DEFAULT_TENANT, Service

LIVE = "/health/live"
READY = "/health/ready"
# When a load balancer may ask again.
_RETRY = timedelta(seconds=5)


@dataclass(slots=True)
class Health:
    """is_stopping: no new requests are wanted. certificate_until: when the service's own certificate ends."""

    service: Service
    is_stopping: bool = False
    certificate_until: datetime | None = None
    _jobs: dict[str, str] = field(default_factory=dict)

    def live(self) -> Response:
        """The process answers."""
        return _response(200, {"status": "live"})

    def ready(self, tenant: str = DEFAULT_TENANT) -> Response:
        """200 when it can answer requests to this tenant now, 503 with what is amiss otherwise. Reads the stores.

        Of the service's own authority it tells also which tenants are not ready. They, and a job that fails, do not
        make it 503: what others ask for works all the same.
        """
        amiss = {}
        if self.is_stopping:
            amiss["service"] = "stopping"
        if self.certificate_until is not None and self.service.clock() > self.certificate_until:
            amiss["certificate"] = "expired"
        if not self._answers(tenant):
            amiss["store"] = "does not answer"
        document: dict[str, object] = {"status": "not ready" if amiss else "ready", "amiss": amiss}
        if tenant == DEFAULT_TENANT:
            document |= self._told()
        return _response(503 if amiss else 200, document)

    def _told(self) -> dict[str, object]:
        """What is amiss with others than who asks. Names only: why, is in the log."""
        tenants = [name for name in self.service.tenants if not self._answers(name)]
        told = {"tenants_not_ready": tenants, "failing_jobs": sorted(self._jobs)}
        return {name: names for name, names in told.items() if names}

    def _answers(self, tenant: str) -> bool:
        try:
            self.service.tenant(tenant).store.last_revocation_id()
        except HandfastError:
            return False
        return True

    def note_job(self, name: str, why: str) -> None:
        """Note that a job failed; with an empty why, that it went well."""
        if why:
            self._jobs[name] = why
        else:
            self._jobs.pop(name, None)


def _response(status: int, document: dict[str, object]) -> Response:
    headers = {"cache-control": "no-store"}
    if status != 200:
        headers["retry-after"] = str(int(_RETRY.total_seconds()))
    body = json.dumps(document).encode() + b"\n"
    return Response(status=status, body=body, media_type="application/json", headers=headers)
