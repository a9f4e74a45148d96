"""A running service: what curl is refused stands in the audit log as sums when it stops, and the log verifies."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from handfast.ca.records import Reason
from tests.serving import PATIENCE, authority_in, client_files, curl, opened, running

HANDFAST = Path(sys.executable).with_name("handfast")


def audit_log(directory: Path, *arguments: str) -> dict[str, Any]:
    command = [str(HANDFAST), "audit-log", *arguments, "--ca", str(directory), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE)
    return json.loads(done.stdout)  # type: ignore[no-any-return]  # an object


def test_a_flood_of_wrong_passwords_and_a_revoked_certificate_are_few_lines(tmp_path: Path) -> None:
    authority_in(tmp_path / "ca")
    client = tmp_path / "client"
    issued = client_files(tmp_path / "ca", "cam-7", client)
    with running(tmp_path / "ca", workplace=tmp_path) as service:
        url = f"https://localhost:{service.https}/api/certificates"
        one = curl(service, "-u", "hunter2:swordfish", "-o", "/dev/null", "-w", "%{http_code}", url)
        assert one.stdout == "401"
        flood = curl(service, "-u", "hunter2:swordfish", "-Z", "-o", "/dev/null", f"{url}?n=[1-200]")
        assert flood.returncode == 0, flood.stderr
        with opened(service.directory) as authority:
            authority.revoke(issued.record, Reason.KEY_COMPROMISE)
        pair = ("--cert", client / "chain.pem", "--key", client / "key.pem")
        assert curl(service, *pair, "-o", "/dev/null", "-w", "%{http_code}", url).stdout == "403"
        service.signal(signal.SIGTERM)
        service.process.wait(PATIENCE)
    events = audit_log(tmp_path / "ca", "list", "--last", "100")["events"]
    failed = [one for one in events if one["action"] == "authentication.failed"]
    by = [(one["detail"]["by"], int(one["detail"]["count"])) for one in failed]
    assert sum(count for kind, count in by if kind == "password") == 201
    assert [count for kind, count in by if kind == "certificate"] == [1]
    assert len(failed) <= 4
    assert not {"hunter2", "swordfish"} & set(json.dumps(events).replace('"', " ").split())
    assert audit_log(tmp_path / "ca", "verify")["findings"] == []
