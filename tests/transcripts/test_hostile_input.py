"""Hostile or broken input to every command: an error with a hint, its status, nothing written, and no traceback."""

import os
import shlex
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handfast.cli import run
from handfast.keys.generate import generate_key
from handfast.pki.csr import build_request
from handfast.pki.keys import KeyKind
from handfast.pki.pem import to_pem
from handfast.pki.subject import parse_subject

# `ca` is an authority, `alice` a certificate of it with its key in issued/alice; the files are made by `broken_files`.
CASES = (
    # init
    "init --no-passphrase ca", "init --no-passphrase empty.pem/below", "init --key rsa1024 new", "init --name '' new",
    "init --no-passphrase --root-lifetime 1d --issuing-lifetime 2y new",
    "init --no-passphrase --root-lifetime soon new", "init --no-passphrase --root-lifetime -1d new",
    "init new", "init --passphrase-file absent new",
    "init --passphrase-file short.txt new", "init --passphrase-file empty.pem new",
    "init --no-passphrase --subject C=Germany new",
    "init --no-passphrase --subject 'CN' new", "init --no-passphrase --passphrase-file long.txt new",
    "init --subordinate --private-key issued/alice/key.pem new", "init --certificate issued/alice/cert.pem new",
    "init --no-passphrase --certificate issued/alice/cert.pem --private-key issued/alice/key.pem new",
    # issue
    "issue", "issue bob", "issue ''", "issue -p client ''", "issue 'bad_host..example.org'", "issue 'a b.example.org'",
    "issue dns:*.*.example.org", "issue 'dns:w*.example.org'", "issue ip:300.1.1.1", "issue ip:1.2.3",
    "issue email:nobody@",
    "issue uri:nothing", "issue --profile nosuch www.example.org", "issue --lifetime 0d www.example.org",
    "issue --lifetime forever www.example.org", "issue --lifetime 9999y www.example.org",
    "issue --key dsa www.example.org",
    "issue --issuer nobody www.example.org", "issue --subject 'CN=x,ZZ=1' www.example.org",
    "issue --subject 'CN=x,' www.example.org", "issue --out empty.pem www.example.org",
    "issue --profile root www.example.org",
    "issue --ca nowhere www.example.org", "issue --no-such-option www.example.org", "issue -p client 'alice\x1b[31m'",
    "issue -p client " + "a" * 300, "issue " + "a" * 64 + ".example.org", "issue -p email alice",
    # sign
    "sign", "sign absent.pem -p server www.example.org", "sign empty.pem -p server www.example.org",
    "sign issued/alice/cert.pem -p server www.example.org", "sign issued/alice/key.pem -p server www.example.org",
    "sign noise.bin -p server www.example.org", "sign tampered.csr -p server www.example.org",
    "sign . -p server x.example.org",
    "sign cut.pem -p server www.example.org", "sign page.html -p server www.example.org",
    # what is looked for
    "show", "show nobody", "show ''", "show zz:zz", "show page.html", "show 00", "search", "list --state lost",
    "show " + "1" * 5000, "show \udcff", "search \udcff",
    "list --limit 0", "list --limit many", "expiring --within never", "renew nobody", "rekey nobody",
    "revoke nobody --yes",
    "revoke alice --reason because --yes", "revoke", "hold nobody", "release alice", "release nobody",
    "revoke noise.bin --yes",
    # export
    "export nobody", "export alice --format pdf", "export alice --key absent.pem",
    "export alice --key issued/alice/cert.pem",
    "export alice --password-file absent.txt", "export alice --out no/such/folder/alice.p12",
    "export alice --key other.key",
    # bulk
    "bulk", "bulk absent.csv", "bulk empty.pem", "bulk noise.bin", "bulk no-name.csv", "bulk twice.csv --out d",
    "bulk names.csv --jobs 0 --out d", "bulk names.csv --profile nosuch --out d", "bulk broken.jsonl --out d",
    # issuers, CRLs, audit
    "issuer", "issuer nosuch", "issuer new issuing", "issuer new '../x'", "issuer default nobody",
    "issuer new x --below nobody", "issuer new-root root", "issuer new-root '../x'", "issuer new-root crosses",
    "issuer new-root x --replaces issuing --no-passphrase", "issuer new-root x --replaces nobody --no-passphrase",
    "issuer new-root x --replaces root --alone", "issuer new-root x --subject CN --no-passphrase",
    "issuer request issuing",
    "issuer install nothing issued/alice/cert.pem", ("issuer import issuing --certificate issued/alice/cert.pem "
    "--private-key issued/alice/key.pem"), "issuer request new-one --subject CN= --no-passphrase", "crl nobody",
    "crl --ca nowhere", "audit-log", "audit-log nosuch", "profiles --nosuch",
    # who may ask
    "requester", "requester add", "requester add x", "requester add x --role king", "requester add x --role approver",
    "requester add 'a b' --role auditor --token", "requester add operator --role auditor --token",
    "requester add x --role requester --token", "requester add x --role requester --profile nosuch --any-name --token",
    "requester add x --role requester --profile server --token --name '*'",
    "requester add x --role requester --profile server --token --name '*.x.example' --any-name",
    "requester add x --role auditor --certificate absent.pem", "requester add x --role auditor --certificate noise.bin",
    "requester add x --role auditor --certificate ca/certificates/issuing.pem", "requester credential nobody --token",
    "requester credential x", "requester remove nobody", "token", "token new", "token new cam",
    "token new -p nosuch cam",
    "token new -p issuing cam", "token new -p device ''", "token new -p device 'a@@b'",
    "token new -p device cam --expires never", "token new -p device cam --expires 1y", "token revoke nosuch",
    "approvals", "approvals approve nosuch", "approvals reject nosuch", "approvals approve '\x1b[31m'",
    # config and prove
    "config nosuch www.example.org", "config nginx", "config nginx www.example.org",
    "config nginx 'not a host' --out d",
    "config nginx alice --certificate issued/alice/cert.pem --key issued/alice/key.pem --out d",
    "config nginx www.example.org --port 0", "config nginx www.example.org --level lax",
    "config nginx x --deny nonsense",
    "config nginx www.example.org --certificate noise.bin --key other.key --out d", "prove nosuch",
    "prove --root x.pem",
    "prove --against nowhere --root issued/alice/ca.pem", "prove --against localhost:99999 --root issued/alice/ca.pem",
    "quickstart --keep ca", "quickstart --serve absent",
    # verify and inspect
    "verify", "verify absent.pem", "verify empty.pem", "verify noise.bin", "verify issued/alice/key.pem",
    "verify issued/alice/cert.pem --anchors noise.bin", "verify issued/alice/cert.pem --at yesterday",
    "verify issued/alice/cert.pem --purpose cooking", "verify issued/alice/cert.pem --level lax",
    "verify issued/alice/cert.pem --crl noise.bin", "inspect", "inspect absent.pem", "inspect empty.pem",
    "inspect noise.bin",
    "inspect page.html", "inspect cut.pem", "inspect .",
    # the frame
    "nosuch", "--nosuch", "completion tcsh", "-- issue", "issue --ca ca",
)  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    before = Path.cwd()
    os.chdir(folder)
    try:
        assert run(["init", "--no-passphrase", "ca"]) == 0
        assert run(["--ca", "ca", "issue", "--profile", "client", "alice"]) == 0
    finally:
        os.chdir(before)
    broken_files(folder)
    return folder


def broken_files(folder: Path) -> None:
    key = generate_key(KeyKind.P256)
    request = to_pem(build_request(key, subject=parse_subject("CN=x")))
    body = request.splitlines()
    flipped = body[-2][:-6] + ("A" if body[-2][-6] != "A" else "B") + body[-2][-5:]
    files = {
        "empty.pem": b"",
        "noise.bin": bytes(range(256)) * 4,
        "page.html": b"<!doctype html><title>404</title>",
        "cut.pem": "\n".join(body[:3]).encode(),
        "tampered.csr": "\n".join([*body[:-2], flipped, body[-1]]).encode(),
        "other.key": to_pem(key).encode(),
        "short.txt": b"abc\n",
        "long.txt": b"a long enough passphrase\n",
        "names.csv": b"name\nsensor-1\n",
        "no-name.csv": b"nam\nsensor-1\n",
        "twice.csv": b"name\nsensor-1\nsensor-1\n",
        "broken.jsonl": b'{"name": "sensor-1"}\n{"name": \n',
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
        (folder / name).chmod(0o600)


def snapshot(folder: Path) -> set[tuple[str, int]]:
    """Every file but the database, whose bytes change when a refusal is put on record."""
    found = set()
    for path in folder.rglob("*"):
        if path.is_file() and not path.name.startswith("ca.sqlite"):
            found.add((str(path.relative_to(folder)), path.stat().st_size))
            assert not stat.S_IMODE(path.stat().st_mode) & 0o022, path
    return found


@pytest.mark.parametrize("line", CASES)
def test_bad_input_gets_an_error_and_a_hint(
    line: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setenv("HANDFAST_CA", "ca")
    before = snapshot(place)

    status = run(shlex.split(line))

    said = capsys.readouterr().err
    assert status in {1, 2, 3}, said
    assert "error: " in said, said
    assert "hint: " in said, said
    assert "Traceback" not in said
    assert "bug" not in said, said
    assert "\x1b" not in said
    assert snapshot(place) == before


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30).filter(
    lambda text: text.strip() not in {"-h", "--help"}
)


@settings(derandomize=True, deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    command=st.sampled_from(
        ["show", "search", "revoke", "renew", "export", "verify", "inspect", "expiring", "crl", "config"]
    ),
    words=st.lists(WORDS, max_size=3),
)
def test_any_words_give_an_answer_or_an_error_of_ours(
    command: str, words: list[str], place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setenv("HANDFAST_CA", "ca")

    status = run([command, *words])

    said = capsys.readouterr().err
    assert status in {0, 1, 2, 3}, said
    assert "Traceback" not in said


def test_the_table_is_long_enough() -> None:
    assert len(set(CASES)) >= 100
