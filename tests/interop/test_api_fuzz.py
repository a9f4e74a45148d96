"""The API of a running service, asked whatever its OpenAPI document allows and much that it does not (schemathesis)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode

from handfast.ca.office import Proof
from handfast.ca.policy import RequesterRole
from handfast.ca.requesters import SECRET_PREFIX, RequesterRecord
from handfast.keys.generate import generate_key, new_secret
from handfast.pki.csr import build_request
from handfast.pki.keys import KeyKind
from handfast.pki.pem import to_pem
from handfast.pki.serial import serial_text
from handfast.pki.subject import parse_subject
from handfast.server.api.access import OPERATIONS
from tests.serving import PATIENCE, Running, authority_in, client_files, opened, running

EXAMPLES = 6


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """The running service, its document, a session, how an administrator asks in it, and what is really there."""

    service: Running
    schema: Any
    session: requests.Session
    how: dict[str, Any]
    there: dict[str, Any]

    @property
    def url(self) -> str:
        """Where the API is."""
        return f"https://localhost:{self.service.https}/api"


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    workplace = tmp_path_factory.mktemp("fuzzed")
    authority_in(workplace / "ca")
    secret = new_secret(SECRET_PREFIX)
    issued = client_files(workplace / "ca", "there", workplace / "client")
    with opened(workplace / "ca") as authority:
        record = RequesterRecord(
            name="fuzzer", role=RequesterRole.ADMINISTRATOR, profiles=None, patterns=None, created_at=authority.clock()
        )
        authority.office.add_requester(record, Proof(secret=secret))
    csr = to_pem(build_request(generate_key(KeyKind.P256), subject=parse_subject("CN=there")))
    there = {"which": serial_text(issued.record.serial), "name": "issuing", "profile": "client", "csr": csr}
    with running(workplace / "ca", workplace=workplace) as service, requests.Session() as session:
        session.trust_env = False
        how = {"verify": str(service.root), "headers": {"Authorization": f"Bearer {secret}"}}
        url = f"https://localhost:{service.https}/api/openapi.json"
        document = session.get(url, timeout=PATIENCE, verify=str(service.root)).json()
        yield Fuzzed(service, schemathesis.openapi.from_dict(document), session, how, there)


def _with_what_is_there(case: Any, there: dict[str, Any]) -> None:
    """Half of the cases are about things that exist: they get further than to "not found"."""
    if len(repr(case.body)) % 2:
        return
    for place in (case.path_parameters, case.body):
        if isinstance(place, dict):
            place.update({key: value for key, value in there.items() if key in place})


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_nothing_that_is_asked_makes_the_service_fail(fuzzed: Fuzzed, operation: str, mode: GenerationMode) -> None:
    found = fuzzed.schema.find_operation_by_id(operation)
    try:
        cases = found.as_strategy(generation_mode=mode)
    except schemathesis.errors.SchemathesisError:
        pytest.skip("nothing about it can be wrong")

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def ask(case: Any) -> None:
        _with_what_is_there(case, fuzzed.there)
        response = case.call(base_url=fuzzed.url, session=fuzzed.session, timeout=PATIENCE, **fuzzed.how)
        assert response.status_code < 500, (case.method, case.formatted_path, case.query, case.body, response.text)

    ask()
