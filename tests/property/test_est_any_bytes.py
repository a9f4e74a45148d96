"""Whatever anybody posts to EST is answered, or refused in our own words: nothing else comes out."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handfast.ca.enrollment import Enrollment, Label
from handfast.errors import ConfigError, Malformed
from handfast.pki import der
from handfast.pki.csr_attributes import (
    ASYMMETRIC_DECRYPT_KEY_ID,
    CHALLENGE_PASSWORD,
    CHANGE_SUBJECT_NAME,
    DECRYPT_KEY_ID,
    SMIME_CAPABILITIES,
    attributes_of,
)
from handfast.server.est_settings import parse_est
from handfast.server.settings import parse_settings
from tests.est_world import add_requester, as_sent, ask, basic, csr, csr_with, est_authority

AUTHORITY = est_authority()
SECRET = add_requester(AUTHORITY, "factory", "device", "a", "*.example.org")
HEADERS = {"content-type": "application/pkcs10", **basic(SECRET)}
PLAIN = csr("CN=a", "a.example.org")
KINDS = st.sampled_from(
    [ASYMMETRIC_DECRYPT_KEY_ID, CHALLENGE_PASSWORD, CHANGE_SUBJECT_NAME, DECRYPT_KEY_ID, SMIME_CAPABILITIES]
)
VALUES = st.binary(max_size=40).flatmap(lambda data: st.sampled_from([der.encode(tag, data) for tag in range(2, 50)]))
ANSWERS = {200, 202, 400, 401, 403, 404, 409, 422, 429}


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    assert as_sent(AUTHORITY, data, HEADERS).status in ANSWERS
    assert as_sent(AUTHORITY, base64.b64encode(b"\x30" + data), HEADERS).status in ANSWERS


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.integers(0, len(PLAIN) - 1), st.integers(0, 255), st.sampled_from(["simpleenroll", "serverkeygen"]))
def test_a_request_with_one_octet_changed(where: int, octet: int, operation: str) -> None:
    body = PLAIN[:where] + bytes([octet]) + PLAIN[where + 1 :]

    assert ask(AUTHORITY, operation, body, basic(SECRET)).status in ANSWERS


@settings(max_examples=60, derandomize=True, deadline=None)
@given(KINDS, VALUES, st.sampled_from(["simpleenroll", "simplereenroll", "serverkeygen"]))
def test_any_value_of_an_attribute(kind: str, value: bytes, operation: str) -> None:
    body = csr_with({kind: value}, "CN=a")

    assert ask(AUTHORITY, operation, body, basic(SECRET)).status in ANSWERS


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.text(max_size=60))
def test_any_authorization(text: str) -> None:
    for value in (text, f"Basic {text}", "Basic " + base64.b64encode(text.encode("utf-8", "replace")).decode()):
        assert ask(AUTHORITY, "simpleenroll", csr(), {"authorization": value}).status in {401, 403}


def test_a_request_with_a_thousand_attributes_is_refused() -> None:
    many = csr_with({f"1.2.3.{number}": der.NULL for number in range(1000)})

    with pytest.raises(Malformed, match="more than 64 attributes"):
        attributes_of(many)
    assert ask(AUTHORITY, "simpleenroll", many, basic(SECRET)).status == 400


def test_the_settings_of_est_are_read() -> None:
    table = {"profile": "client", "wrap": False, "decrypt_keys": ["0102:" + "ab" * 16], "labels": {"cams": {}}}

    found = parse_est("est", table)

    assert found == Enrollment(
        profile="client",
        is_wrapped=False,
        decrypt_keys={b"\1\2": b"\xab" * 16},
        labels={"cams": Label(profile="cams", is_wrapped=False)},
    )


@pytest.mark.parametrize(
    "table",
    [
        {"profil": "client"},
        {"wrap": "no"},
        {"channel_binding": "maybe"},
        {"labels": {"cacerts": {}}},
        {"labels": {"cams": {"warp": True}}},
        {"decrypt_keys": ["0102"]},
        {"decrypt_keys": ["0102:abcd"]},
        {"retry_after": "soon"},
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(table: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="est"):
        parse_est("est", table)


@pytest.mark.parametrize("text", ['[est]\nprofile = "root"', '[est]\nprofile = "devise"', "[est.labels.cams]"])
def test_a_profile_that_nobody_can_enroll_for_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="est"):
        parse_settings(text)
