"""The mutation check: its table fits the source, and the tests notice a few (`scripts/mutate-validator`: all)."""

import importlib.machinery
import importlib.util
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "mutate-validator"
# One for each kind of rule; each takes seconds.
TRIED = (2, 15)


def load_script() -> Any:
    loader = importlib.machinery.SourceFileLoader("mutate_validator", str(SCRIPT))
    spec = importlib.util.spec_from_loader("mutate_validator", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


script = load_script()
MUTATIONS = script.mutations()


def test_there_are_at_least_forty() -> None:
    assert len(MUTATIONS) >= 40
    assert len({(each["file"], each["line"], each["instead"]) for each in MUTATIONS}) == len(MUTATIONS)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda each: f"{each['file']}: {each['line']}")
def test_its_line_stands_in_the_source_exactly_once(mutation: dict[str, str]) -> None:
    lines = (script.ROOT / script.ROOM / mutation["file"]).read_text(encoding="utf-8").split("\n")
    assert [line.strip() for line in lines].count(mutation["line"]) == 1
    assert mutation["line"] != mutation["instead"]


@pytest.mark.parametrize("number", TRIED)
def test_the_tests_notice_a_broken_rule(number: int) -> None:
    assert script.is_noticed(MUTATIONS[number - 1])
