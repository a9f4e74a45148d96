"""`handfast publish DIR`: nginx serves the files, curl fetches them, OpenSSL and our validator go by them."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from pkilint import loader, pkix, validation  # type: ignore[import-untyped]  # it has no types
from pkilint.pkix import crl as lint_crl  # type: ignore[import-untyped]  # it has no types
from pkilint.pkix import extension as lint_extension
from pkilint.pkix import name as lint_name

from handfast.ca.authority import Authority
from handfast.ca.due import publish_due
from handfast.ca.order import Issued, Order
from handfast.ca.published import ListKind, Which
from handfast.ca.records import Reason
from handfast.keys.generate import generate_key
from handfast.keys.passphrase import no_passphrase
from handfast.pki.crl import CrlHeader, build_crl, number_of
from handfast.pki.keys import KeyKind
from handfast.pki.pem import to_pem
from handfast.pki.subject import parse_subject
from handfast.server.assembly import open_authority
from handfast.server.static import write_static
from handfast.validate import Level, Policy, examine, trust
from handfast.validate.revocation import RevocationFacts, RevocationMode, RevocationPolicy, Status, load_crl
from tests.programs import required_program
from tests.serving import authority_in
from tests.static_web import static_web

DELTAS = 'crl_deltas = true\n[service]\nurl = "http://pki.example.org"\n'
SHARDS = 'crl_shards = 3\n[service]\nurl = "http://pki.example.org"\n'
TYPES = "types { application/pkix-crl crl; application/pkix-cert cer; application/pkcs7-mime p7c; }"


@dataclass(frozen=True)
class World:
    """Two revoked since the full CRL was made or before it, and one who is good."""

    authority: Authority
    good: Issued
    early: Issued
    late: Issued


def issue(authority: Authority, name: str) -> Issued:
    key = generate_key(KeyKind.P256)
    subject = parse_subject(f"CN={name}")
    return authority.issue(Order(profile="device", public_key=key.public_key(), subject=subject))


@pytest.fixture(params=[DELTAS, SHARDS], ids=["deltas", "shards"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    authority_in(tmp_path / "ca", request.param)
    authority = open_authority(tmp_path / "ca", passphrase=no_passphrase)
    good, early, late = (issue(authority, name) for name in ("good", "early", "late"))
    authority.revoke(early.record, Reason.KEY_COMPROMISE)
    publish_due(authority, authority.clock())
    held = issue(authority, "held")
    authority.hold(held.record)
    authority.revoke(late.record, Reason.SUPERSEDED)
    authority.release(authority.find("held"))
    for which in lists(authority):
        if which.shard or which.kind is ListKind.DELTA:
            authority.publish(which)
    yield World(authority, good, early, late)
    authority.store.close()


def lists(authority: Authority) -> list[Which]:
    return [one.which for name in authority.issuers for one in authority.store.publications.all(name)]


def ders(authority: Authority) -> dict[Which, bytes]:
    """What relying parties fetch: with shards, not the list of all."""
    found = {which: authority.store.publications.get(which) for which in lists(authority)}
    has_shards = any(which.shard for which in found)
    return {
        which: one.der
        for which, one in found.items()
        if one is not None and not (has_shards and which == Which("issuing"))
    }


def verifies(world: World, issued: Issued, folder: Path) -> bool:
    crls = [x509.load_der_x509_crl(one) for one in ders(world.authority).values()]
    (folder / "crls.pem").write_text("".join(map(to_pem, crls)))
    (folder / "root.pem").write_text(to_pem(root_of(world)))
    (folder / "between.pem").write_text(to_pem(world.authority.issuers["issuing"].certificate))
    (folder / "leaf.pem").write_text(to_pem(issued.certificate))
    # Without -extended_crl, OpenSSL takes a delta for a full CRL.
    command = [
        required_program("openssl"), "verify", "-crl_check_all", "-use_deltas", "-extended_crl",
        "-CAfile", folder / "root.pem", "-untrusted", folder / "between.pem", "-CRLfile", folder / "crls.pem",
        folder / "leaf.pem",
    ]  # fmt: skip
    done = subprocess.run(list(map(str, command)), check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 or "certificate revoked" in done.stderr, done.stderr
    return done.returncode == 0


def root_of(world: World) -> x509.Certificate:
    return world.authority.issuers["root"].certificate


def test_openssl_goes_by_them(world: World, tmp_path: Path) -> None:
    assert [verifies(world, one, tmp_path) for one in (world.good, world.early, world.late)] == [True, False, False]


def test_our_validator_goes_by_them(world: World) -> None:
    facts = RevocationFacts(crls=tuple(load_crl(one) for one in ders(world.authority).values()))
    asked = Policy(level=Level.STRICT, revocation=RevocationPolicy(mode=RevocationMode.REQUIRE))
    statuses = [
        examine(
            one.certificate, anchors=trust([root_of(world)]), policy=asked, at=datetime.now(UTC),
            intermediates=[world.authority.issuers["issuing"].certificate], facts=facts,
        ).revocation[0].status
        for one in (world.good, world.early, world.late)
    ]  # fmt: skip
    assert statuses == [Status.GOOD, Status.REVOKED, Status.REVOKED]


def test_pkilint_finds_nothing_wrong_with_any(world: World) -> None:
    linter = lint_crl.create_pkix_crl_validator_container(
        [
            pkix.create_attribute_decoder(lint_name.ATTRIBUTE_TYPE_MAPPINGS),
            pkix.create_extension_decoder(lint_extension.EXTENSION_MAPPINGS),
        ],
        [
            lint_crl.create_issuer_validator_container([]),
            lint_crl.create_validity_validator_container([]),
            lint_crl.create_extensions_validator_container([]),
        ],
    )
    for which, data in ders(world.authority).items():
        document = loader.RFC5280CertificateListDocumentLoader().load_der_document(data, which.file_name)
        found = [
            str(one.finding.code)
            for result in linter.validate(document.root)
            for one in result.finding_descriptions
            if one.finding.severity >= validation.ValidationFindingSeverity.ERROR
        ]
        assert (which, found) == (which, [])


def test_files_are_replaced_by_newer_ones_only(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "pki"
    first = write_static(world.authority, folder)
    assert all(one.is_new for one in first)
    assert not any(one.is_new for one in write_static(world.authority, folder))
    path = folder / "crl" / "issuing.crl"
    newer = world.authority.crl("issuing")
    path.write_bytes(build_number(world, number_of(newer) + 1))
    (folder / "crl" / "root.crl").write_bytes(b"torn")
    again = write_static(world.authority, folder)
    assert number_of(path.read_bytes()) == number_of(newer) + 1
    assert [one.path.name for one in again if one.is_new] == ["root.crl"]


def build_number(world: World, number: int) -> bytes:
    """What a replica has published meanwhile."""
    issuer = world.authority.issuers["issuing"]
    now = datetime.now(UTC)
    header = CrlHeader(number=number, this_update=now, next_update=now + timedelta(days=1))
    return build_crl([], header, issuer=issuer.identity, key=issuer.unlock())


def test_nginx_serves_them_to_curl(world: World, short_path: Path, tmp_path: Path) -> None:
    write_static(world.authority, short_path / "pki")
    with static_web(short_path / "pki", TYPES, place=short_path) as socket:
        for name, media_type in (("crl/issuing.crl", "pkix-crl"), ("ca/issuing.cer", "pkix-cert")):
            fetched = subprocess.run(
                [required_program("curl"), "--silent", "--fail", "--show-error", "--unix-socket", socket,
                 "--output", tmp_path / "got", "--write-out", "%{content_type}", f"http://pki.example.org/{name}"],
                check=True, capture_output=True, text=True, timeout=60,
            )  # fmt: skip
            assert fetched.stdout == f"application/{media_type}"
            assert (tmp_path / "got").read_bytes() == (short_path / "pki" / name).read_bytes()
