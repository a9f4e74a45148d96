"""Chromium, run for real without a screen: the rendered script and policy, and a page that greets the user by name."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from handfast import registry
from handfast.pki import pem
from handfast.pki.pkcs12 import Flavour, build_pkcs12
from handfast.prove.find import program_of
from handfast.prove.program import Stage
from handfast.prove.stage import running
from handfast.prove.throw_away import throw_away_pki
from handfast.prove.visitors import Visitor
from handfast.targets.chromium import IMPORT, POLICY
from handfast.targets.contract import Case
from tests.programs import required_program

MANAGED = Path("/etc/chromium/policies/managed")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip
PASSWORD = "correct-horse-battery"


@pytest.fixture
def greeter(tmp_path: Path) -> Iterator[Stage]:
    for name in ("nginx", "chromium", "certutil", "pk12util"):
        required_program(name)
    target, program = program_of("nginx")
    pki = throw_away_pki(lambda: datetime.now(UTC))
    with running(target, program, pki, tmp_path / "server") as (stage, _):
        yield stage


def import_by_script(stage: Stage, home: Path, visitor: Visitor, flavour: Flavour) -> str:
    """As the person does it; gives the policy that goes with it."""
    out = home / "out"
    out.mkdir(parents=True)
    root = out / "root.pem"
    root.write_text(stage.pki.root, encoding="ascii")
    setting = replace(stage.setting, directory=str(out), client_ca=str(root), options={"issuer": issuer_name(visitor)})
    files = {Path(file.path).name: file for file in registry.load("targets", "chromium").target.render(setting)}
    script, p12, password = out / IMPORT, out / "user.p12", out / "password.txt"
    script.write_text(files[IMPORT].content, encoding="utf-8")
    chain = pem.certificates(visitor.chain.encode(), "chain")
    key = pem.one_key(visitor.key.encode(), None, "key")
    p12.write_bytes(
        build_pkcs12(key, chain[0], chain[1:], password=PASSWORD.encode(), friendly_name="user", flavour=flavour)
    )
    password.write_text(PASSWORD + "\n", encoding="ascii")
    environment = {**os.environ, "HOME": str(home), "PASSWORD_FILE": str(password)}
    done = subprocess.run(
        ["sh", str(script), str(p12)], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    content: str = files[POLICY].content
    return content


def issuer_name(visitor: Visitor) -> str:
    leaf = pem.certificates(visitor.chain.encode(), "chain")[0]
    return leaf.issuer.rfc4514_string().partition("CN=")[2].partition(",")[0]


def page(stage: Stage, home: Path, *flags: str) -> str:
    done = subprocess.run(
        ["chromium", *FLAGS, f"--user-data-dir={home / 'profile'}", *flags, f"https://localhost:{stage.setting.port}/"],
        env={**os.environ, "HOME": str(home), "XDG_CONFIG_HOME": str(home), "XDG_CACHE_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout


@pytest.mark.xdist_group("chromium-policy")
def test_chromium_shows_a_page_that_greets_the_user_by_name(greeter: Stage, tmp_path: Path) -> None:
    """One test does it all: the policy is the machine's, so two at a time would disturb each other."""
    if os.geteuid() != 0:
        pytest.skip("policies of Chromium are in /etc/chromium: needs root")
    policy = MANAGED / f"handfast-test-{os.getpid()}.json"
    users = ((Case.USER, Flavour.MODERN, "hello CN=alice"), (Case.DEVICE, Flavour.LEGACY, "hello CN=device-1"))
    MANAGED.mkdir(parents=True, exist_ok=True)
    try:
        for case, flavour, words in users:
            home = tmp_path / case
            policy.write_text(import_by_script(greeter, home, greeter.pki.visitors[case], flavour), encoding="utf-8")
            assert words in page(greeter, home, "--dump-dom")
        picture = tmp_path / "page.png"
        page(greeter, tmp_path / Case.USER, f"--screenshot={picture}")
        assert picture.read_bytes().startswith(b"\x89PNG")
    finally:
        policy.unlink(missing_ok=True)
