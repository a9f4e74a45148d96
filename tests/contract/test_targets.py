"""What every target must be: found by name, rendered whole, and with all its facts as data."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from handfast import registry
from handfast.prove.deploy import Place, setting_for
from handfast.targets.contract import (
    ADMITTED,
    CrlForm,
    CrlScope,
    Level,
    RenderedFile,
    SerialForm,
    Setting,
    Status,
    Target,
    render_denylist,
    spell_serial,
)

GOLDEN = Path(__file__).parent.parent / "golden" / "targets"
NAMES = registry.names("targets")


def target_named(name: str) -> Target:
    found = registry.load("targets", name).target
    assert isinstance(found, Target)
    return found


def setting_of(target: Target, *, level: Level = Level.INTERMEDIATE) -> Setting:
    return setting_for(
        target,
        Place(
            directory=Path("/etc/handfast/example"),
            names=("www.example.org", "example.org"),
            port=target.port,
            level=level,
            upstream="127.0.0.1:8000",
        ),
    )


def variants(target: Target) -> dict[str, Setting]:
    usual = setting_of(target)
    denied = replace(usual, revoked=(10, 0xABC)) if target.denylist else usual
    if target.denylist:
        denied = replace(denied, denylist=usual.file(target.denylist.name))
    return {
        "usual": usual,
        "modern": setting_of(target, level=Level.MODERN),
        "alone": replace(usual, upstream="", listen="127.0.0.1", names=("www.example.org",)),
        "deny-list": denied,
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_target_is_named_as_its_file(name: str) -> None:
    assert target_named(name).name.replace("_", "-") == name


@pytest.mark.parametrize("name", NAMES)
def test_a_target_says_all_that_one_must_know(name: str) -> None:
    target = target_named(name)
    for text in (target.title, target.directory, target.minimum, target.identity.source, target.identity.handed_on):
        assert text
    for sentence in (target.kick, target.depth, target.resumption, target.broken_crl):
        assert not sentence.endswith("."), sentence
    if target.status is Status.PROVEN:
        assert target.install
        assert target.kick
        assert target.depth
        assert target.resumption
        assert target.name in registry.names("prove.programs"), "proven, and no program to prove it with"
    if target.executable and target.status is not Status.WRITTEN:
        assert target.reload or target.install


@pytest.mark.parametrize("name", NAMES)
def test_a_target_that_refuses_says_how_each_refusal_looks(name: str) -> None:
    target = target_named(name)
    cases = [refusal.case for refusal in target.refusals]
    assert len(cases) == len(set(cases))
    assert not set(cases) & set(ADMITTED)
    assert not set(cases) & {weakness.case for weakness in target.weaknesses}, "refused and let in at once"
    assert all(refusal.client for refusal in target.refusals)
    assert all(weakness.what and weakness.remedy for weakness in target.weaknesses)


@pytest.mark.parametrize("name", NAMES)
def test_a_target_without_crls_has_another_way_to_revoke(name: str) -> None:
    target = target_named(name)
    if target.crl is CrlForm.NONE:
        assert target.crl_scope is CrlScope.NOBODY
        assert target.denylist or target.weaknesses or target.kick


@pytest.mark.parametrize("name", NAMES)
def test_a_target_renders_whole_files_below_its_directory(name: str) -> None:
    target = target_named(name)
    for variant, setting in variants(target).items():
        files = target.render(setting)
        assert files, variant
        paths = [file.path for file in files]
        assert len(paths) == len(set(paths))
        for file in files:
            assert file.path.startswith(f"{setting.directory}/"), file.path
            assert file.comment, f"{file.path}: nobody knows what it is for"
            assert not file.content or file.content.endswith("\n")
            assert not file.content.endswith("\n\n")
            for line in file.content.splitlines():
                assert line == line.rstrip(), f"{file.path}: trailing space: {line!r}"


@pytest.mark.parametrize("name", NAMES)
def test_a_target_renders_what_is_in_the_golden_files(name: str) -> None:
    target = target_named(name)
    for variant, setting in variants(target).items():
        for file in target.render(setting):
            path = GOLDEN / name / f"{variant}-{Path(file.path).name}"
            if os.environ.get("HANDFAST_GOLDEN") == "write":
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(file.content, encoding="utf-8")
            assert path.is_file(), f"{path}: not there; HANDFAST_GOLDEN=write pytest writes it"
            assert path.read_text(encoding="utf-8") == file.content


@pytest.mark.parametrize("name", NAMES)
def test_the_check_of_a_target_works_in_a_scratch_directory(name: str) -> None:
    target = target_named(name)
    if target.check is None:
        return
    check = target.check(setting_of(target))
    assert check.command[0]
    assert all(isinstance(file, RenderedFile) and file.path.startswith("{scratch}/") for file in check.files)


def test_an_option_that_a_target_does_not_have_is_refused() -> None:
    target = target_named("nginx")
    with pytest.raises(Exception, match="has no option 'colour'"):
        target.option(setting_of(target), "colour")


def test_serial_numbers_are_spelled_in_whole_bytes() -> None:
    assert spell_serial(0xABC, SerialForm.UPPER_HEX) == "0ABC"
    assert spell_serial(0xABC, SerialForm.LOWER_HEX) == "0abc"
    assert spell_serial(0xABC, SerialForm.DECIMAL) == "2748"
    assert spell_serial(0x1ABC, SerialForm.UPPER_HEX) == "1ABC"


def test_a_deny_list_has_one_entry_a_line() -> None:
    denylist = target_named("nginx").denylist
    assert denylist is not None
    assert render_denylist(denylist, (0xABC, 10)) == "0A 1;\n0ABC 1;\n"
