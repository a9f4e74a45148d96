"""What the fuzzers feed the validator: real objects, mutated. Any bytes give a report or an error of ours.

The short run is test_validator_fuzz.py; the long one is scripts/fuzz.
"""

import base64
import json
import lzma
import random
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import cryptography_vectors
from cryptography.utils import CryptographyDeprecationWarning

from handfast.errors import HandfastError
from handfast.pki.names import parse_name
from handfast.pki.pem import read
from handfast.validate import Level, Policy, TrustAnchor, examine, read_certificate
from handfast.validate.policy import PURPOSES
from handfast.validate.revocation import (
    RevocationFacts,
    RevocationMode,
    RevocationPolicy,
    Signers,
    authority_of,
    check_path,
    load_crl,
    load_response,
)

VECTORS = Path(cryptography_vectors.__file__).parent / "x509"
SHARED = Path(__file__).parents[3] / "shared" / "vectors"
AT = datetime(2015, 1, 1, tzinfo=UTC)
REQUIRE = RevocationPolicy(mode=RevocationMode.REQUIRE)
NAMES = (
    "example.com",
    "*.example.com",
    "192.0.2.1",
    "2001:db8::1",
    "[::1]",
    "a@example.com",
    "spiffe://x/y",
    "dns:a",
    "é.example",
)

warnings.filterwarnings("ignore", category=CryptographyDeprecationWarning)


@lru_cache(maxsize=1)
def pkits() -> tuple[dict[str, bytes], dict[str, bytes]]:
    """The certificates and the CRLs of NIST's PKITS by file name."""
    data = VECTORS / "PKITS_data"
    return tuple({f.name: f.read_bytes() for f in sorted((data / kind).iterdir())} for kind in ("certs", "crls"))  # type: ignore[return-value]  # a pair


@lru_cache(maxsize=1)
def facts() -> RevocationFacts:
    """Every tenth CRL of PKITS, loaded."""
    return RevocationFacts(crls=tuple(load_crl(data) for data in list(pkits()[1].values())[::10]))


@lru_cache(maxsize=1)
def anchors() -> tuple[TrustAnchor, ...]:
    return (TrustAnchor.of(pkits()[0]["TrustAnchorRootCertificate.crt"]),)


def seeds() -> dict[str, list[bytes]]:
    """Objects to start from, for each of the targets."""
    certificates, crls = pkits()
    ocsp = [f.read_bytes() for f in sorted((VECTORS / "ocsp").glob("*.der"))]
    ocsp += [base64.b64decode(f.read_bytes()) for f in sorted((SHARED / "openssl-ocsp").glob("*.ors"))]
    own = SHARED / "limbo-own.json.xz"
    chains = list(certificates.values())
    if own.exists():
        cases = json.loads(lzma.decompress(own.read_bytes()))["testcases"]
        chains += [_der(case["peer_certificate"]) for case in cases]
    custom = [_try_der(f.read_bytes()) for f in sorted((VECTORS / "custom").glob("*.pem"))]
    chains += [data for data in custom if data]
    return {"chain": chains, "crl": list(crls.values()), "ocsp": ocsp, "name": [name.encode() for name in NAMES]}


def _der(pem: str) -> bytes:
    return base64.b64decode("".join(pem.split("-----")[2].split()))


def _try_der(pem: bytes) -> bytes:
    text = pem.decode("latin-1")
    return _der(text) if "BEGIN CERTIFICATE-" in text else b""


def fuzz_chain(data: bytes) -> None:
    """As a leaf, as an intermediate and as an anchor: examine() never raises."""
    level = list(Level)[len(data) % 3]
    purpose = list(PURPOSES.values())[len(data) % len(PURPOSES)]
    policy = Policy(level=level, purpose=purpose, revocation=REQUIRE)
    certificates = pkits()[0]
    middle = [certificates["GoodCACert.crt"], certificates["nameConstraintsDN1CACert.crt"], data]
    examine(data, anchors=anchors(), policy=policy, at=AT, intermediates=middle, facts=facts())
    leaf = certificates["ValidCertificatePathTest1EE.crt"]
    examine(leaf, anchors=anchors(), policy=policy, at=AT, intermediates=[data], facts=facts())
    try:
        anchor = TrustAnchor.of(data)
    except HandfastError:
        return
    examine(leaf, anchors=[anchor], policy=policy, at=AT, intermediates=[data], facts=facts())


def fuzz_crl(data: bytes) -> None:
    """As the only list about a good chain, judged without a signature's help: every entry is looked at."""
    try:
        loaded = load_crl(data)
        loaded.index.find(1)
    except HandfastError:
        return
    root, good = (read_certificate(pkits()[0][name]) for name in ("TrustAnchorRootCertificate.crt", "GoodCACert.crt"))
    leaf = read_certificate(pkits()[0]["ValidCertificatePathTest1EE.crt"])
    issuers = [authority_of(good), authority_of(root)]
    # What a signature would hide from the fuzzer counts as verified.
    loaded.verified.update({issuer.identity: True for issuer in issuers})
    given, signers = RevocationFacts(crls=(loaded,)), Signers((good, root), lambda _: True)
    check_path([leaf, good], issuers, facts=given, policy=REQUIRE, at=AT, signers=signers)


def fuzz_ocsp(data: bytes) -> None:
    """As the only response about a good chain."""
    try:
        load_response(data)
    except HandfastError:
        pass
    root, good = (read_certificate(pkits()[0][name]) for name in ("TrustAnchorRootCertificate.crt", "GoodCACert.crt"))
    given = RevocationFacts(ocsp_responses=(data,))
    signers = Signers((good, root), lambda _: True)
    check_path([good], [authority_of(root)], facts=given, policy=REQUIRE, at=AT, signers=signers)


def fuzz_name(data: bytes) -> None:
    """As a name that a user types, and as a heap of PEM."""
    for reader in (lambda: parse_name(data.decode("utf-8", "replace")), lambda: read(data)):
        try:
            reader()
        except HandfastError:
            continue


TARGETS: dict[str, Callable[[bytes], None]] = {
    "chain": fuzz_chain,
    "crl": fuzz_crl,
    "ocsp": fuzz_ocsp,
    "name": fuzz_name,
}


@dataclass(frozen=True, slots=True)
class Mutator:
    """Changes that keep DER mostly whole, so that they get past the first check."""

    choice: random.Random

    def mutate(self, data: bytes, others: Sequence[bytes]) -> bytes:
        """A changed copy."""
        out = bytearray(data)
        for _ in range(self.choice.choice((1, 1, 1, 2, 4))):
            self.choice.choice((self._flip, self._set, self._grow, self._cut, self._splice))(out, others)
        return bytes(out)

    def _place(self, out: bytearray) -> int:
        return self.choice.randrange(len(out)) if out else 0

    def _flip(self, out: bytearray, _: Sequence[bytes]) -> None:
        if out:
            out[self._place(out)] ^= 1 << self.choice.randrange(8)

    def _set(self, out: bytearray, _: Sequence[bytes]) -> None:
        if out:
            out[self._place(out)] = self.choice.choice(
                (0, 1, 0x7F, 0x80, 0xFF, 0x30, 0x31, 0x02, 0x06, 0x0C, 0x13, 0xA0)
            )

    def _grow(self, out: bytearray, _: Sequence[bytes]) -> None:
        at = self._place(out)
        out[at:at] = bytes(self.choice.randrange(256) for _ in range(self.choice.choice((1, 2, 8))))

    def _cut(self, out: bytearray, _: Sequence[bytes]) -> None:
        at = self._place(out)
        del out[at : at + self.choice.choice((1, 2, 16))]

    def _splice(self, out: bytearray, others: Sequence[bytes]) -> None:
        """Another object's bytes in place of as many of ours: lengths stay right more often than not."""
        other = self.choice.choice(others)
        at, size = self._place(out), self.choice.choice((4, 16, 64))
        start = self.choice.randrange(len(other)) if other else 0
        part = other[start : start + size]
        out[at : at + len(part)] = part
