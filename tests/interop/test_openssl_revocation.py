"""openssl's CRLs and OCSP responses are accepted here, and openssl verify agrees with us about mixed chains."""

import base64
import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from handfast.pki.crl import CrlHeader, RevokedEntry, build_crl
from handfast.pki.issuer_identity import identity_of
from handfast.pki.pem import to_pem
from handfast.validate import Level, Policy, Report, examine, read_certificate, trust
from handfast.validate.revocation import (
    RevocationFacts,
    RevocationMode,
    RevocationPolicy,
    Signers,
    Status,
    authority_of,
    build_request,
    check_path,
    load_crl,
)
from tests.pki_factory import Authority, new_authority, new_key
from tests.programs import required_program

HOUR = timedelta(hours=1)
CORPUS = Path(__file__).parents[3] / "shared" / "vectors" / "openssl-ocsp"
CONFIGURATION = """
[ca]
default_ca = here
[here]
database = {directory}/index.txt
certificate = {directory}/issuing.pem
private_key = {directory}/issuing.key
default_md = sha256
default_crl_days = 7
crlnumber = {directory}/crlnumber
crl_extensions = lists
[lists]
authorityKeyIdentifier = keyid
"""


@dataclass(frozen=True)
class World:
    """An authority, alice who is good, bob who is revoked, and a delegated responder."""

    authority: Authority
    alice: x509.Certificate
    bob: x509.Certificate
    responder: x509.Certificate
    responder_key: Any
    now: datetime


@cache
def world() -> World:
    now = datetime.now(UTC)
    authority, key = new_authority(now=now - 2 * HOUR), new_key()
    alice, bob = (authority.issue(subject=f"CN={each}", names=[f"{each}@example.com"]) for each in ("alice", "bob"))
    return World(authority, alice, bob, authority.issue("ocsp", subject="CN=responder", key=key), key, now)


def write(directory: Path) -> None:
    """The files of openssl's own CA: certificates, keys, and a database in which bob is revoked."""
    it = world()
    files = {
        "root.pem": to_pem(it.authority.root),
        "issuing.pem": to_pem(it.authority.issuing),
        "issuing.key": to_pem(it.authority.key),
        "responder.pem": to_pem(it.responder),
        "responder.key": to_pem(it.responder_key),
        "crlnumber": "10\n",
        "ca.cnf": CONFIGURATION.format(directory=directory),
    }
    ends = f"{it.now + 300 * 24 * HOUR:%y%m%d%H%M%S}Z"
    revoked = f"{it.now - HOUR:%y%m%d%H%M%S}Z,keyCompromise"
    rows = [("V", ends, "", it.alice), ("R", ends, revoked, it.bob)]
    files["index.txt"] = "".join(
        f"{state}\t{until}\t{since}\t{_even(certificate.serial_number)}\tunknown\t/CN=x{number}\n"
        for number, (state, until, since, certificate) in enumerate(rows)
    )
    for name, text in files.items():
        (directory / name).write_text(text)


def _even(serial: int) -> str:
    text = f"{serial:X}"
    return text if len(text) % 2 == 0 else f"0{text}"


def openssl(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [required_program("openssl"), *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def succeed(*arguments: str | Path) -> None:
    done = openssl(*arguments)
    assert done.returncode == 0, done.stderr


def report_about(leaf: x509.Certificate, facts: RevocationFacts, policy: RevocationPolicy) -> Report:
    it = world()
    asked = Policy(level=Level.STRICT, revocation=policy)
    return examine(
        leaf, anchors=trust([it.authority.root]), policy=asked, at=datetime.now(UTC),
        intermediates=[it.authority.issuing], facts=facts,
    )  # fmt: skip


LEAF = RevocationPolicy(mode=RevocationMode.REQUIRE, leaf_only=True)


def test_a_list_that_openssl_made_is_accepted(tmp_path: Path) -> None:
    write(tmp_path)
    succeed("ca", "-gencrl", "-config", tmp_path / "ca.cnf", "-out", tmp_path / "made.crl")
    facts = RevocationFacts(crls=(load_crl((tmp_path / "made.crl").read_bytes()),))
    assert report_about(world().alice, facts, LEAF).revocation[0].status is Status.GOOD
    revoked = report_about(world().bob, facts, LEAF)
    assert revoked.revocation[0].status is Status.REVOKED
    assert "(key compromise)" in revoked.fatal[0].finding.message


@pytest.mark.parametrize("signer", ["issuing", "responder"])
def test_responses_that_openssl_made_are_accepted(signer: str, tmp_path: Path) -> None:
    write(tmp_path)
    it, nonce, responses = world(), bytes(range(32)), []
    for certificate in (it.alice, it.bob):
        (tmp_path / "request").write_bytes(build_request(certificate, it.authority.issuing, nonce=nonce))
        succeed(
            "ocsp", "-index", tmp_path / "index.txt", "-CA", tmp_path / "issuing.pem", "-reqin", tmp_path / "request",
            "-rsigner", tmp_path / f"{signer}.pem", "-rkey", tmp_path / f"{signer}.key", "-ndays", "1", "-respout",
            tmp_path / "response",
        )  # fmt: skip
        responses.append((tmp_path / "response").read_bytes())
    facts = RevocationFacts(ocsp_responses=tuple(responses))
    asked = RevocationPolicy(mode=RevocationMode.REQUIRE, leaf_only=True, nonce=nonce, require_nonce=True)
    assert report_about(it.alice, facts, asked).revocation[0].status is Status.GOOD
    assert report_about(it.bob, facts, asked).revocation[0].status is Status.REVOKED
    other = RevocationPolicy(mode=RevocationMode.REQUIRE, leaf_only=True, nonce=bytes(32))
    assert report_about(it.alice, facts, other).revocation[0].status is Status.UNDETERMINED


def made(serials: Sequence[int], *, by_root: bool = False, ended: bool = False) -> bytes:
    it = world()
    begins, ends = (-9, -1) if ended else (-1, 9)
    header = CrlHeader(number=1, this_update=it.now + begins * HOUR, next_update=it.now + ends * HOUR)
    entries = [RevokedEntry(serial, it.now - 5 * HOUR, None) for serial in serials]
    if by_root:
        return build_crl(entries, header, issuer=identity_of(it.authority.root), key=it.authority.root_key)
    return build_crl(entries, header, issuer=it.authority.issuer, key=it.authority.key)


def forged(issuer: x509.Certificate) -> bytes:
    """An empty list in the issuer's name, signed with a key of somebody else's."""
    now = world().now
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.subject).last_update(now - HOUR)
    builder = builder.next_update(now + 9 * HOUR).add_extension(x509.CRLNumber(2), critical=False)
    return builder.sign(new_key(), hashes.SHA256()).public_bytes(Encoding.DER)


def lists_of(case: str) -> list[bytes]:
    it = world()
    issuing, bob = it.authority.issuing.serial_number, it.bob.serial_number
    root = made([], by_root=True)
    return {
        "both lists": [made([bob]), root],
        "no list of the root": [made([bob])],
        "no list of the issuing CA": [root],
        "no list": [],
        "the list of the issuing CA ended": [made([bob], ended=True), root],
        "the list of the root ended": [made([bob]), made([], by_root=True, ended=True)],
        "the issuing CA is revoked": [made([bob]), made([issuing], by_root=True)],
        "the list of the issuing CA is forged": [forged(it.authority.issuing), root],
        "the list of the root is forged": [made([bob]), forged(it.authority.root)],
        "everybody is revoked": [made([bob, it.alice.serial_number]), root],
    }[case]


CASES = [
    "both lists", "no list of the root", "no list of the issuing CA", "no list", "the list of the issuing CA ended",
    "the list of the root ended", "the issuing CA is revoked", "the list of the issuing CA is forged",
    "the list of the root is forged", "everybody is revoked",
]  # fmt: skip


@pytest.mark.parametrize("who", ["alice", "bob"])
@pytest.mark.parametrize("case", CASES)
def test_openssl_verify_with_lists_for_every_level_agrees(case: str, who: str, tmp_path: Path) -> None:
    write(tmp_path)
    leaf = world().alice if who == "alice" else world().bob
    (tmp_path / "leaf.pem").write_text(to_pem(leaf))
    lists = lists_of(case)
    arguments: list[str | Path] = ["-CAfile", tmp_path / "root.pem", "-untrusted", tmp_path / "issuing.pem"]
    if lists:
        (tmp_path / "lists.pem").write_text("".join(to_pem(x509.load_der_x509_crl(each)) for each in lists))
        arguments += ["-CRLfile", tmp_path / "lists.pem"]
    theirs = openssl("verify", "-crl_check_all", *arguments, tmp_path / "leaf.pem")
    facts = RevocationFacts(crls=tuple(load_crl(each) for each in lists))
    ours = report_about(leaf, facts, RevocationPolicy(mode=RevocationMode.REQUIRE))
    assert ours.is_acceptable == (theirs.returncode == 0), (theirs.stderr, ours.fatal)
    assert ours.is_acceptable == (case == "both lists" and who == "alice")


OCSP_CASES = json.loads((CORPUS / "openssl-ocsp.json").read_text()) if CORPUS.exists() else []
# openssl ocsp compares a response's times with the clock on the wall only: what it says of them is left out here.
TIMELESS = [case for case in OCSP_CASES if "stale" not in case["name"]]


def openssl_accepts(case: dict[str, Any], names: list[str], response: Path) -> bool:
    """Whether openssl ocsp verifies the response and finds the leaf good in it."""
    at = datetime.fromisoformat(case["moment"])
    done = openssl(
        "ocsp", "-respin", response, "-issuer", CORPUS / names[1], "-cert", CORPUS / names[0], "-CAfile",
        CORPUS / names[-1], "-verify_other", CORPUS / names[1], "-attime", str(int(at.timestamp())),
    )  # fmt: skip
    said = done.stdout + done.stderr
    return "Response verify OK" in said and "\tThis Update" in said and "good\n" in said


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@pytest.mark.parametrize("case", TIMELESS, ids=lambda case: str(case["name"]))
def test_openssl_ocsp_agrees_about_the_leaf_of_each_case_of_its_corpus(case: dict[str, Any], tmp_path: Path) -> None:
    names = [case["cert"], *case.get("other_certs", []), case["root"]]
    leaf, issuer = (
        read_certificate(x509.load_pem_x509_certificate((CORPUS / name).read_bytes())) for name in names[:2]
    )
    response = base64.b64decode((CORPUS / case["ocsps"][0]).read_bytes())
    (tmp_path / "response").write_bytes(response)
    (ours,) = check_path(
        [leaf], [authority_of(issuer)], facts=RevocationFacts(ocsp_responses=(response,)),
        policy=RevocationPolicy(mode=RevocationMode.REQUIRE, strict=False),
        at=datetime.fromisoformat(case["moment"]), signers=Signers((), lambda _: False),
    )  # fmt: skip
    assert (ours.status is Status.GOOD) == openssl_accepts(case, names, tmp_path / "response"), ours.findings
