"""Small promises of the commands, each of which was broken once."""

import json
import shlex
from dataclasses import replace
from pathlib import Path

import click
import pytest

from handfast.ca.records import Reason
from handfast.cli import run
from handfast.cli._issued import folder_name
from handfast.cli.quickstart import _end
from handfast.cli.revoke import reason_of
from handfast.errors import ConfigError
from handfast.keys.passphrase import no_passphrase
from handfast.server.assembly import open_parts
from handfast.server.settings import parse_settings


@pytest.mark.parametrize("spelled", ["keyCompromise", "key-compromise", "KEY_COMPROMISE", "keycompromise"])
def test_a_reason_may_be_spelled_as_people_spell_it(spelled: str) -> None:
    assert reason_of(_context(), _parameter(), spelled) is Reason.KEY_COMPROMISE


def test_a_hold_is_no_reason_to_revoke() -> None:
    with pytest.raises(click.BadParameter):
        reason_of(_context(), _parameter(), "certificateHold")


def test_people_whose_names_differ_by_an_accent_have_folders_of_their_own() -> None:
    assert folder_name("Zoë") != folder_name("Zoé")
    assert folder_name("Zoe\u0308") == folder_name("Zoë")
    assert len(folder_name("ü" * 300).encode()) <= 255
    assert "/" not in folder_name("../../etc/passwd")
    assert not folder_name("../../etc/passwd").startswith(".")


def test_a_wrong_profile_is_told_with_its_file() -> None:
    with pytest.raises(ConfigError, match=r"there/handfast\.toml: profiles\.x\.lifetim"):
        parse_settings("[profiles.x]\nlifetim = '1d'\n", "there/handfast.toml")


def test_init_elsewhere_says_how_to_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "my ca"
    assert run(["init", "--no-passphrase", str(place)]) == 0
    said = capsys.readouterr().out
    assert shlex.split(said.splitlines()[-1])[1:6] == ["handfast", "issue", "--ca", str(place), "--profile"]


def test_a_key_of_another_kind_that_was_left_is_not_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["init", "--no-passphrase"]) == 0
    (tmp_path / "handfast-ca/keys/second.key").write_bytes((tmp_path / "handfast-ca/keys/root.key").read_bytes())
    (tmp_path / "handfast-ca/keys/second.key").chmod(0o600)
    assert run(["issuer", "new", "second", "--key", "p384", "--no-passphrase"]) == 1
    assert "interrupted attempt left a key second" in capsys.readouterr().err
    assert run(["issuer", "new", "second", "--key", "p256", "--no-passphrase"]) == 0


@pytest.mark.parametrize("command", ["new", "new-root"])
def test_where_no_authority_is_nobody_is_asked_for_the_passphrase_of_a_new_ca(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["issuer", command, "second"]) == 2
    assert "there is no authority in handfast-ca" in capsys.readouterr().err


def test_a_file_of_heads_that_is_not_there_is_told_without_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["init", "--no-passphrase"]) == 0
    assert run(["audit-log", "verify", "--heads", "nothing"]) == 2
    assert "error: nothing cannot be read: no such file or directory" in capsys.readouterr().err


def test_what_happened_is_one_word_in_the_audit_log_though_who_did_it_is_long(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["init", "--no-passphrase"]) == 0
    parts = open_parts(tmp_path / "handfast-ca", passphrase=no_passphrase)
    event = parts.record("authentication.failed", message="the token is not for dns:cam-9.example.org")
    parts.store.append(replace(event, actor="token:dd54072427cd"))
    parts.store.close()
    capsys.readouterr()
    assert run(["audit-log", "list"]) == 0
    assert "authentication.failed" in capsys.readouterr().out


def test_who_has_no_handfast_on_the_path_is_told_to_call_it_as_it_was_called(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("sys.argv", [".venv/bin/handfast", "quickstart"])
    _end(None)
    assert capsys.readouterr().out.splitlines()[-1] == "  .venv/bin/handfast quickstart --keep ./mtls"


def test_who_verifies_a_folder_is_told_which_file_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", str(tmp_path)]) == 2
    assert "hint: give a file in it: fullchain.pem" in capsys.readouterr().err


def test_an_authority_is_not_made_a_web_site(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["init", "--no-passphrase"]) == 0
    assert run(["publish", "handfast-ca"]) == 2
    assert "handfast-ca is the directory of an authority" in capsys.readouterr().err
    assert not (tmp_path / "handfast-ca" / "ca").exists()
    assert run(["publish", "pki"]) == 0


def test_a_setting_below_a_table_where_it_is_none_is_sent_up() -> None:
    with pytest.raises(ConfigError, match=r"crl_shards .* stands in the table \[service\]") as refused:
        parse_settings('[service]\nurl = "http://pki.example.org"\ncrl_shards = 8\n', "handfast.toml")
    assert refused.value.hint == "move its line up, above the first [table]"


def test_a_tenant_may_be_called_as_a_setting_is() -> None:
    assert set(parse_settings('[tenants]\nstore = "elsewhere"\n', "handfast.toml").tenants) == {"store"}


def test_the_url_of_the_service_is_shown_as_it_is_written() -> None:
    with pytest.raises(ConfigError, match=r"service\.url must be a URL") as refused:
        parse_settings('[service]\nurl = "pki.example.org"\n', "handfast.toml")
    assert refused.value.hint == "write http://pki.example.org"


def test_the_lines_to_paste_bear_a_space_in_the_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "my tls"
    folder.mkdir()
    _end(folder)
    lines = capsys.readouterr().out.split("\n")
    curl = next(line for line in lines if line.startswith("curl "))
    assert shlex.split(curl)[2] == f"{folder}/issued/alice/fullchain.pem"
    start = next(number for number, line in enumerate(lines) if line.startswith("python3 "))
    program = shlex.split("\n".join(lines[start : start + 2]))[2]
    compile(program, "pasted", "exec")
    assert json.dumps(f"{folder}/issued/alice/key.pem") in program


def _context() -> click.Context:
    return click.Context(click.Command("revoke"))


def _parameter() -> click.Parameter:
    return click.Option(["--reason"])


def test_a_timer_notices_that_a_list_is_not_made_any_more(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ca, right, wrong = str(tmp_path / "ca"), tmp_path / "right", tmp_path / "wrong"
    for place, passphrase in ((right, "a long passphrase"), (wrong, "another passphrase")):
        place.touch(mode=0o600)
        place.write_text(passphrase, encoding="utf-8")
    assert run(["init", ca, "--passphrase-file", str(right)]) == 0
    (tmp_path / "ca" / "keys" / "root.key").unlink()

    assert run(["crl", "--ca", ca, "--passphrase-file", str(right)]) == 0
    assert run(["crl", "--ca", ca, "--passphrase-file", str(wrong)]) == 2
    assert "no new CRL of issuing: " in capsys.readouterr().err
