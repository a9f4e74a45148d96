"""Liveness and readiness: does the process answer, and can it do its work now?"""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from handfast.errors import HandfastError
from handfast.protocols.exchange import Response
from handfast.server.service import Service

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

    def ready(self) -> Response:
        """200 when it can answer requests now, 503 with what is amiss otherwise. Reads the store.

        A job that fails is said, and does not make it 503: what clients ask for works all the same.
        """
        amiss = {}
        if self.is_stopping:
            amiss["service"] = "stopping"
        if self.certificate_until is not None and self.service.clock() > self.certificate_until:
            amiss["certificate"] = "expired"
        try:
            self.service.authority.store.last_revocation_id()
        except HandfastError:
            amiss["store"] = "does not answer"
        document: dict[str, object] = {"status": "not ready" if amiss else "ready", "amiss": amiss}
        if self._jobs:
            document["failing_jobs"] = sorted(self._jobs)
        return _response(503 if amiss else 200, document)

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
