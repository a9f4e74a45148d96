"""What a service answers becomes, at the client, the error that it was there: no status is missed."""

import json
import ssl
from datetime import timedelta

import pytest

from handfast import errors
from handfast.client.api import Api, parse_address
from handfast.client.problems import error_of
from handfast.errors import (
    ConfigError,
    Conflict,
    Denied,
    HandfastError,
    Malformed,
    NotFound,
    RateLimited,
    Refused,
    RequestError,
    Unacceptable,
    Unauthenticated,
    Unavailable,
)
from handfast.findings import Finding, Severity
from handfast.server.problems import _TITLES, STATUS, problem, problem_of

FINDING = Finding("weak-key", Severity.ERROR, "the key is weak", "make another", "RFC 8017")
ERRORS = (
    Malformed("a", hint="b"),
    Unauthenticated("a", hint="b"),
    Denied("a", hint="b"),
    NotFound("a", hint="b"),
    Conflict("a", hint="b"),
    Unacceptable("a", hint="b", findings=(FINDING, FINDING)),
    RateLimited("a", hint="b", retry_after=timedelta(seconds=7)),
)
# What no command shall take for its own fault, and what a status means that only the listener gives.
OTHERS = {
    405: Malformed,
    408: Unavailable,
    413: Malformed,
    431: Malformed,
    500: Refused,
    502: Refused,
    503: Unavailable,
}


def test_every_error_of_a_request_is_one_of_these() -> None:
    ours = {one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, RequestError)}
    assert {type(one) for one in ERRORS} == ours - {RequestError}
    assert set(STATUS.values()) | set(OTHERS) == set(_TITLES)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_comes_over_the_network_as_itself(error: HandfastError) -> None:
    answer = problem_of(error)
    there = error_of(answer.status, answer.body, answer.headers.get("retry-after"))
    assert type(there) is type(error)
    assert (there.message, there.hint) == ("a", "b")
    if isinstance(error, Unacceptable):
        assert there.findings == error.findings  # type: ignore[attr-defined]  # it is Unacceptable too
    if isinstance(error, RateLimited):
        assert there.retry_after == timedelta(seconds=7)  # type: ignore[attr-defined]  # it is RateLimited too


@pytest.mark.parametrize("status", OTHERS)
def test_a_status_that_no_request_raises_has_its_class(status: int) -> None:
    there = error_of(status, problem(status, "so it is").body)
    assert type(there) is OTHERS[status]
    assert "so it is" in there.message
    assert there.hint


@pytest.mark.parametrize("error", [ConfigError("secret path", hint="x"), Unavailable("secret path", hint="x")])
def test_what_is_the_operators_business_is_not_told(error: HandfastError) -> None:
    answer = problem_of(error)
    there = error_of(answer.status, answer.body)
    assert isinstance(there, Refused | Unavailable)
    assert "secret path" not in there.message


@pytest.mark.parametrize(
    ("reason", "hint"), [("WRONG_VERSION_NUMBER", "check the port"), ("TLSV1_ALERT_UNKNOWN_CA", "check the client")]
)
def test_a_port_without_tls_is_not_put_down_to_the_certificate(reason: str, hint: str) -> None:
    failed = ssl.SSLError(1, reason)
    failed.reason = reason
    api = Api(parse_address("https://ca.example.org:8443"), ssl.create_default_context())

    assert (api._error(failed).hint or "").startswith(hint)


def test_every_wrong_field_is_told_at_once() -> None:
    document = {"detail": "2 of its fields are wrong", "errors": [{"field": "a", "message": "x"}, {"field": "b"}]}
    there = error_of(422, json.dumps(document).encode())
    assert type(there) is Malformed
    assert "a: x; b:" in there.message


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"[" * 100_000, b'{"detail": 5, "findings": 7}', b"\xff"])
@pytest.mark.parametrize("status", [301, 400, 418, 422, 429, 500, 599])
def test_a_body_that_is_no_problem_is_an_error_all_the_same(status: int, body: bytes) -> None:
    there = error_of(status, body, "soon")
    assert there.message
    assert there.hint


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://ca.example.org:8443", "https://ca.example.org:8443"),
        ("ca.example.org", "https://ca.example.org:443"),
        ("https://[::1]:8443/t/acme/", "https://[::1]:8443/t/acme"),
        ("https://ca.example.org/api", "https://ca.example.org:443"),
    ],
)
def test_an_address_is_read(text: str, shown: str) -> None:
    assert str(parse_address(text)) == shown


@pytest.mark.parametrize(
    "text",
    ["http://ca.example.org", "https://", "https://u:p@h", "https://h:99999", "https://h?x", "https://bücher", ""],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_address(text)
