"""The REST API of a running service, asked by curl: everything that the commands do."""

import base64
import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12
from cryptography.x509.ocsp import load_der_ocsp_response

from handfast.ca.office import Proof
from handfast.ca.policy import RequesterRole
from handfast.ca.requesters import SECRET_PREFIX, RequesterRecord
from handfast.keys.generate import generate_key, new_secret
from handfast.pki.csr import build_request
from handfast.pki.keys import KeyKind
from handfast.pki.pem import to_pem
from handfast.pki.subject import parse_subject
from tests.programs import required_program
from tests.serving import Running, authority_in, client_files, curl, opened, running

APPROVED = """
[profiles.badge]
like = "client"
approvals = 1
"""


@dataclass(frozen=True, slots=True)
class Api:
    """A service, and a secret for somebody of each role."""

    service: Running
    secrets: dict[str, str]

    def __call__(
        self, who: str, method: str, path: str, body: object = None, *options: str
    ) -> tuple[int, dict[str, Any]]:
        """Status and document of a request by somebody of that role; "" for nobody."""
        arguments = ["-X", method, "-w", "\n%{http_code}", *options]
        if who:
            arguments += ["-H", f"Authorization: Bearer {self.secrets[who]}"]
        if body is not None:
            arguments += ["-H", "Content-Type: application/json", "--data-binary", json.dumps(body)]
        done = curl(self.service, *arguments, f"https://localhost:{self.service.https}/api{path}")
        text, _, status = done.stdout.rpartition("\n")
        return int(status), json.loads(text) if text.strip() else {}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    required_program("curl")
    workplace = tmp_path_factory.mktemp("api")
    authority_in(workplace / "ca", APPROVED)
    secrets = {}
    with opened(workplace / "ca") as authority:
        for role in RequesterRole:
            secrets[role.value] = new_secret(SECRET_PREFIX)
            record = RequesterRecord(
                name=f"a-{role.value}", role=role, profiles=None, patterns=None, created_at=authority.clock()
            )
            authority.office.add_requester(record, Proof(secret=secrets[role.value]))
    with running(workplace / "ca", workplace=workplace) as service:
        yield Api(service, secrets)


def test_a_certificate_lives_from_its_issue_to_its_revocation(api: Api) -> None:
    status, made = api("administrator", "POST", "/certificates", {"profile": "client", "subject": "CN=alice"})
    assert status == 201
    key = load_pem_private_key(made["key"].encode(), None)
    certificate = x509.load_pem_x509_certificate(made["pem"].encode())
    assert certificate.public_key() == key.public_key()
    serial = made["certificate"]["serial"]

    assert api("auditor", "GET", f"/certificates/{serial}")[1]["label"] == "alice"
    assert api("auditor", "GET", f"/certificates/{made['certificate']['fingerprint'][:16]}")[1]["serial"] == serial
    status, bundle = api("administrator", "POST", f"/certificates/{serial}/pkcs12", {"key": made["key"]})
    assert status == 200
    loaded = pkcs12.load_pkcs12(base64.b64decode(bundle["pkcs12"]), bundle["password"].encode())
    assert loaded.cert is not None
    assert loaded.cert.certificate == certificate

    status, renewed = api("registration-officer", "POST", f"/certificates/{serial}/renew", {"lifetime": "30d"})
    assert status == 201
    assert renewed["replaced"]["serial"] == serial
    assert api("registration-officer", "POST", f"/certificates/{serial}/hold")[1]["state"] == "held"
    assert api("registration-officer", "POST", f"/certificates/{serial}/release")[1]["state"] == "valid"
    status, revoked = api(
        "registration-officer", "POST", f"/certificates/{serial}/revoke", {"reason": "key-compromise"}
    )
    assert (status, revoked["state"], revoked["reason"]) == (200, "revoked", "keyCompromise")
    assert api("registration-officer", "POST", f"/certificates/{serial}/release")[0] == 409
    assert api("registration-officer", "POST", f"/certificates/{serial}/renew", {})[0] == 409


def test_a_csr_is_signed_and_rekeyed_and_downloaded_in_every_form(api: Api, tmp_path: Path) -> None:
    key = generate_key(KeyKind.P256)
    csr = to_pem(build_request(key, subject=parse_subject("CN=cam-1")))
    status, made = api("requester", "POST", "/certificates", {"profile": "device", "csr": csr})
    assert status == 201
    assert "key" not in made
    serial = made["certificate"]["serial"]
    other = to_pem(build_request(generate_key(KeyKind.P256), subject=parse_subject("CN=ignored")))
    status, rekeyed = api("requester", "POST", f"/certificates/{serial}/rekey", {"csr": other})
    assert (status, rekeyed["certificate"]["subject"]) == (201, "CN=cam-1")

    url = f"https://localhost:{api.service.https}/api/certificates/{serial}/download"
    secret = ("-H", f"Authorization: Bearer {api.secrets['requester']}")
    curl(api.service, *secret, "-o", tmp_path / "cert.der", f"{url}?format=der")
    curl(api.service, *secret, "-o", tmp_path / "chain.pem", f"{url}?format=chain")
    shown = subprocess.run(
        ["openssl", "x509", "-inform", "der", "-in", str(tmp_path / "cert.der"), "-noout", "-serial"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert int(shown.stdout.partition("=")[2], 16) == int(serial.replace(":", ""), 16)
    verified = subprocess.run(
        ["openssl", "verify", "-CAfile", str(api.service.root), "-untrusted", str(tmp_path / "chain.pem"),
         str(tmp_path / "chain.pem")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert verified.returncode == 0, verified.stderr


def test_pages_follow_each_other_by_their_cursor(api: Api) -> None:
    for number in range(5):
        api("requester", "POST", "/certificates", {"profile": "client", "subject": f"CN=page-{number}"})
    seen, cursor = [], None
    while True:
        query = f"?text=page-&limit=2{f'&cursor={cursor}' if cursor else ''}"
        page = api("auditor", "GET", f"/certificates{query}")[1]
        seen += [one["label"] for one in page["certificates"]]
        cursor = page["cursor"]
        if cursor is None:
            break
    assert seen == [f"page-{number}" for number in reversed(range(5))]


def test_a_requester_sees_and_touches_only_what_is_its_own(api: Api) -> None:
    made = api("administrator", "POST", "/certificates", {"profile": "client", "subject": "CN=not-yours"})[1]
    serial = made["certificate"]["serial"]
    for method, path, body in (
        ("GET", "", None),
        ("GET", "/download", None),
        ("POST", "/revoke", {}),
        ("POST", "/renew", {}),
    ):
        assert api("requester", method, f"/certificates/{serial}{path}", body)[0] == 404
    labels = [one["label"] for one in api("requester", "GET", "/certificates")[1]["certificates"]]
    assert "not-yours" not in labels


def test_four_eyes_over_the_api(api: Api) -> None:
    csr = to_pem(build_request(generate_key(KeyKind.P256), subject=parse_subject("CN=bob")))
    wanted = {"profile": "badge", "csr": csr}
    status, told = api("requester", "POST", "/certificates", wanted)
    assert status == 202
    assert api("requester", "POST", f"/approvals/{told['transaction']}/approve")[0] == 403
    assert told["transaction"] in [one["transaction"] for one in api("approver", "GET", "/approvals")[1]["approvals"]]
    assert api("approver", "POST", f"/approvals/{told['transaction']}/approve")[0] == 200
    status, made = api("requester", "POST", "/certificates", wanted)
    assert (status, made["certificate"]["subject"]) == (201, "CN=bob")
    again = api("requester", "POST", "/certificates", wanted)[1]
    assert again["certificate"]["serial"] == made["certificate"]["serial"]


def test_the_same_request_under_one_key_is_done_once_and_its_secrets_are_told_once(api: Api) -> None:
    body = {"profile": "client", "subject": "CN=once"}
    key = ("-H", "Idempotency-Key: 7f3a")
    first = api("requester", "POST", "/certificates", body, *key)[1]
    second = api("requester", "POST", "/certificates", body, *key)[1]
    assert first["certificate"]["serial"] == second["certificate"]["serial"]
    assert "PRIVATE KEY" in first["key"]
    assert second["key"] is None
    assert api("requester", "POST", "/certificates", {**body, "subject": "CN=other"}, *key)[0] == 409


def test_asking_again_under_one_key_tells_what_became_of_a_request_that_waited(api: Api) -> None:
    csr = to_pem(build_request(generate_key(KeyKind.P256), subject=parse_subject("CN=carol")))
    wanted, key = {"profile": "badge", "csr": csr}, ("-H", "Idempotency-Key: 9c1d")
    status, told = api("requester", "POST", "/certificates", wanted, *key)
    assert status == 202
    assert api("requester", "POST", "/certificates", wanted, *key) == (202, told)
    assert api("approver", "POST", f"/approvals/{told['transaction']}/approve")[0] == 200
    status, made = api("requester", "POST", "/certificates", wanted, *key)
    assert (status, made["certificate"]["subject"]) == (201, "CN=carol")
    assert api("requester", "POST", "/certificates", wanted, *key) == (201, made)


def test_requesters_and_tokens_are_made_used_and_ended(api: Api) -> None:
    status, made = api(
        "administrator", "POST", "/requesters",
        {"name": "fleet", "role": "requester", "profiles": ["device"], "patterns": ["*.fleet.example"], "secret": True},
    )  # fmt: skip
    assert status == 201
    api.secrets["fleet"] = made["secret"]
    assert api("fleet", "GET", "/caller")[1]["name"] == "fleet"
    wanted = {"profile": "device", "names": ["cam.fleet.example"]}
    assert api("fleet", "POST", "/certificates", wanted)[0] == 201
    assert api("fleet", "POST", "/certificates", {**wanted, "names": ["cam.elsewhere.example"]})[0] == 403

    status, token = api("fleet", "POST", "/tokens", {"profile": "device", "names": ["one.fleet.example"]})
    assert status == 201
    api.secrets["token"] = token["secret"]
    assert api("token", "POST", "/certificates", {"profile": "device", "names": ["one.fleet.example"]})[0] == 201
    assert api("token", "POST", "/certificates", {"profile": "device", "names": ["one.fleet.example"]})[0] == 401

    assert "secret" not in json.dumps(
        [
            {key: value for key, value in one.items() if key != "credentials"}
            for one in api("administrator", "GET", "/requesters")[1]["requesters"]
        ]
    )
    assert api("administrator", "DELETE", "/requesters/fleet")[0] == 204
    assert api("fleet", "GET", "/caller")[0] == 401


def test_every_wrong_field_is_told_at_once(api: Api) -> None:
    status, told = api(
        "administrator", "POST", "/certificates",
        {"profile": "", "names": ["a..b"], "lifetime": "soon", "key": "dsa", "colour": "red"},
    )  # fmt: skip
    assert status == 422
    assert {one["field"] for one in told["errors"]} >= {"profile", "names", "lifetime", "key", "colour"}
    assert told["status"] == 422


def test_wrong_fields_that_only_our_own_parsers_know_are_told_at_once_too(api: Api) -> None:
    body = {"profile": "client", "names": ["a b", "..."], "csr": "no request", "lifetime": "1d"}
    status, told = api("administrator", "POST", "/certificates", body)
    assert (status, {one["field"] for one in told["errors"]}) == (422, {"names", "csr"})
    names = next(one["message"] for one in told["errors"] if one["field"] == "names")
    assert "; a host name" in names.partition("space")[2]
    status, told = api(
        "administrator", "POST", "/certificates", {"profile": "no", "issuer": "isuing", "names": ["a.b"]}
    )
    assert (status, {one["field"] for one in told["errors"]}) == (422, {"profile", "issuer"})
    assert 'did you mean "issuing"?' in str(told)
    body = {"name": "a b", "role": "requester", "patterns": ["***"], "certificate": "none"}
    status, told = api("administrator", "POST", "/requesters", body)
    assert (status, {one["field"] for one in told["errors"]}) == (422, {"name", "patterns", "certificate"})
    status, told = api("administrator", "POST", "/tokens", {"profile": "device", "names": ["*@@"], "lifetime": "1y"})
    assert (status, {one["field"] for one in told["errors"]}) == (422, {"names", "lifetime"})


def test_what_is_no_json_is_told_of_the_body(api: Api) -> None:
    status, told = api(
        "administrator", "POST", "/certificates", None, "-H", "Content-Type: application/json", "-d", "{"
    )
    assert (status, [one["field"] for one in told["errors"]]) == (422, ["body"])


def test_only_an_administrator_gets_a_certificate_that_answers_for_a_ca(api: Api) -> None:
    for who in ("registration-officer", "requester"):
        assert api(who, "POST", "/certificates", {"profile": "ocsp", "subject": "CN=evil"})[0] == 403
        assert api(who, "POST", "/tokens", {"profile": "ocsp", "names": ["evil"]})[0] == 400
    assert api("administrator", "POST", "/certificates", {"profile": "ocsp", "subject": "CN=own"})[0] == 201


def test_nobody_is_made_a_ca_from_elsewhere(api: Api) -> None:
    for who in ("administrator", "registration-officer", "requester"):
        for issuer in ("root", "issuing"):
            status, told = api(
                who, "POST", "/certificates", {"profile": "issuing", "subject": "CN=evil", "issuer": issuer}
            )
            assert status == 403, told
    told = api("administrator", "POST", "/certificates", {"profile": "issuing", "subject": "CN=evil"})[1]
    assert "at the machine" in told["detail"]


def test_a_root_signs_for_nobody_who_asks_from_elsewhere(api: Api) -> None:
    body = {"profile": "client", "subject": "CN=alice", "issuer": "root"}
    for who in ("administrator", "registration-officer", "requester"):
        status, told = api(who, "POST", "/certificates", body)
        assert (status, told["detail"]) == (403, "root is a root, and signs only CAs")


def test_what_the_service_cannot_do_is_told_as_what_it_is_and_in_the_log(tmp_path: Path) -> None:
    required_program("curl")
    authority_in(tmp_path / "ca")
    secret = new_secret(SECRET_PREFIX)
    with opened(tmp_path / "ca") as authority:
        record = RequesterRecord(
            name="ann", role=RequesterRole.ADMINISTRATOR, profiles=None, patterns=None, created_at=authority.clock()
        )
        authority.office.add_requester(record, Proof(secret=secret))
    with running(tmp_path / "ca", workplace=tmp_path) as service:
        ann = partial(Api(service, {"ann": secret}), "ann", "POST")
        (tmp_path / "ca" / "keys" / "root.key").unlink()
        away = (409, "the key of root cannot be used at this service")
        status, told = ann("/issuers/root/crl", {})
        assert (status, told["detail"]) == away
        status, told = ann("/certificates", {"profile": "client", "subject": "CN=alice", "issuer": "root"})
        assert (status, told["detail"]) == away

        shutil.rmtree(tmp_path / "ca" / "journal")
        (tmp_path / "ca" / "journal").write_text("a file in the way", encoding="utf-8")
        status, told = ann("/certificates", {"profile": "client", "subject": "CN=alice"})
        assert (status, told["status"]) == (500, 500)
        failed = [json.loads(line) for line in service.log().splitlines() if "request.failed" in line]
        assert "journal" in failed[0]["why"]


def test_what_breaks_the_rules_for_certificates_is_told_with_its_findings(api: Api) -> None:
    status, told = api("administrator", "POST", "/certificates", {"profile": "server", "subject": "CN=no-name"})
    assert status == 422
    assert told["findings"]


def test_issuers_profiles_audit_and_statistics_are_shown(api: Api) -> None:
    assert {one["name"] for one in api("requester", "GET", "/issuers")[1]["issuers"]} == {"root", "issuing"}
    assert "device" in {one["name"] for one in api("requester", "GET", "/profiles")[1]["profiles"]}
    before = api("auditor", "GET", "/issuers")[1]["issuers"]
    assert api("administrator", "POST", "/issuers/issuing/crl")[0] == 200
    after = api("auditor", "GET", "/issuers")[1]["issuers"]
    assert after[1]["crl_number"] > before[1]["crl_number"]
    events = api("auditor", "GET", "/audit?limit=3")[1]
    assert [one["id"] for one in events["events"]] == [1, 2, 3]
    assert api("auditor", "GET", "/audit/head")[1]["id"] >= 3
    assert api("auditor", "GET", "/audit/verify")[1]["is_whole"]
    assert api("requester", "GET", "/audit/verify")[0] == 403
    numbers = api("auditor", "GET", "/statistics")[1]
    assert numbers["certificates"] >= 2
    assert set(numbers["tokens_by_state"]) == {"redeemable", "expired"}
    assert set(numbers["approvals_by_state"]) == {"waiting", "approved", "rejected", "issued"}


def test_ocsp_answers_come_many_at_once_each_about_one_certificate(api: Api) -> None:
    serials = []
    for name in ("stays", "goes"):
        made = api("requester", "POST", "/certificates", {"profile": "client", "subject": f"CN={name}"})[1]
        serials.append(made["certificate"]["serial"].replace(":", ""))
    assert api("registration-officer", "POST", f"/certificates/{serials[1]}/revoke", {})[0] == 200
    asked = {"serials": [*serials, "1f"]}
    answers = api("auditor", "POST", "/issuers/issuing/ocsp", asked)[1]["answers"]
    told = [load_der_ocsp_response(base64.b64decode(one)) for one in answers]
    assert [f"{one.serial_number:040x}"[-40:] for one in told] == [one.lower().zfill(40) for one in asked["serials"]]
    assert [one.certificate_status.name for one in told] == ["GOOD", "REVOKED", "UNKNOWN"]
    assert told[2].next_update_utc is not None
    # It may be a certificate that is being issued just now.
    assert told[2].next_update_utc - told[2].this_update_utc == timedelta(minutes=5)
    assert api("auditor", "POST", "/issuers/nonsuch/ocsp", asked)[0] == 404
    assert api("auditor", "POST", "/issuers/issuing/ocsp", {"serials": ["1f"] * 257})[0] == 422


def test_a_certificate_is_as_good_as_a_secret(api: Api, tmp_path: Path) -> None:
    client_files(api.service.directory, "carol", tmp_path / "carol")
    pair = ("--cert", str(tmp_path / "carol" / "chain.pem"), "--key", str(tmp_path / "carol" / "key.pem"))
    status, told = api("", "GET", "/caller", None, *pair)
    assert (status, told["kind"]) == (200, "device")
    assert api("", "GET", "/requesters", None, *pair)[0] == 403
    assert api("", "GET", "/caller")[0] == 401


def test_the_document_says_what_there_is(api: Api) -> None:
    document = api("", "GET", "/openapi.json")[1]
    assert document["openapi"].startswith("3.1")
    assert document["components"]["securitySchemes"]["certificate"]["type"] == "mutualTLS"
    assert document["paths"]["/certificates"]["post"]["operationId"] == "issue_certificate"
