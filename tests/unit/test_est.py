"""EST in memory: who gets which certificate, and how a refusal is spelled (RFC 7030, RFC 8951)."""

import base64

import pytest
from cryptography.x509.oid import NameOID

from handfast import errors
from handfast.ca.authority import Authority
from handfast.ca.enrollment import ChannelBinding, Enrollment, Label
from handfast.ca.policy import OPERATOR
from handfast.ca.records import Reason
from handfast.pki import der
from handfast.pki.csr_attributes import CHALLENGE_PASSWORD, CHANGE_SUBJECT_NAME
from handfast.pki.keys import KeyKind
from handfast.protocols.est_messages import STATUS, error_response
from tests.est_world import (
    add_requester,
    as_sent,
    ask,
    basic,
    certificates_in,
    csr,
    csr_with,
    est_authority,
    issued,
    peer,
    token_for,
)
from tests.pki_factory import authority_of, key_of, new_key

PKCS10 = {"content-type": "application/pkcs10"}


@pytest.fixture
def authority() -> Authority:
    return est_authority()


def challenge(text: str) -> dict[str, bytes]:
    return {CHALLENGE_PASSWORD: der.encode(0x0C, text.encode())}


def test_everybody_gets_the_ca_certificates_with_the_root(authority: Authority) -> None:
    response = ask(authority, "cacerts")

    assert response.status == 200
    assert response.media_type == "application/pkcs7-mime; smime-type=certs-only"
    assert set(certificates_in(response)) == {authority_of().root, authority_of().issuing}


def test_a_token_gets_one_certificate_with_its_names(authority: Authority) -> None:
    token = token_for(authority, "cam-7", "cam-7.example.org")

    response = ask(authority, "simpleenroll", csr(), basic(token))

    (certificate,) = certificates_in(response)
    assert certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "cam-7"
    assert certificate.public_key() == key_of().public_key()
    assert [str(name) for name in authority.find_certificate(certificate).names] == [
        "dns:cam-7",
        "dns:cam-7.example.org",
    ]
    again = ask(authority, "simpleenroll", csr(), basic(token))
    assert (again.status, again.body) == (401, b"")


def test_a_token_gets_no_other_names(authority: Authority) -> None:
    token = token_for(authority, "cam-7")

    other_name = ask(authority, "simpleenroll", csr("CN=cam-7", "cam-8"), basic(token))
    other_subject = ask(authority, "simpleenroll", csr("CN=cam-8"), basic(token))

    assert (other_name.status, other_subject.status) == (403, 403)
    assert b"the token is not for dns:cam-8" in other_name.body
    assert ask(authority, "simpleenroll", csr("CN=cam-7"), basic(token)).status == 200


def test_a_token_in_the_challenge_password_is_as_good(authority: Authority) -> None:
    token = token_for(authority, "cam-7")

    assert ask(authority, "simpleenroll", csr_with(challenge(token))).status == 200
    assert ask(authority, "simpleenroll", csr_with(challenge(token))).status == 401
    assert ask(authority, "simpleenroll", csr_with(challenge("hft_guessed"))).status == 401


@pytest.mark.parametrize("headers", [{}, {"authorization": "Basic !"}, {"authorization": "Digest x"}, basic("no")])
def test_who_is_not_known_is_asked_to_authenticate_without_a_body(
    authority: Authority, headers: dict[str, str]
) -> None:
    response = ask(authority, "simpleenroll", csr(), headers)

    assert (response.status, response.body) == (401, b"")
    assert response.headers["www-authenticate"].startswith("Basic ")


def test_an_empty_first_request_is_asked_to_authenticate_too(authority: Authority) -> None:
    assert ask(authority, "simpleenroll", b"").status == 401


def test_a_requester_with_a_secret_gets_what_its_grants_cover(authority: Authority) -> None:
    secret = add_requester(authority, "factory", "device", "*.example.org")

    fine = ask(authority, "simpleenroll", csr("CN=a.example.org", "a.example.org"), basic(secret, "factory"))
    outside = ask(authority, "simpleenroll", csr("CN=a.example.com", "a.example.com"), basic(secret, "factory"))
    another_profile = ask(
        authority, "simpleenroll", csr("CN=a.example.org", "a.example.org"), basic(secret, "factory"), label="server"
    )
    another_user = ask(authority, "simpleenroll", csr("CN=a.example.org"), basic(secret, "somebody"))

    assert [one.status for one in (fine, outside, another_profile, another_user)] == [200, 403, 403, 401]


@pytest.mark.parametrize("is_wrapped", [True, False])
def test_the_answer_is_in_lines_or_in_one(is_wrapped: bool) -> None:
    authority = est_authority(Enrollment(labels={"cams": Label(profile="device", is_wrapped=is_wrapped)}))

    body = ask(authority, "cacerts", label="cams").body

    assert max(map(len, body.splitlines())) == (76 if is_wrapped else len(body))


@pytest.mark.parametrize(
    "spelling",
    [
        base64.b64encode,
        base64.encodebytes,
        lambda data: base64.encodebytes(data).replace(b"\n", b"\r\n"),
        lambda data: b" " + b"\t ".join(base64.encodebytes(data).split()),
        lambda data: data,
        lambda data: (
            b"-----BEGIN NEW CERTIFICATE REQUEST-----\n" + base64.encodebytes(data) + b"-----END NEW "
            b"CERTIFICATE REQUEST-----\n"
        ),
    ],
)
def test_a_request_is_read_however_it_is_spelled(authority: Authority, spelling: object) -> None:
    token = token_for(authority, "cam-7")
    headers = {**PKCS10, **basic(token), "content-transfer-encoding": "quoted-printable"}

    assert as_sent(authority, spelling(csr()), headers).status == 200  # type: ignore[operator]  # a function


@pytest.mark.parametrize("body", [b"", b"hello", b"MIIB", b"0", b"\x30\x03\x02\x01", csr() + b"\0", csr()[:-1]])
def test_what_is_no_request_is_refused_in_words(authority: Authority, body: bytes) -> None:
    response = as_sent(authority, body, {**PKCS10, **basic(token_for(authority, "cam-7"))})

    assert response.status == 400
    assert response.media_type.startswith("text/plain")
    assert response.body


def test_another_media_type_is_refused(authority: Authority) -> None:
    headers = {"content-type": "text/plain", **basic(token_for(authority, "cam-7"))}

    assert b"application/pkcs10" in as_sent(authority, base64.b64encode(csr()), headers).body


def test_a_device_renews_its_certificate_for_the_same_key_and_for_a_new_one(authority: Authority) -> None:
    old = issued(authority, "CN=cam-7", "cam-7.example.org")
    for key in (key_of(), new_key(), key_of(KeyKind.P384)):
        body = csr("CN=cam-7", "cam-7.example.org", key=key)

        (new,) = certificates_in(ask(authority, "simplereenroll", body, by=peer(old.certificate)))

        assert new.public_key() == key.public_key()
        assert new.subject == old.certificate.subject
        assert authority.find_certificate(new).names == old.record.names
        assert authority.find_certificate(new).replaces == old.record.serial


@pytest.mark.parametrize(
    "asked", [("CN=cam-8", "cam-7.example.org"), ("CN=cam-7", "cam-8.example.org"), ("CN=cam-7", "cam-7")]
)
def test_a_device_does_not_become_another_one(authority: Authority, asked: tuple[str, ...]) -> None:
    old = issued(authority, "CN=cam-7", "cam-7.example.org")

    assert ask(authority, "simplereenroll", csr(*asked), by=peer(old.certificate)).status == 403


def test_a_request_without_names_keeps_those_of_the_certificate(authority: Authority) -> None:
    old = issued(authority, "CN=cam-7", "cam-7.example.org")

    (new,) = certificates_in(ask(authority, "simplereenroll", csr(), by=peer(old.certificate)))

    assert authority.find_certificate(new).names == old.record.names


def test_a_device_gets_nothing_by_enrolling_with_its_certificate(authority: Authority) -> None:
    old = issued(authority, "CN=cam-7")

    assert ask(authority, "simpleenroll", csr("CN=cam-8"), by=peer(old.certificate)).status == 403


def test_a_revoked_certificate_renews_nothing(authority: Authority) -> None:
    old = issued(authority)
    authority.revoke(old.record, Reason.KEY_COMPROMISE)

    assert ask(authority, "simplereenroll", csr(), by=peer(old.certificate)).status == 401


def test_a_certificate_of_another_profile_is_not_renewed_below_a_label(authority: Authority) -> None:
    old = issued(authority)

    assert ask(authority, "simplereenroll", csr(), by=peer(old.certificate), label="server").status == 403
    assert ask(authority, "simplereenroll", csr(), by=peer(old.certificate), label="device").status == 200


def change_to(*names: bytes) -> dict[str, bytes]:
    return {CHANGE_SUBJECT_NAME: der.sequence([der.sequence([der.encode(0x82, name) for name in names])])}


def test_names_change_for_whoever_may_have_the_new_ones(authority: Authority) -> None:
    owner = issued(authority, "CN=lead", profile="client")
    add_requester(authority, "lead", "client", "lead", "*.example.org", certificate=owner.certificate)
    body = csr_with(change_to(b"new.example.org"), "CN=lead")

    response = ask(authority, "simplereenroll", body, by=peer(owner.certificate))

    assert response.status == 422  # a client's certificate has no host names: the profile says so, after the grant
    assert b"dns:new.example.org" in response.body or b"name" in response.body


def test_a_device_cannot_change_its_names(authority: Authority) -> None:
    old = issued(authority)
    body = csr_with(change_to(b"cam-8.example.org"))

    assert ask(authority, "simplereenroll", body, by=peer(old.certificate)).status == 403


def test_a_requester_renews_by_its_secret_what_is_its_own_and_nothing_else(authority: Authority) -> None:
    secret = add_requester(authority, "factory", "device", "*.example.org")
    body = csr("CN=a.example.org", "a.example.org")
    issued(authority, "CN=b.example.org", "b.example.org")
    assert ask(authority, "simpleenroll", body, basic(secret)).status == 200

    assert ask(authority, "simplereenroll", body, basic(secret)).status == 200
    assert ask(authority, "simplereenroll", csr("CN=b.example.org", "b.example.org"), basic(secret)).status == 404


@pytest.mark.parametrize("binding", [ChannelBinding.VERIFY, ChannelBinding.REQUIRE])
def test_a_channel_binding_is_verified(binding: ChannelBinding) -> None:
    authority = est_authority(Enrollment(channel_binding=binding))
    token, unique = token_for(authority, "cam-7"), b"\x01" * 12
    right = csr_with(challenge(base64.b64encode(unique).decode()))

    wrong_connection = ask(authority, "simpleenroll", right, basic(token), by=peer(tls_unique=b"\x02" * 12))
    no_binding_there = ask(authority, "simpleenroll", right, basic(token))
    fine = ask(authority, "simpleenroll", right, basic(token), by=peer(tls_unique=unique))

    assert [wrong_connection.status, no_binding_there.status, fine.status] == [403, 403, 200]
    assert b"tls-unique" in no_binding_there.body


def test_a_required_channel_binding_that_is_missing_is_refused() -> None:
    authority = est_authority(Enrollment(channel_binding=ChannelBinding.REQUIRE))
    token = token_for(authority, "cam-7")

    for by in (peer(), peer(tls_unique=b"\x01" * 12)):
        assert ask(authority, "simpleenroll", csr(), basic(token), by=by).status == 403


def test_a_challenge_password_is_ignored_where_the_operator_says_so() -> None:
    authority = est_authority(Enrollment(channel_binding=ChannelBinding.IGNORE))

    body = csr_with(challenge("whatever"))
    assert ask(authority, "simpleenroll", body, basic(token_for(authority, "cam-7"))).status == 200


def test_labels_are_profiles_and_never_a_ca(authority: Authority) -> None:
    token = token_for(authority, "web.example.org", profile="server")

    assert ask(authority, "cacerts", label="issuing").status == 404
    assert ask(authority, "cacerts", label="nothing").status == 404
    response = ask(authority, "simpleenroll", csr("CN=web.example.org"), basic(token), label="server")
    (certificate,) = certificates_in(response)
    assert authority.find_certificate(certificate).profile == "server"


def test_a_token_says_the_profile_where_no_label_does(authority: Authority) -> None:
    token = token_for(authority, "web.example.org", profile="server")

    (certificate,) = certificates_in(ask(authority, "simpleenroll", csr("CN=web.example.org"), basic(token)))
    assert authority.find_certificate(certificate).profile == "server"


def test_full_cmc_is_answered_honestly(authority: Authority) -> None:
    response = ask(authority, "fullcmc", b"")

    assert response.status == 501
    assert b"simpleenroll" in response.body


def test_every_error_of_a_client_is_spelled() -> None:
    known = {cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, errors.RequestError)}

    assert known == set(STATUS)
    assert error_response(errors.Denied("no", hint="ask")).body == b"no\nask\n"


def test_the_operator_is_nobody_here(authority: Authority) -> None:
    assert OPERATOR.is_local
    assert ask(authority, "simpleenroll", csr(), basic("", "operator")).status == 401
