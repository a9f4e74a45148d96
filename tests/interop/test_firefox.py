"""Firefox, run for real without a screen: the rendered script and policy, and a server that sees who comes."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from handfast import registry
from handfast.pki import pem
from handfast.pki.pkcs12 import Flavour, build_pkcs12
from handfast.prove.deploy import Place, setting_for, write_all
from handfast.prove.find import program_of
from handfast.prove.process import free_port, wait_until
from handfast.prove.program import Program, Stage
from handfast.prove.stage import material_of
from handfast.prove.throw_away import throw_away_pki
from handfast.prove.visitors import ThrowAwayPki, Visitor
from handfast.targets.contract import Case, Target
from handfast.targets.firefox import IMPORT, POLICY
from tests.loopback_http import Server, body, http_server
from tests.programs import required_program

MANAGED = Path("/etc/firefox/policies") / POLICY
PASSWORD = "correct-horse-battery"


def import_by_script(stage: Stage, home: Path, visitor: Visitor, flavour: Flavour) -> str:
    """As the person does it; gives the policy that goes with it."""
    out, profile = home / "out", home / ".mozilla" / "firefox" / "trial.default-esr"
    out.mkdir(parents=True)
    profile.mkdir(parents=True)
    root = out / "root.pem"
    root.write_text(stage.pki.root, encoding="ascii")
    setting = replace(stage.setting, directory=str(out), client_ca=str(root))
    files = {Path(file.path).name: file for file in registry.load("targets", "firefox").target.render(setting)}
    chain = pem.certificates(visitor.chain.encode(), "chain")
    key = pem.one_key(visitor.key.encode(), None, "key")
    bundle = build_pkcs12(key, chain[0], chain[1:], password=PASSWORD.encode(), friendly_name="user", flavour=flavour)
    (out / IMPORT).write_text(files[IMPORT].content, encoding="utf-8")
    (out / "user.p12").write_bytes(bundle)
    (out / "password.txt").write_text(PASSWORD + "\n", encoding="ascii")
    done = subprocess.run(
        ["sh", str(out / IMPORT), str(out / "user.p12")],
        env={**os.environ, "HOME": str(home), "PASSWORD_FILE": str(out / "password.txt")},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    content: str = files[POLICY].content
    return content


def picture_of(stage: Stage, home: Path) -> Path:
    """What the person sees."""
    picture = home / "page.png"
    command = ["firefox-esr", "--headless", "--no-remote", "--profile", f"{home}/.mozilla/firefox/trial.default-esr",
               "--screenshot", str(picture), f"https://localhost:{stage.setting.port}/"]  # fmt: skip
    with (home / "firefox.log").open("wb") as log:
        process = subprocess.Popen(command, env={**os.environ, "HOME": str(home)}, stdout=log, stderr=log)
        try:
            wait_until(lambda: picture.is_file() or process.poll() is not None, "Firefox shows the page", patience=90)
            process.wait(60)
        finally:
            process.kill()
            process.wait()
    return picture


@pytest.mark.xdist_group("firefox-policy")
def test_the_server_sees_who_comes_with_firefox(tmp_path: Path) -> None:
    """One test does it all: the policy is the machine's, so two at a time would disturb each other."""
    for name in ("nginx", "firefox-esr", "certutil", "pk12util"):
        required_program(name)
    if os.geteuid() != 0 or MANAGED.exists():
        pytest.skip(f"the policy of Firefox is {MANAGED}: needs root, and a machine that has none")
    target, program = program_of("nginx")
    pki = throw_away_pki(lambda: datetime.now(UTC))
    came: list[str] = []

    def greet(handler: BaseHTTPRequestHandler) -> None:
        came.append(handler.headers["X-Client-Subject"])
        body(f"hello {came[-1]}".encode())(handler)

    with http_server() as application, at_work(target, program, pki, tmp_path / "server", application) as stage:
        application.answers["/"] = greet
        try:
            for case, flavour in ((Case.USER, Flavour.MODERN), (Case.DEVICE, Flavour.LEGACY)):
                policy = import_by_script(stage, tmp_path / case, pki.visitors[case], flavour)
                MANAGED.parent.mkdir(parents=True, exist_ok=True)
                MANAGED.write_text(policy, encoding="utf-8")
                picture = picture_of(stage, tmp_path / case)
                assert picture.read_bytes().startswith(b"\x89PNG")
        finally:
            MANAGED.unlink(missing_ok=True)
    assert list(dict.fromkeys(came)) == ["CN=alice", "CN=device-1"]


@contextmanager
def at_work(
    target: Target, program: Program, pki: ThrowAwayPki, directory: Path, application: Server
) -> Iterator[Stage]:
    """The program in front of that application."""
    directory.mkdir(mode=0o755)
    upstream = application.url.removeprefix("http://")
    place = Place(directory=directory, names=("localhost",), port=free_port(), listen="127.0.0.1", upstream=upstream)
    setting = setting_for(target, place)
    files = write_all(target, setting, material_of(pki, pki.server, pki.crls), datetime.now(UTC))
    stage = Stage(directory, setting, files, pki)
    run = program.start(stage)
    try:
        yield stage
    finally:
        run.stop()
