"""Lengths of time as people write them."""

from datetime import timedelta

import pytest

from handfast.errors import Malformed
from handfast.pki.lifetime import format_lifetime, parse_lifetime


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90d", timedelta(days=90)),
        ("12h", timedelta(hours=12)),
        ("30m", timedelta(minutes=30)),
        ("2w", timedelta(days=14)),
        ("1y", timedelta(days=365)),
        ("1d12h", timedelta(days=1, hours=12)),
        (" 1D 30S ", timedelta(days=1, seconds=30)),
        ("100y", timedelta(days=36500)),
    ],
)
def test_a_length_is_read_and_written(text: str, expected: timedelta) -> None:
    assert parse_lifetime(text) == expected
    assert parse_lifetime(format_lifetime(expected)) == expected


@pytest.mark.parametrize(
    "text", ["", "90", "d", "90 days", "-1d", "0d", "1.5d", "101y", "99999999999y", "999999999y", "１d"]
)
def test_what_is_no_length_is_refused(text: str) -> None:
    with pytest.raises(Malformed) as refused:
        parse_lifetime(text)
    assert refused.value.hint
