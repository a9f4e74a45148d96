"""The rows of a bulk issue: each is read as its author wrote it, or refused by its line."""

from datetime import timedelta

import pytest

from handfast.ca.bulk import parse_rows
from handfast.errors import Malformed

LINE_SEPARATOR = "\u2028"


def names_of(text: str) -> list[list[str]]:
    return [[name.value for name in row.names] for row in parse_rows(text)]


def test_csv_and_json_lines_say_the_same() -> None:
    csv = "name,names,profile,lifetime\nnode-1,node-1.example.org 192.0.2.1,peer,30d\n"
    json = '{"name": "node-1", "names": ["node-1.example.org", "192.0.2.1"], "profile": "peer", "lifetime": "30d"}\n'
    first, second = parse_rows(csv)[0], parse_rows(json)[0]
    assert (first.name, first.names, first.profile, first.lifetime) == (
        second.name,
        second.names,
        "peer",
        timedelta(days=30),
    )
    assert first.subject.rfc4514_string() == "CN=node-1"


def test_a_line_end_within_quotes_separates_names() -> None:
    assert names_of('name,names\nn,"a.example.org\nb.example.org"\n') == [["a.example.org", "b.example.org"]]


def test_windows_line_ends_and_a_byte_order_mark_are_no_part_of_the_text() -> None:
    assert names_of("\ufeffname,names\r\nn,a.example.org\r\n") == [["a.example.org"]]


def test_only_a_line_feed_ends_a_json_line() -> None:
    with pytest.raises(Malformed, match=r"1 rows that cannot be used:\n  line 1: a subject cannot have U\+2028"):
        parse_rows(f'{{"name": "n", "subject": "CN=two{LINE_SEPARATOR}lines"}}\n')


@pytest.mark.parametrize("names", ["[null]", "[1]", "[[]]", "true", "7", '{"a": 1}'])
def test_names_that_are_no_texts_are_refused(names: str) -> None:
    with pytest.raises(Malformed, match="line 1: names must be"):
        parse_rows(f'{{"name": "n", "names": {names}}}\n')


@pytest.mark.parametrize("name", [".", "..", "a/b", "batch.json", "-rf", "a.", "a\x00b", "ü" * 101, "\U0001d517" * 60])
def test_what_cannot_be_a_directory_is_no_name(name: str) -> None:
    with pytest.raises(Malformed):
        parse_rows(f'name\n"{name}"\nright\n')


def test_the_longest_name_is_taken() -> None:
    assert parse_rows(f"name,subject\n{'a' * 100},CN=short\n")[0].name == "a" * 100


def test_every_wrong_row_is_told_by_its_line() -> None:
    with pytest.raises(Malformed) as caught:
        parse_rows("name,lifetime\na,soon\nb,30d\nb,30d\nc,1d,too,many\n")
    said = str(caught.value)
    assert all(f"line {number}:" in said for number in (2, 4, 5))
    assert "line 3:" not in said


@pytest.mark.parametrize("text", ["", "\n\n", "nam\nx\n", "name,name\nx,y\n", 'name\n"open\n', "name,colour\nx,red\n"])
def test_what_is_no_table_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        parse_rows(text)
