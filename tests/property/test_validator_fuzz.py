"""A short run of the fuzzers: any bytes, mutated from real objects, give a report or an error of ours."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.validator_fuzz import TARGETS, Mutator, seeds

SEEDS = seeds()
ROUNDS = {"chain": 150, "crl": 200, "ocsp": 200, "name": 200}

pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")


@pytest.mark.parametrize("target", TARGETS)
def test_mutated_objects_raise_nothing_but_our_errors(target: str) -> None:
    choice = random.Random(20261126)
    mutator = Mutator(choice)
    for _ in range(ROUNDS[target]):
        TARGETS[target](mutator.mutate(choice.choice(SEEDS[target]), SEEDS[target]))


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=25, derandomize=True, deadline=None)
@given(data=st.data())
def test_truncated_and_arbitrary_bytes_raise_nothing_but_our_errors(target: str, data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from(SEEDS[target]))
    size = data.draw(st.integers(0, len(whole)))
    TARGETS[target](whole[:size] + data.draw(st.binary(max_size=8)))
