"""The same commands against a running service: what they print, what they refuse, and that keys stay here."""

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12

from handfast.ca.office import Proof
from handfast.ca.policy import RequesterRole
from handfast.ca.requesters import SECRET_PREFIX, RequesterRecord
from handfast.cli import run
from handfast.keys.generate import new_secret
from handfast.pki.pem import to_pem
from tests.serving import Running, authority_in, client_files, opened, running

APPROVED = """
[profiles.badge]
like = "client"
approvals = 1
"""
ROLES = (RequesterRole.ADMINISTRATOR, RequesterRole.OFFICER, RequesterRole.APPROVER)


@dataclass(frozen=True, slots=True)
class World:
    """A service, and a folder with key.pem and chain.pem for somebody of each role."""

    service: Running
    workplace: Path

    def folder(self, who: str) -> Path:
        return self.workplace / who

    def options(self, who: str) -> list[str]:
        folder = self.folder(who)
        return [
            *("--server", f"https://localhost:{self.service.https}", "--server-ca", str(self.service.root)),
            *("--client-certificate", str(folder / "chain.pem"), "--client-key", str(folder / "key.pem")),
        ]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    workplace = tmp_path_factory.mktemp("remote")
    authority_in(workplace / "ca", APPROVED)
    for role in ROLES:
        issued = client_files(workplace / "ca", f"a-{role.value}", workplace / role.value)
        with opened(workplace / "ca") as authority:
            record = RequesterRecord(
                name=f"a-{role.value}", role=role, profiles=None, patterns=None, created_at=authority.clock()
            )
            authority.office.add_requester(record, Proof(issued.certificate))
    with running(workplace / "ca", workplace=workplace) as service:
        yield World(service, workplace)


@dataclass(frozen=True, slots=True)
class Shell:
    """Commands in an empty directory. `there` asks the service, `here` the authority's own directory."""

    world: World
    captured: "pytest.CaptureFixture[str]"

    def __call__(self, *arguments: str, status: int = 0) -> str:
        assert run(arguments) == status, self.captured.readouterr()
        return self.captured.readouterr().out

    def there(self, who: RequesterRole, *arguments: str, status: int = 0) -> str:
        return self(*self.world.options(who.value), *arguments, status=status)

    def here(self, *arguments: str) -> str:
        return self("--ca", str(self.world.service.directory), *arguments)

    def refused(self, *arguments: str, status: int) -> dict[str, Any]:
        assert run([*arguments, "--json"]) == status
        printed = self.captured.readouterr()
        assert "hint: " in printed.err
        assert "Traceback" not in printed.err
        error: dict[str, Any] = json.loads(printed.out)["error"]
        return error


@pytest.fixture
def shell(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    monkeypatch.chdir(tmp_path)
    return Shell(world, capsys)


ADMIN, OFFICER, APPROVER = ROLES


def test_an_officer_issues_renews_rekeys_and_revokes_over_the_network(shell: Shell) -> None:
    assert "issued alice (client)" in shell.there(OFFICER, "issue", "--profile", "client", "alice")
    key = load_pem_private_key(Path("issued/alice/key.pem").read_bytes(), None)
    certificate = x509.load_pem_x509_certificate(Path("issued/alice/cert.pem").read_bytes())
    assert certificate.public_key() == key.public_key()
    assert Path("issued/alice/key.pem").stat().st_mode & 0o777 == 0o600

    shell.there(OFFICER, "renew", "alice", "--lifetime", "30d")
    renewed = x509.load_pem_x509_certificate(Path("issued/alice/cert.pem").read_bytes())
    assert renewed.public_key() == key.public_key()
    shell.there(OFFICER, "rekey", "issued/alice", "--key", "ed25519", "--revoke-old")
    rekeyed = x509.load_pem_x509_certificate(Path("issued/alice/cert.pem").read_bytes())
    assert rekeyed.subject == certificate.subject
    assert rekeyed.public_key() != key.public_key()

    shell.there(OFFICER, "hold", "issued/alice", "--yes")
    assert json.loads(shell.here("show", "issued/alice", "--json"))["certificate"]["state"] == "held"
    shell.there(OFFICER, "release", "issued/alice", "--yes")
    told = shell.there(OFFICER, "revoke", "issued/alice", "--reason", "keyCompromise", "--yes")
    assert "the service published CRL" in told
    shown = json.loads(shell.here("show", "issued/alice", "--json"))["certificate"]
    assert (shown["state"], shown["reason"], shown["requester"]) == (
        "revoked",
        "keyCompromise",
        "a-registration-officer",
    )


def test_a_request_is_signed_with_what_is_granted_and_nothing_that_it_wishes(shell: Shell, world: World) -> None:
    key = load_pem_private_key((world.folder(OFFICER.value) / "key.pem").read_bytes(), None)
    wish = x509.CertificateSigningRequestBuilder(x509.Name([]))
    names = x509.SubjectAlternativeName([x509.DNSName("admin.example.org")])
    Path("r.pem").write_text(to_pem(wish.add_extension(names, critical=True).sign(key, hashes.SHA256())))  # type: ignore[arg-type]  # it is an EC key
    shell.there(OFFICER, "sign", "r.pem", "--profile", "client", "--subject", "CN=bob", "--out", "bob")
    certificate = x509.load_pem_x509_certificate(Path("bob/cert.pem").read_bytes())
    assert certificate.subject.rfc4514_string() == "CN=bob"
    assert not [one for one in certificate.extensions if one.oid == x509.SubjectAlternativeName.oid]
    assert not Path("bob/key.pem").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("list",),
        ("search", "a-"),
        ("expiring", "--within", "5y"),
        ("show", "a-approver"),
        ("profiles",),
        ("profiles", "badge"),
        ("issuer", "list"),
        ("requester", "list"),
        ("token", "list"),
        ("approvals", "list", "--all"),
        ("audit-log", "list", "--last", "5"),
        ("export", "a-approver", "--format", "pem"),
        ("export", "--format", "anchors"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("form", [(), ("--json",)], ids=["text", "json"])
def test_what_is_read_over_the_network_is_printed_as_it_is_here(
    shell: Shell, arguments: tuple[str, ...], form: tuple[str, ...]
) -> None:
    assert shell.there(ADMIN, *arguments, *form) == shell.here(*arguments, *form)


def test_a_pkcs12_file_is_made_here(shell: Shell) -> None:
    shell.there(OFFICER, "issue", "--profile", "client", "carol")
    Path("password").write_text("correct horse\n")
    shell.there(OFFICER, "export", "carol", "--out", "carol.p12", "--password-file", "password")
    loaded = pkcs12.load_pkcs12(Path("carol.p12").read_bytes(), b"correct horse")
    assert loaded.cert is not None
    assert loaded.cert.certificate.subject.rfc4514_string() == "CN=carol"


def test_requesters_and_tokens_are_made_and_ended_over_the_network(shell: Shell, world: World) -> None:
    add = (
        "requester",
        "add",
        "web",
        "--role",
        "requester",
        "--profile",
        "server",
        "--name",
        "*.example.org",
        "--token",
    )
    secret = shell.there(ADMIN, *add).strip()
    Path("secret").write_text(secret + "\n")
    by_secret = [*world.options("x")[:4], "--secret-file", "secret"]
    assert "issued www.example.org" in shell(*by_secret, "issue", "www.example.org")
    assert "www.example.org" in shell(*by_secret, "list")
    assert shell.refused(*by_secret, "issue", "www.example.com", status=1)["kind"] == "denied"
    shell.there(ADMIN, "requester", "credential", "web", "--token")

    token = json.loads(shell.there(OFFICER, "token", "new", "--profile", "device", "cam-1", "--json"))
    assert token["id"] in shell.there(OFFICER, "token", "list")
    shell.there(OFFICER, "token", "revoke", token["id"])
    assert token["id"] not in shell.here("token", "list")

    shell.there(ADMIN, "requester", "remove", "web")
    assert shell.refused(*by_secret, "list", status=1)["kind"] == "unauthenticated"


def test_what_waits_for_approval_is_asked_again_with_the_same_key(shell: Shell) -> None:
    ask = ("issue", "--profile", "badge", "dora", "--json")
    waits = json.loads(shell.there(OFFICER, *ask, status=3))["pending"]
    key = Path("issued/dora.waiting/key.pem").read_text()
    assert not Path("issued/dora").exists()
    again = json.loads(shell.there(OFFICER, *ask, status=3))["pending"]
    assert again["transaction"] == waits["transaction"]
    assert shell.refused(*shell.world.options(OFFICER.value), "approvals", "approve", again["transaction"], status=1)

    assert "approved the request" in shell.there(APPROVER, "approvals", "approve", waits["transaction"])
    shell.there(OFFICER, *ask)
    assert Path("issued/dora/key.pem").read_text() == key
    assert not Path("issued/dora.waiting").exists()


def test_what_is_rejected_is_refused_with_the_reason(shell: Shell) -> None:
    ask = ("issue", "--profile", "badge", "eve", "--json")
    waits = json.loads(shell.there(OFFICER, *ask, status=3))["pending"]
    shell.there(APPROVER, "approvals", "reject", waits["transaction"], "--reason", "not one of us")
    error = shell.refused(*shell.world.options(OFFICER.value), *ask[:-1], status=1)
    assert error["kind"] == "denied"
    assert "not one of us" in error["message"]


def test_crls_are_made_at_the_service(shell: Shell) -> None:
    rows = json.loads(shell.there(OFFICER, "crl", "--json"))["published"]
    assert [row["issuer"] for row in rows] == ["issuing"]
    assert not Path("handfast-ca").exists()


def test_findings_come_over_the_network_all_at_once(shell: Shell) -> None:
    arguments = ("issue", "--profile", "server", "www.example.org", "--lifetime", "50y", "--subject", "CN=x,L=y,ST=z")
    there = shell.refused(*shell.world.options(OFFICER.value), *arguments, status=1)
    here = shell.refused("--ca", str(shell.world.service.directory), *arguments, status=1)
    assert there == here
    assert there["findings"]


def test_a_revoked_certificate_gets_nothing_more(shell: Shell, world: World, tmp_path: Path) -> None:
    issued = client_files(world.service.directory, "fired", tmp_path / "fired")
    with opened(world.service.directory) as authority:
        record = RequesterRecord(
            name="fired", role=RequesterRole.OFFICER, profiles=None, patterns=None, created_at=authority.clock()
        )
        authority.office.add_requester(record, Proof(issued.certificate))
    both = [*world.options("x")[:4], "--client-certificate", "fired/chain.pem"]
    shell(*both, "list")  # the key is beside the certificate
    shell.here("revoke", "fired", "--yes")
    error = shell.refused(*both, "list", status=1)
    assert error["kind"] == "denied"
    assert "revoked" in error["message"]


def test_a_service_of_another_authority_or_name_is_not_asked(shell: Shell, world: World) -> None:
    who = world.folder(OFFICER.value)
    shell("init", "other", "--no-passphrase")
    credential = ["--client-certificate", str(who / "chain.pem"), "--client-key", str(who / "key.pem")]
    server = f"https://localhost:{world.service.https}"
    wrong_ca = ["--server", server, "--server-ca", "other/certificates/root.pem", *credential]
    error = shell.refused(*wrong_ca, "list", status=2)
    assert "is not to be trusted" in error["message"]
    assert "--server-ca" in error["hint"]
    # The same address, by a name that the certificate does not have.
    named = ["--server", server.replace("localhost", "127.1"), "--server-ca", str(world.service.root), *credential]
    assert "is not for 127.1" in shell.refused(*named, "list", status=2)["message"]
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        closed = listener.getsockname()[1]
    down = ["--server", f"https://localhost:{closed}", "--server-ca", str(world.service.root), *credential]
    error = shell.refused(*down, "list", status=3)
    assert error["kind"] == "unavailable"


def test_another_authoritys_certificate_is_refused(shell: Shell, world: World) -> None:
    shell("--ca", "other", "init", "other", "--no-passphrase")
    shell("--ca", "other", "issue", "--profile", "client", "mallory")
    both = [*world.options("x")[:4], "--client-certificate", "issued/mallory"]
    # The service ends the handshake; whether its alert still comes first is up to the network.
    assert run([*both, "list"]) in {1, 3}
    printed = shell.captured.readouterr()
    assert printed.out == ""
    assert "client certificate" in printed.err


def test_commands_of_the_directory_say_so(shell: Shell, world: World) -> None:
    for arguments in (("backup", "x"), ("tidy",), ("issuer", "default", "issuing"), ("audit-log", "head")):
        error = shell.refused(*world.options(OFFICER.value), *arguments, status=2)
        assert "over the network" in error["message"]


def test_a_directory_and_a_service_contradict_each_other(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shell.refused("--ca", "x", "--server", "https://y", "list", status=2)["kind"] == "config-error"
    monkeypatch.setenv("HANDFAST_SERVER", "https://localhost:1")
    assert "a-approver" in shell.here("list")
    assert shell.refused("list", status=2)["message"].startswith("nothing says who asks")


def test_secrets_do_not_go_over_plain_http(shell: Shell) -> None:
    Path("secret").write_text(new_secret(SECRET_PREFIX))
    asked = ("--server", "http://localhost:1", "--secret-file", "secret", "list")
    assert "TLS" in shell.refused(*asked, status=2)["message"]
