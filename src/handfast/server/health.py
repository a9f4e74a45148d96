"""Liveness and readiness: does the process answer, and can it do its work now?"""

import json
from dataclasses import dataclass, field
from datetime import timedelta

from handfast.errors import HandfastError
from handfast.protocols.exchange import Response
from handfast.server.service import Service

LIVE = "/health/live"
READY = "/health/ready"


@dataclass(slots=True)
class Health:
    """is_stopping: no new requests are wanted."""

    service: Service
    is_stopping: bool = False
    _checks: dict[str, str] = field(default_factory=dict)

    def live(self) -> Response:
        """The process answers."""
        return _response(200, {"status": "live"})

    def ready(self) -> Response:
        """200 when it can answer requests now, 503 with what is amiss otherwise. Reads the store."""
        amiss = dict(self._checks)
        if self.is_stopping:
            amiss["service"] = "stopping"
        try:
            self.service.authority.store.last_revocation_id()
        except HandfastError:
            amiss["store"] = "does not answer"
        return _response(503 if amiss else 200, {"status": "not ready" if amiss else "ready", "amiss": amiss})

    def amiss(self, part: str, words: str | None) -> None:
        """Note that a part does not work; None when it does again."""
        if words is None:
            self._checks.pop(part, None)
        else:
            self._checks = {**self._checks, part: words}


# A connection that is asked about anew after this keeps a load balancer from trusting an old answer.
RETRY = timedelta(seconds=5)


def _response(status: int, document: dict[str, object]) -> Response:
    headers = {"cache-control": "no-store"}
    if status != 200:
        headers["retry-after"] = str(int(RETRY.total_seconds()))
    body = json.dumps(document).encode() + b"\n"
    return Response(status=status, body=body, media_type="application/json", headers=headers)
