"""The pages about verifying: every shell block and every Python block runs as printed."""

import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from handfast.pki.crl import CrlHeader, build_crl
from handfast.pki.pem import to_pem
from tests.pki_factory import new_authority

DOCS = Path(__file__).parents[2] / "docs"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)


def test_the_shell_blocks_of_the_page_about_verifying_run_one_after_the_other(tmp_path: Path) -> None:
    script = "set -euo pipefail\n" + "\n".join(blocks("verify.md", "sh"))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("refused: 1") == 3
    assert "acceptable: CN=alice as client (level strict)" in done.stdout
    assert "not acceptable: CN=bob: revoked since" in done.stdout
    assert "belongs to" in done.stdout


def test_the_python_blocks_run_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = datetime.now(UTC)
    authority = new_authority(now=now - timedelta(hours=2))
    header = CrlHeader(number=1, this_update=now - timedelta(hours=1), next_update=now + timedelta(days=1))
    (tmp_path / "peer.pem").write_text(to_pem(authority.issue(names=["alice@example.com"])))
    (tmp_path / "chain.pem").write_text(to_pem(authority.issuing))
    (tmp_path / "root.pem").write_text(to_pem(authority.root))
    (tmp_path / "issuing.crl").write_bytes(build_crl([], header, issuer=authority.issuer, key=authority.key))
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    for block in blocks("validation/python.md", "python"):
        exec(compile(block, "python.md", "exec"), namespace)
    printed = capsys.readouterr().out
    assert printed.startswith("trusted by way of CN=alice")
    assert "good says the CRL number 1" in printed
    assert printed.endswith("True []\n")
