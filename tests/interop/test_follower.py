"""Those who follow a service's feed refuse what it revoked, and write it for a server that reloads."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from handfast.client.follow import Follower, told
from handfast.errors import Malformed, Refused, Unacceptable, Unavailable
from handfast.pki.pem import certificates
from tests.pki_factory import new_authority
from tests.serving import Running, authority_in, client_files, eventually, opened, running

HANDFAST = Path(sys.executable).with_name("handfast")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("follow")
    authority_in(folder / "ca")
    with running(folder / "ca", workplace=folder) as started:
        yield started


def now() -> datetime:
    return datetime.now(UTC)


def cas(service: Running) -> tuple[x509.Certificate, ...]:
    folder = service.directory / "certificates"
    return certificates((folder / "root.pem").read_bytes() + (folder / "issuing.pem").read_bytes(), "CAs")


def follower(service: Running, **changes: object) -> Follower:
    given = {"url": f"https://localhost:{service.https}", "issuers": ("root", "issuing"), "cas": cas(service)}
    return Follower(**{**given, "context": service.context(), **changes})  # type: ignore[arg-type]  # as they are called


def act(service: Running, serial: int, verb: str) -> None:
    with opened(service.directory) as authority:
        record = authority.store.by_serial(serial)[0]
        {"hold": authority.hold, "release": authority.release, "revoke": authority.revoke}[verb](record)


def test_a_follower_refuses_what_was_revoked_and_admits_what_was_released(service: Running, tmp_path: Path) -> None:
    certificate = client_files(service.directory, "alice", tmp_path / "alice").certificate
    following = follower(service)
    following.begin(now())
    assert following.revocations().reason_against(certificate, now()) is None
    for verb, reason in (("hold", "certificate revoked"), ("release", None), ("revoke", "certificate revoked")):
        act(service, certificate.serial_number, verb)
        eventually(
            lambda: _is_told(following, certificate.serial_number), f"the feed tells of the {verb}"
        )  # called here
        assert following.revocations().reason_against(certificate, now()) == reason

    def is_signed() -> bool:
        following.check(now())
        return following.crls["issuing"].get_revoked_certificate_by_serial_number(certificate.serial_number) is not None

    eventually(is_signed, "the signed list has it")
    assert following.revocations().reason_against(certificate, now()) == "certificate revoked"


def test_it_refuses_everybody_when_it_heard_nothing_for_too_long(service: Running, tmp_path: Path) -> None:
    certificate = client_files(service.directory, "bob", tmp_path / "bob").certificate
    for stale_after, reason in ((None, None), (timedelta(minutes=1), "the CRL of its issuer has ended")):
        following = follower(service, stale_after=stale_after)
        following.begin(now())
        later = now() + timedelta(minutes=2)
        assert following.revocations().reason_against(certificate, later) == reason


def test_lists_that_no_known_ca_signed_are_refused(service: Running) -> None:
    other = new_authority()
    with pytest.raises(Unacceptable):
        follower(service, cas=(other.root, other.issuing)).begin(now())


def test_a_cursor_of_another_store_is_told_apart(service: Running) -> None:
    following = follower(service)
    following.begin(now())
    following.cursor = 10**9
    with pytest.raises(Refused) as refused:
        following.wait(now(), seconds=0)
    assert refused.value.code == "409"


def test_a_service_that_is_away_is_unavailable(service: Running) -> None:
    with pytest.raises(Unavailable):
        follower(service, url="https://localhost:1").begin(now())


@pytest.mark.parametrize("line", ["", "{}", "[]", '{"id": "x"}', "null"])
def test_a_line_that_is_none_of_a_feed_is_malformed(line: str) -> None:
    with pytest.raises(Malformed):
        told(line)


def test_the_command_writes_files_and_runs_the_reload(service: Running, tmp_path: Path) -> None:
    certificate = client_files(service.directory, "carol", tmp_path / "carol").certificate
    (tmp_path / "cas.pem").write_bytes(
        b"".join((service.directory / "certificates" / f"{name}.pem").read_bytes() for name in ("root", "issuing"))
    )
    denied, crls, reloads = tmp_path / "denied.map", tmp_path / "crls.pem", tmp_path / "reloads"
    command = [
        HANDFAST, "follow", f"https://localhost:{service.https}", "--ca-file", tmp_path / "cas.pem",
        "--target", "nginx", "--deny-list", denied, "--crl", crls, "--reload", f"echo again >> {reloads}",
    ]  # fmt: skip
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL)
    serial = f"{certificate.serial_number:X}"
    try:
        eventually(reloads.exists, "it wrote what is revoked now")
        assert serial not in denied.read_text()
        act(service, certificate.serial_number, "revoke")
        eventually(lambda: f"{serial} 1;" in denied.read_text(), "the deny-list has it")
        eventually(lambda: _is_listed(crls, certificate.serial_number), "the signed list has it")
        eventually(lambda: len(reloads.read_text().splitlines()) >= 2, "the server reloaded")
    finally:
        process.terminate()
        process.wait(60)


def _is_told(following: Follower, serial: int) -> bool:
    return serial in {one.serial for one in following.wait(now(), seconds=1)}


def _is_listed(path: Path, serial: int) -> bool:
    return any(
        x509.load_pem_x509_crl(part + b"-----END X509 CRL-----\n").get_revoked_certificate_by_serial_number(serial)
        for part in path.read_bytes().split(b"-----END X509 CRL-----\n")
        if part.strip()
    )
