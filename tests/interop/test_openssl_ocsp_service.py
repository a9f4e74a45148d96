"""`openssl ocsp` asks a running service about a mixed thousand, and pkilint reads every kind of answer."""

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509 import ocsp as library

from handfast.ca.authority import Authority
from handfast.ca.order import Order
from handfast.ca.records import REVOCATION_REASONS, Reason
from handfast.keys.generate import generate_key, new_serial
from handfast.pki.keys import KeyKind
from handfast.pki.ocsp import build_request, cert_id, issuer_keys
from handfast.pki.pem import to_pem
from handfast.pki.subject import parse_subject
from handfast.protocols.ocsp import get_path
from handfast.validate import Level, Policy, examine, trust
from handfast.validate.revocation import RevocationFacts, RevocationMode, RevocationPolicy, Status, load_crl
from tests.programs import required_program
from tests.serving import PATIENCE, Running, authority_in, opened, running

COUNT = 1000
_AT_ONCE = 250
World = tuple[Running, dict[int, str]]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A running service, and what openssl is to say of each serial."""
    required_program("openssl")
    folder = tmp_path_factory.mktemp("ocsp")
    authority_in(folder / "ca")
    with opened(folder / "ca") as authority:
        expected = mixture(authority)
    with running(folder / "ca", workplace=folder) as service:
        yield service, expected


def mixture(authority: Authority) -> dict[int, str]:
    """A thousand serials: good, revoked for each reason, held, released, and never issued."""
    key = generate_key(KeyKind.P256).public_key()
    orders = [Order(profile="client", public_key=key, subject=parse_subject(f"CN=c{n}")) for n in range(COUNT - 100)]
    expected = {new_serial(): "unknown" for _ in range(100)}
    for number, issued in enumerate(authority.carry_out([authority.decide(order) for order in orders])):
        record = issued.record
        expected[record.serial] = "good"
        if number % 9 == 0:
            reason = REVOCATION_REASONS[number // 9 % len(REVOCATION_REASONS)]
            authority.revoke(record, reason)
            expected[record.serial] = "revoked" if reason is Reason.UNSPECIFIED else f"revoked {reason}"
        elif number % 90 == 1:
            authority.hold(record)
            expected[record.serial] = "revoked certificateHold"
        elif number % 90 == 2:
            authority.release(authority.hold(record))
    return expected


def asked(service: Running, serials: list[int], *options: str) -> dict[int, str]:
    """What `openssl ocsp` says, having verified the signature and the responder's certificate."""
    certificates = service.directory / "certificates"
    command = ["openssl", "ocsp", "-issuer", str(certificates / "issuing.pem"), "-CAfile", str(service.root), *options]
    for serial in serials:
        command += ["-serial", f"0x{serial:x}"]
    command += ["-url", f"http://127.0.0.1:{service.http}/ocsp", "-timeout", "50"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert "Response verify OK" in done.stderr, done.stderr + done.stdout
    if "-no_nonce" not in options:
        assert "WARNING" not in done.stderr
    return _read(done.stdout)


def _read(text: str) -> dict[int, str]:
    said: dict[int, str] = {}
    serial = 0
    for line in text.splitlines():
        word, _, rest = line.partition(": ")
        if word.startswith("0x"):
            serial = int(word, 16)
            said[serial] = rest.strip()
        elif word.strip() == "Reason":
            said[serial] += f" {rest.strip()}"
    return said


@pytest.mark.parametrize("options", [("-no_nonce",), ("-sha256",)], ids=["sha1 without nonce", "sha256 with nonce"])
def test_openssl_agrees_with_the_store_about_a_mixed_thousand(world: World, options: tuple[str, ...]) -> None:
    service, expected = world
    serials, said = list(expected), {}
    for start in range(0, COUNT, _AT_ONCE):
        said.update(asked(service, serials[start : start + _AT_ONCE], *options))
    # openssl 3.0 has no words for these two.
    nameless = {"revoked privilegeWithdrawn", "revoked aACompromise"}
    unnamed = {one: status for one, status in expected.items() if status in nameless and "(UNKNOWN)" in said[one]}
    assert said == expected | dict.fromkeys(unnamed, "revoked (UNKNOWN)")


def test_openssl_verify_and_our_validator_agree_by_the_lists_about_the_same(world: World, tmp_path: Path) -> None:
    service, expected = world
    revoked = {serial: status.startswith("revoked") for serial, status in expected.items() if status != "unknown"}
    with opened(service.directory) as authority:
        lists = [authority.crl(name) for name in authority.issuers]
        leaves = {one: authority.store.by_serial(one)[0].certificate for one in revoked}
        root, issuing = (authority.issuers[name].certificate for name in ("root", "issuing"))
    certificates = {one: x509.load_der_x509_certificate(der) for one, der in leaves.items() if der is not None}
    assert len(certificates) == COUNT - 100
    assert by_openssl(service, certificates, lists, tmp_path) == revoked
    facts = RevocationFacts(crls=tuple(map(load_crl, lists)))
    policy = Policy(level=Level.STRICT, revocation=RevocationPolicy(mode=RevocationMode.REQUIRE))
    for serial, leaf in certificates.items():
        report = examine(
            leaf, anchors=trust([root]), policy=policy, at=datetime.now(UTC), intermediates=[issuing], facts=facts
        )
        assert report.revocation[0].status is (Status.REVOKED if revoked[serial] else Status.GOOD)


def by_openssl(
    service: Running, certificates: dict[int, x509.Certificate], lists: list[bytes], folder: Path
) -> dict[int, bool]:
    """Whether `openssl verify -crl_check_all` says that each is revoked; it looks at all in one process."""
    (folder / "lists.pem").write_text("".join(to_pem(x509.load_der_x509_crl(one)) for one in lists))
    for serial, certificate in certificates.items():
        (folder / f"{serial}.pem").write_text(to_pem(certificate))
    directory = service.directory / "certificates"
    done = subprocess.run(
        ["openssl", "verify", "-crl_check_all", "-CAfile", directory / "root.pem",
         "-untrusted", directory / "issuing.pem", "-CRLfile", "lists.pem", *(f"{one}.pem" for one in certificates)],
        cwd=folder, capture_output=True, text=True, check=False, timeout=PATIENCE,
    )  # fmt: skip
    good = {int(line.partition(".")[0]) for line in done.stdout.splitlines() if line.endswith(": OK")}
    words = [line for line in done.stderr.splitlines() if " at 0 depth lookup: certificate revoked" in line]
    assert len(good) + len(words) == len(certificates), done.stderr[-500:]
    return {one: one not in good for one in certificates}


def test_a_revocation_is_told_at_the_next_request(world: World) -> None:
    service, expected = world
    serial = next(serial for serial, status in expected.items() if status == "good")
    for _ in range(2):
        assert asked(service, [serial], "-no_nonce") == {serial: "good"}
    with opened(service.directory) as authority:
        authority.revoke(authority.store.by_serial(serial)[0], Reason.SUPERSEDED)
    expected[serial] = "revoked superseded"
    assert asked(service, [serial], "-no_nonce") == {serial: "revoked superseded"}


def test_once_its_certificate_is_revoked_another_responder_signs(world: World) -> None:
    service, expected = world
    serial = next(serial for serial, status in expected.items() if status == "good")
    first = signer(service, serial)
    assert signer(service, serial) == first
    with opened(service.directory) as authority:
        authority.revoke(authority.store.by_serial(first)[0], Reason.KEY_COMPROMISE)
    second = signer(service, serial)
    assert second != first
    assert asked(service, [serial, first, second]) == {
        serial: "good",
        first: "revoked keyCompromise",
        second: "good",
    }


def signer(service: Running, serial: int) -> int:
    """Who signed the answer that lies ready, by the certificate in it; openssl verified the signature."""
    certificates = service.directory / "certificates"
    done = subprocess.run(
        ["openssl", "ocsp", "-issuer", certificates / "issuing.pem", "-CAfile", service.root, "-no_nonce",
         "-serial", f"0x{serial:x}", "-url", f"http://127.0.0.1:{service.http}/ocsp", "-resp_text"],
        capture_output=True, text=True, check=False, timeout=PATIENCE,
    )  # fmt: skip
    assert "Response verify OK" in done.stderr
    certificate = done.stdout[done.stdout.index("-----BEGIN CERTIFICATE-----") :]
    return x509.load_pem_x509_certificate(certificate.encode()).serial_number


def fetched(service: Running, request: bytes, *, by_get: bool = False) -> bytes:
    url = f"http://127.0.0.1:{service.http}/ocsp"
    if by_get:
        url, data = f"{url}/{get_path(request)}", None
    else:
        data = request
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=PATIENCE) as response:  # loopback
        assert response.headers["content-type"] == "application/ocsp-response"
        body: bytes = response.read()
        return body


def test_get_and_post_give_the_same_answer_and_it_lies_ready(world: World) -> None:
    service, expected = world
    serial = next(serial for serial, status in expected.items() if status == "revoked keyCompromise")
    with opened(service.directory) as authority:
        identity = authority.issuers["issuing"].identity
    request = build_request([cert_id(issuer_keys(identity.subject, identity.public_key)[0], serial)])
    first = fetched(service, request)
    assert library.load_der_ocsp_response(first).revocation_reason == Reason.KEY_COMPROMISE.flag
    assert fetched(service, request) == first
    assert fetched(service, request, by_get=True) == first
    assert fetched(service, b"nonsense") == b"\x30\x03\x0a\x01\x01"


def test_pkilint_finds_no_error_in_any_kind_of_answer(world: World, tmp_path: Path) -> None:
    service, expected = world
    with opened(service.directory) as authority:
        identity = authority.issuers["issuing"].identity
    sha1, sha256, *_ = issuer_keys(identity.subject, identity.public_key)
    kinds = {status: serial for serial, status in expected.items()}
    requests = [build_request([cert_id(sha256, serial)]) for serial in kinds.values()]
    requests.append(build_request([cert_id(sha1, serial) for serial in kinds.values()], nonce=b"n" * 32))
    linter = Path(sys.executable).with_name("lint_ocsp_response")
    # Each start of the linter takes a second: good, one revocation, unknown, and all of them in one answer.
    chosen = [kinds["good"], kinds["revoked certificateHold"], kinds["unknown"]]
    for number, request in enumerate([build_request([cert_id(sha256, one)]) for one in chosen] + requests[-1:]):
        path = tmp_path / f"{number}.der"
        path.write_bytes(fetched(service, request))
        done = subprocess.run(
            [str(linter), "lint", "-s", "ERROR", str(path)], capture_output=True, text=True, check=False, timeout=60
        )
        assert (done.returncode, done.stdout.strip()) == (0, ""), done.stdout + done.stderr
