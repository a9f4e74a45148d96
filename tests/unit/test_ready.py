"""Answers that lie ready, for requests that need no parsing: only what the parser has seen is taken for known."""

from typing import cast

import pytest

from handfast.ca.authority import Authority
from handfast.protocols.exchange import Prepared
from handfast.server.ready import Quick, Ready

ALWAYS = [(b"date", b"today")]
AROUND_GET = b" HTTP/1.1\r\nHost: a\r\n\r\n"
HEAD_OF_POST = b"POST /r HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"


def find(asked: bytes, authority: Authority) -> Prepared | None:
    return Prepared.of([(b"content-length", b"5")], b"ready") if asked.startswith(b"a") else None


@pytest.fixture
def ready() -> Ready:
    routes = [Quick(method, start, find, 100, lambda _: None) for method, start in ((b"GET", b"/r/"), (b"POST", b"/r"))]
    return Ready(tuple(routes), lambda _: cast("Authority", object()))


def test_what_stands_around_a_question_is_known_after_it_was_parsed_once(ready: Ready) -> None:
    get, post = ready.routes
    assert ready.answer_unparsed(b"GET /r/abc" + AROUND_GET, ALWAYS) is None
    ready.parsed(get, b"GET /r/abc" + AROUND_GET, b"abc")
    ready.parsed(post, HEAD_OF_POST + b"abc", b"abc")

    whole = b"HTTP/1.1 200 OK\r\ndate: today\r\ncontent-length: 5\r\n\r\nready"
    assert ready.answer_unparsed(b"GET /r/abcdefgh" + AROUND_GET, ALWAYS) == whole
    assert ready.answer_unparsed(HEAD_OF_POST + b"axx", ALWAYS) == whole
    assert ready.answer_unparsed(HEAD_OF_POST + b"axx", [(b"date", b"tomorrow")]) == whole.replace(
        b"today", b"tomorrow"
    )


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /r/xyz" + AROUND_GET,  # no answer lies ready
        b"GET /other" + AROUND_GET,
        b"GET /r/abc HTTP/1.1\r\nHost: b\r\n\r\n",  # another head
        b"GET /r/abc" + AROUND_GET + b"GET /r/abc" + AROUND_GET,
        b"GET /r/abc" + AROUND_GET[:-2],  # not whole yet
        b"GET /r/abc",
        HEAD_OF_POST + b"ab",
        HEAD_OF_POST + b"abcd",
        HEAD_OF_POST.replace(b"3", b"4") + b"abcd",
        b"",
    ],
)
def test_all_else_is_parsed(ready: Ready, request_: bytes) -> None:
    get, post = ready.routes
    ready.parsed(get, b"GET /r/abc" + AROUND_GET, b"abc")
    ready.parsed(post, HEAD_OF_POST + b"abc", b"abc")
    assert ready.answer_unparsed(request_, ALWAYS) is None


@pytest.mark.parametrize(
    ("request_", "asked"),
    [
        (b"GET /r/abc" + AROUND_GET + b"GET /r/abc" + AROUND_GET, b"abc"),
        (b"GET /r/abc HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", b"abc"),
        (b"GET /r/abc HTTP/1.1\r\nLong: " + b"x" * 2000 + b"\r\n\r\n", b"abc"),
        (b"GET /r/abc", b"abc"),
        (b"GET /r/abc" + AROUND_GET, b"other"),
    ],
)
def test_nothing_is_learned_of_more_than_one_request_or_of_a_large_one(
    ready: Ready, request_: bytes, asked: bytes
) -> None:
    ready.parsed(ready.routes[0], request_, asked)
    assert not ready.routes[0].heads


def test_only_so_many_heads_are_kept(ready: Ready) -> None:
    for number in range(3000):
        ready.parsed(ready.routes[0], b"GET /r/abc HTTP/1.1\r\nHost: %d\r\n\r\n" % number, b"abc")
    assert len(ready.routes[0].heads) <= 1024
