"""Every command, told to ask a service: it asks, or refuses and says what to do; none goes on as if it had not heard.

A command that is new is found here by itself: until it does one or the other, this fails.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import pytest

from handfast.cli import run
from handfast.cli._program import built_in, load
from handfast.keys.generate import generate_key
from handfast.pki.csr import build_request
from handfast.pki.keys import KeyKind
from handfast.pki.pem import to_pem
from handfast.pki.subject import parse_subject
from tests.serving import authority_in

# Nobody listens on port 1.
SERVER = "https://localhost:1"
# The commands that ask, with arguments that need nothing to be there. All others refuse.
ASKING: Mapping[str, tuple[str, ...]] = {
    "approvals approve": ("1234",),
    "approvals list": (),
    "approvals reject": ("1234",),
    "audit-log list": (),
    "audit-log verify": (),
    "bulk": ("rows.csv",),
    "crl": (),
    "expiring": (),
    "export": ("alice", "--format", "pem"),
    "hold": ("alice", "--yes"),
    "issue": ("www.example.org",),
    "issuer list": (),
    "list": (),
    "profiles": (),
    "publish": ("www",),
    "rekey": ("alice",),
    "release": ("alice", "--yes"),
    "renew": ("alice",),
    "requester add": ("web", "--role", "auditor", "--token"),
    "requester credential": ("web", "--token"),
    "requester list": (),
    "requester remove": ("web",),
    "revoke": ("alice", "--yes"),
    "search": ("alice",),
    "show": ("alice",),
    "sign": ("request.pem", "--profile", "client", "--subject", "CN=alice"),
    "token list": (),
    "token new": ("cam-1", "--profile", "device"),
    "token revoke": ("1234",),
}


def leaves(command: click.Command, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from leaves(below, (*words, name))
    else:
        yield words


COMMANDS = [" ".join(words) for name in built_in() for words in leaves(load(name), (name,))]
REFUSING = [name for name in COMMANDS if name not in ASKING]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("desk")
    authority_in(folder / "handfast-ca")
    (folder / "ca.pem").write_bytes((folder / "handfast-ca" / "certificates" / "root.pem").read_bytes())
    (folder / "secret").write_text("hfs_" + "A" * 43)
    (folder / "rows.csv").write_text("name\ncam-1\n")
    request = build_request(generate_key(KeyKind.P256), subject=parse_subject("CN=alice"))
    (folder / "request.pem").write_text(to_pem(request))
    return folder


@pytest.fixture
def asked(desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    monkeypatch.chdir(desk)

    def ask(*arguments: str) -> tuple[int, dict[str, Any]]:
        status = run([*arguments, "--json"])
        printed = capsys.readouterr()
        assert "hint: " in printed.err, printed
        error: dict[str, Any] = json.loads(printed.out)["error"]
        return status, error

    return ask


def test_the_table_has_only_commands_that_are() -> None:
    assert [name for name in ASKING if name not in COMMANDS] == []


@pytest.mark.parametrize("name", ASKING)
@pytest.mark.parametrize("is_first", [True, False], ids=["before", "after"])
def test_a_command_that_can_asks_the_service(asked: Any, name: str, is_first: bool) -> None:
    service = ("--server", SERVER, "--secret-file", "secret")
    words = (*name.split(), *ASKING[name])
    status, error = asked(*service, *words) if is_first else asked(*words, *service)
    assert (status, error["kind"]) == (3, "unavailable"), error
    assert f"the service {SERVER} does not answer" in error["message"]


@pytest.mark.parametrize("name", REFUSING)
@pytest.mark.parametrize("is_first", [True, False], ids=["before", "after"])
def test_a_command_that_cannot_refuses_and_says_what_to_do(asked: Any, name: str, is_first: bool) -> None:
    words, service = name.split(), ("--secret-file", "secret", "--server", SERVER)
    status, error = asked(*service, *words) if is_first else asked(*words, *service)
    assert (status, error["kind"]) == (2, "config-error"), error
    assert "not over the network" in error["message"] or "--server does nothing" in error["message"]
    assert error["hint"]


@pytest.mark.parametrize("name", REFUSING)
def test_who_asks_is_nothing_for_a_command_that_asks_no_service(asked: Any, name: str) -> None:
    status, error = asked(*name.split(), "--secret-file", "secret")
    assert (status, error["kind"]) == (2, "config-error"), error
    assert "--secret-file is for a service" in error["message"]


def test_what_makes_a_ca_or_hands_out_its_keys_is_refused() -> None:
    kept_here = {
        "backup",
        "restore",
        "init",
        "serve",
        "issuer new",
        "issuer new-root",
        "issuer import",
        "issuer request",
        "issuer install",
    }
    assert kept_here <= set(REFUSING)


def test_a_service_in_the_environment_does_not_hide_the_directory(asked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANDFAST_SERVER", SERVER)
    status, error = asked("backup", "x.tar")
    assert (status, "not over the network" in error["message"]) == (2, True)
    assert "keys of the CAs" in error["hint"]
    assert run(["inspect", "ca.pem"]) == 0
