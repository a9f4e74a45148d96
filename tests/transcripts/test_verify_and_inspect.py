"""`handfast verify` and `handfast inspect` as a user sees them: verdict, chain, way out, exit status."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from handfast.cli.inspect import command as inspect_command
from handfast.cli.verify import command as verify_command
from handfast.errors import HandfastError
from handfast.pki.crl import CrlHeader, RevokedEntry, build_crl
from handfast.pki.csr import build_request
from handfast.pki.names import parse_names
from handfast.pki.pem import to_pem
from handfast.pki.pkcs12 import Flavour, build_pkcs12
from handfast.pki.subject import parse_subject
from tests.pki_factory import Authority, key_of, new_authority
from tests.unit.revocation_world import certificate

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class World:
    """Files as an administrator has them."""

    directory: Path
    authority: Authority
    alice: x509.Certificate

    def file(self, name: str) -> str:
        return str(self.directory / name)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    directory, now = tmp_path_factory.mktemp("files"), datetime.now(UTC)
    authority = new_authority(now=now - 2 * HOUR)
    alice = authority.issue(subject="CN=alice", names=["alice@example.com"])
    bob = authority.issue(subject="CN=bob", names=["bob@example.com"])
    files = {
        "root.pem": to_pem(authority.root),
        "alice.pem": to_pem(alice) + to_pem(authority.issuing),
        "alone.pem": to_pem(alice),
        "bob.pem": to_pem(bob) + to_pem(authority.issuing),
        "alice.key": to_pem(key_of()),
        "heap.pem": to_pem(authority.issuing) + to_pem(key_of()) + to_pem(alice),
        "alice.csr": to_pem(
            build_request(key_of(), subject=parse_subject("CN=alice"), names=parse_names(["10.0.0.1"]))
        ),
        "password": "secret\n",
    }
    for name, text in files.items():
        (directory / name).write_text(text)
    revoked = [RevokedEntry(bob.serial_number, now - HOUR, x509.ReasonFlags.key_compromise)]
    for name, number, begins, ends in (("current.crl", 3, -HOUR, HOUR), ("old.crl", 2, -9 * HOUR, -HOUR)):
        header = CrlHeader(number=number, this_update=now + begins, next_update=now + ends)
        (directory / name).write_bytes(build_crl(revoked, header, issuer=authority.issuer, key=authority.key))
    pfx = build_pkcs12(
        key_of(), alice, authority.chain, password=b"secret", friendly_name="alice", flavour=Flavour.MODERN
    )
    (directory / "alice.p12").write_bytes(pfx)
    return World(directory, authority, alice)


def run(command: Any, *arguments: str, columns: int = 80) -> Result:
    environment = {"COLUMNS": str(columns), "XDG_CACHE_HOME": "/nonexistent"}
    return CliRunner(env=environment).invoke(command, arguments)


def verify(world: World, file: str, *arguments: str, columns: int = 80) -> Result:
    anchors = ("--anchors", world.file("root.pem"), "--offline")
    return run(verify_command, world.file(file), *anchors, *arguments, columns=columns)


def flat(result: Result) -> str:
    return " ".join(result.output.split())


def test_a_good_chain_is_acceptable_and_drawn_from_the_top(world: World) -> None:
    result = verify(world, "alice.pem", "--purpose", "client", "--name", "alice@example.com")
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0] == "acceptable: CN=alice as client for alice@example.com (level strict)"
    drawn = [line for line in lines if "CN=" in line][1:]
    assert [line.index("CN=") for line in drawn] == [0, 3, 6]
    assert drawn[-1].endswith("└─ CN=alice")


def test_every_reason_is_given_at_once_with_the_way_out(world: World) -> None:
    result = verify(world, "alice.pem", "--purpose", "server", "--name", "www.example.com", "--at", "2060-01-01")
    assert result.exit_code == 1
    assert result.output.startswith("not acceptable: CN=alice: expired at ")
    for part in ("→ renew the certificate", "serverAuth is needed", "it is not for dns:www.example.com"):
        assert part in flat(result)


def test_a_revoked_certificate_is_refused_by_a_list_and_another_is_not(world: World) -> None:
    lists = ("--crl", world.file("current.crl"))
    assert verify(world, "alice.pem", *lists).exit_code == 0
    result = verify(world, "bob.pem", *lists)
    assert result.exit_code == 1
    assert "(key compromise)" in flat(result)
    assert "→ stop using it, and issue a new certificate with a new key" in flat(result)


def test_a_list_that_ended_is_not_enough_and_that_is_said(world: World) -> None:
    result = verify(world, "alice.pem", "--crl", world.file("old.crl"))
    assert result.exit_code == 1
    assert "cannot be told: CRL number 2" in flat(result)
    assert "could not fetch" in result.output
    preferred = verify(world, "alice.pem", "--crl", world.file("old.crl"), "--revocation", "prefer")
    assert preferred.exit_code == 0
    assert "accepted all the same" in flat(preferred)


def test_a_missing_intermediate_is_named(world: World) -> None:
    result = verify(world, "alone.pem")
    assert result.exit_code == 1
    assert "is at hand or trusted" in flat(result)
    assert "add the missing CA certificate" in flat(result)


@pytest.mark.parametrize("columns", [60, 80])
def test_the_drawing_keeps_within_the_terminal(world: World, columns: int) -> None:
    result = verify(world, "alice.pem", "--purpose", "server", "--crl", world.file("old.crl"), columns=columns)
    assert max(map(len, result.output.splitlines())) <= columns


def test_the_report_for_programs_says_the_same(world: World) -> None:
    result = verify(world, "bob.pem", "--crl", world.file("current.crl"), "--json")
    report = json.loads(result.output)
    assert (result.exit_code, report["acceptable"]) == (1, False)
    leaf = report["chain"][0]
    assert leaf["revocation"]["status"] == "revoked"
    assert [finding["code"] for finding in leaf["findings"] if finding["fatal"]] == ["certificate-revoked"]


def test_without_anchors_it_asks_which_roots_are_trusted(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(verify_command, world.file("alice.pem"))
    assert isinstance(result.exception, HandfastError)
    assert "--anchors" in result.exception.hint


@pytest.mark.parametrize("arguments", [("--at", "yesterday"), ("--purpose", "nothing"), ("--allow-network", "here")])
def test_a_wrong_value_is_refused_with_what_would_do(world: World, arguments: tuple[str, str]) -> None:
    result = verify(world, "alice.pem", *arguments)
    assert isinstance(result.exception, HandfastError)
    assert arguments[1] in result.exception.message


def test_a_file_that_is_not_there_is_named(world: World) -> None:
    result = verify(world, "absent.pem")
    assert isinstance(result.exception, HandfastError)
    assert "absent.pem cannot be read" in result.exception.message


def test_a_heap_is_shown_piece_by_piece_and_how_the_pieces_belong_together(world: World) -> None:
    text = flat(run(inspect_command, world.file("heap.pem")))
    assert "CA certificate" in text
    assert "issued by certificate 1 of this file" in text
    assert "belongs to certificate 2 of this file" in text
    assert "PRIVATE" not in text


@pytest.mark.parametrize(
    ("file", "words"),
    [("alice.csr", "certificate request"), ("current.crl", "key compromise"), ("alice.key", "private key"),
     ("old.crl", "! it ended"), ("root.pem", "itself (self-signed)")],
)  # fmt: skip
def test_each_kind_of_file_is_shown_in_plain_words(world: World, file: str, words: str) -> None:
    assert words in flat(run(inspect_command, world.file(file)))


def test_a_pkcs12_file_needs_its_password(world: World) -> None:
    opened = run(inspect_command, world.file("alice.p12"), "--password-file", world.file("password"))
    assert "alice@example.com" in opened.output
    closed = run(inspect_command, world.file("alice.p12"))
    assert isinstance(closed.exception, HandfastError)


def test_the_contents_for_programs_are_a_list(world: World) -> None:
    (shown,) = json.loads(run(inspect_command, "--json", world.file("alice.pem")).output)
    assert [each["kind"] for each in shown["contents"]] == ["certificate", "CA certificate"]
    assert shown["contents"][0]["name"] == "alice@example.com"


def test_a_name_that_would_steer_the_terminal_is_shown_harmless(world: World) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    evil = certificate("\x1b[2Jgone", key, issuer="\x1b[2Jgone", issuer_key=key)
    (world.directory / "evil.pem").write_text(to_pem(evil))
    for result in (verify(world, "evil.pem"), run(inspect_command, world.file("evil.pem"))):
        assert "\x1b[2J" not in result.output
        assert "gone" in result.output
