"""Broken CRLs, rehearsed on every program that reads any: our writer never hands one over, and what one that is copied
by hand does is as bad as the target says, and no worse."""

from pathlib import Path

import pytest

from handfast import registry
from handfast.prove.find import program_of
from handfast.prove.rehearsal import FAULTS
from handfast.targets.contract import BrokenCrl, CrlForm, Harm
from tests.proving import rehearse

READERS = [name for name in registry.names("prove.programs") if program_of(name)[0].crl is not CrlForm.NONE]


@pytest.mark.parametrize("name", READERS)
def test_a_broken_crl_does_what_the_target_says_and_is_never_written_by_us(short_path: Path, name: str) -> None:
    rows = rehearse(name, short_path)

    assert len(rows) == 2 * len(FAULTS)
    wrong = [f"{row.title}: {row.expected}, observed {row.observed}" for row in rows if not row.as_expected]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", READERS)
def test_what_a_broken_crl_does_is_told_to_the_operator(name: str) -> None:
    target, _ = program_of(name)
    assert set(target.harms) == set(BrokenCrl)
    if set(target.harms.values()) - {Harm.NONE}:
        assert target.broken_crl
