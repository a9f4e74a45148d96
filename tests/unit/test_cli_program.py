"""The frame around the commands: start-up, help, exit statuses, errors."""

import inspect
import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import click
import pytest

from handfast import errors
from handfast.cli import _output, _program, _status, run
from handfast.errors import HandfastError, NotFound, Unacceptable, Unavailable
from handfast.findings import Finding, Severity

HEAVY = ("sqlite3", "cryptography", "rich", "importlib.metadata", "handfast.pki")


def modules_after(*arguments: str) -> set[str]:
    code = (
        "import sys, contextlib, io, handfast.cli\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        f"    status = handfast.cli.run({list(arguments)!r})\n"
        "assert status == 0, status\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("arguments", [(), ("--help",), ("--version",), ("completion", "--help")])
def test_help_loads_nothing_heavy(arguments: tuple[str, ...]) -> None:
    assert modules_after(*arguments).isdisjoint(HEAVY)


def test_bare_handfast_prints_six_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 0
    printed = capsys.readouterr().out
    assert sum(line.startswith("  handfast ") for line in printed.splitlines()) == 6


def test_help_lists_every_command_with_a_line_of_its_own_that_fits(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name in _program.built_in():
        section, text = _program.summary(name)
        assert section in _program.SECTIONS, name
        assert text, name
        assert any(line.startswith(f"  {name} ") for line in lines), name
    assert [line for line in lines if len(line) > 80] == []


@pytest.mark.parametrize("name", sorted(_program.built_in()))
def test_every_command_has_json_help_and_an_example(name: str) -> None:
    command = _program.load(name)
    assert isinstance(command, click.Command)
    leaves = list(command.commands.values()) if isinstance(command, click.Group) else [command]
    for leaf in leaves:
        assert leaf.help, f"{name} {leaf.name}: no help"
        assert any("--json" in parameter.opts for parameter in leaf.params), f"{name} {leaf.name}: no --json"
        assert "Examples:" in ((leaf.epilog or "") + (command.epilog or "")), f"{name} {leaf.name}: no example"


def test_every_error_class_has_an_exit_status() -> None:
    classes = {cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, HandfastError)}
    assert set(_status.STATUS) == classes
    assert set(_status.STATUS.values()) <= set(_status.MEANINGS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["isue"], "no such command"),
        (["--bogus"], "no such option"),
        (["completion"], "missing argument"),
        (["completion", "tcsh"], "invalid value"),
        (["completion", "bash", "more"], "unexpected extra argument"),
        (["--ca"], "requires an argument"),
    ],
)
def test_wrong_usage_is_status_2_with_a_hint(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("error: ")
    assert message in said[0]
    assert said[-1].startswith("hint: ")


def _raising(error: BaseException) -> click.Command:
    def callback() -> None:
        raise error

    return click.Command("completion", callback=callback)


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (NotFound("nobody is known by 'x'", hint="look"), 1, "error: nobody is known by 'x'\nhint: look\n"),
        (Unavailable("the store is busy", hint="wait"), 3, "error: the store is busy\nhint: wait\n"),
        (PermissionError(13, "Permission denied", "/etc/x"), 2, "error: /etc/x: permission denied\n"),
        (OSError(28, "No space left on device"), 3, "error: no space left on device\n"),
        (KeyError("oops"), 70, "error: handfast itself failed: KeyError: 'oops'\n"),
        (KeyboardInterrupt(), 130, "\n"),
        (EOFError(), 2, "error: a question was asked"),
    ],
)
def test_what_a_command_raises_becomes_a_status(
    error: BaseException, status: int, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_program, "load", lambda _name: _raising(error))
    assert run(["completion"]) == status
    printed = capsys.readouterr()
    assert words in printed.err
    assert "Traceback" not in printed.err
    assert printed.out == ""


def test_with_json_an_error_is_an_object_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    finding = Finding("key-weak", Severity.ERROR, "too short", "make another", "RFC 0 section 1")
    error = Unacceptable("no", hint="yes", findings=(finding,))
    monkeypatch.setattr(_program, "load", lambda _name: _raising(error))
    assert run(["completion", "--json"]) == 2  # this stand-in has no such option; usage is an object as well
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "usage"
    _output.print_failure(error, as_json=True)
    printed = capsys.readouterr()
    described = json.loads(printed.out)["error"]
    assert described["kind"] == "unacceptable"
    assert described["findings"][0]["code"] == "key-weak"
    assert "error: too short (key-weak)" in printed.err


def test_retry_after_is_seconds_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    _output.print_failure(Unavailable("busy", hint="wait", retry_after=timedelta(minutes=1)), as_json=True)
    assert json.loads(capsys.readouterr().out)["error"]["retry_after"] == 60


def test_terminal_commands_in_a_certificate_do_not_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    _output.say("CN=\x1b]0;owned\x07alice\x9b\r")
    assert capsys.readouterr().out == "CN=\\x1b]0;owned\\x07alice\\x9b\\x0d\n"


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_a_table_fits_the_terminal(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    _output.print_table(["serial", "name", "state"], [["ab" * 20, "long.example.org " * 3, "valid"]] * 2)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width
    assert "valid" in "".join(lines)


def test_output_that_nobody_reads_any_more_ends_quietly() -> None:
    command = f"{sys.executable} -c 'import handfast.cli; handfast.cli.main()' completion zsh | true"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_a_new_file_is_a_new_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "greet_all.py"
    file.write_text('"""Greet everybody."""\n\nSECTION = "More"\n')
    monkeypatch.setattr(_program, "built_in", lambda: {"greet-all": str(file)})
    assert "  greet-all   Greet everybody\n" in _program.help_page()
