"""Values in handfast.toml are taken as they are meant, and refused by the name of their key."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from handfast.errors import ConfigError
from handfast.server.setting_values import (
    as_fields,
    as_known_table,
    as_lifetime,
    as_list,
    as_number,
    as_switch,
    as_table,
    as_text,
    as_texts,
)

Parser = Callable[[str, object], object]


def a_known_table(key: str, value: object) -> object:
    return as_known_table(key, value, ("keep", "directory"))


def fields(key: str, value: object) -> object:
    return as_fields(key, value, {"keep": as_lifetime, "directory": as_text})


def a_line(key: str, value: object) -> str:
    return as_text(key, value, str.isprintable)


def lifetimes(key: str, value: object) -> object:
    return as_list(key, value, as_lifetime, like='"7d"')


@pytest.mark.parametrize(
    ("parse", "value", "found"),
    [
        (as_table, {"any": 1}, {"any": 1}),
        (a_known_table, {"keep": 1}, {"keep": 1}),
        (fields, {"keep": "1d", "directory": ""}, {"keep": timedelta(days=1), "directory": ""}),
        (as_text, "", ""),
        (as_text, "a\nb", "a\nb"),
        (a_line, "a b", "a b"),
        (as_texts, [], ()),
        (as_texts, ["b", "a"], ("b", "a")),
        (lifetimes, ["1d"], (timedelta(days=1),)),
        (as_lifetime, "1d12h", timedelta(hours=36)),
        (as_number, 1, 1),
        (as_switch, False, False),
    ],
)
def test_what_is_meant_is_taken(parse: Parser, value: object, found: object) -> None:
    assert parse("key", value) == found


@pytest.mark.parametrize(
    ("parse", "value", "message", "hint"),
    [
        (as_table, [], "key must be a table", "write [key] on a line of its own"),
        (a_known_table, "keep", "key must be a table", "write [key] on a line of its own"),
        (a_known_table, {"kep": 1}, "there is no setting key.kep", 'did you mean "keep"?'),
        (fields, {"z": 1}, "there is no setting key.z", "use one of: keep, directory"),
        (fields, {"directory": 1}, "key.directory must be a text", 'write it in quotes: "..."'),
        (as_text, 1, "key must be a text", 'write it in quotes: "..."'),
        (a_line, "a\nb", "key must be a text", 'write it in quotes: "..."'),
        (as_texts, "a", "key must be a list", 'write it in brackets: ["...", "..."]'),
        (as_texts, ["a", 1], "key must be a text", 'write it in quotes: "..."'),
        (lifetimes, "1d", "key must be a list", 'write it in brackets: ["7d"]'),
        (as_lifetime, 90, "key must be a text", 'write it in quotes: "..."'),
        (as_lifetime, "", "key: '' is not a length of time", "write a number and a unit: 90d, 12h, 30m, 2w, 1y"),
        (as_number, 0, "key must be a whole number above zero", "write it without quotes: 1000"),
        (as_number, True, "key must be a whole number above zero", "write it without quotes: 1000"),
        (as_number, 1.0, "key must be a whole number above zero", "write it without quotes: 1000"),
        (as_number, "1", "key must be a whole number above zero", "write it without quotes: 1000"),
        (as_switch, "true", "key must be true or false", "write it without quotes"),
        (as_switch, 1, "key must be true or false", "write it without quotes"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_to_write(
    parse: Parser, value: object, message: str, hint: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        parse("key", value)
    assert (refused.value.message, refused.value.hint) == (message, hint)


def test_a_table_is_a_copy() -> None:
    given = {"a": 1}
    as_table("key", given).clear()
    assert given == {"a": 1}
