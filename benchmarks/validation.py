"""Validation of one chain, parsing included: CPU time beside cryptography's own verifier and pyhanko-certvalidator.

Every round validates another leaf of the same CA, as a server does. The trust store is made once, as all three allow.
The bar: P-256 with an intermediate within 1.25 times of cryptography's verifier, at least 6 times faster than
pyhanko-certvalidator; with revocation from a loaded CRL of a million entries at most 10 µs more."""

import asyncio
import importlib
import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, mldsa, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from benchmarks._report import Table
from handfast.pki.crl import CrlHeader, RevokedEntry, build_crl
from handfast.pki.issuer_identity import identity_of
from handfast.pki.keys import PrivateKey
from handfast.validate import Policy, TrustAnchor, purpose_named, validate
from handfast.validate.revocation import LoadedCRL, RevocationFacts, RevocationMode, RevocationPolicy, load_crl

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
SERIES = 9
Question = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Chain:
    """A root, the intermediates in DER, leaves in DER to go through; the keys of the root and the leaves' issuer."""

    root: x509.Certificate
    root_key: PrivateKey
    issuer: x509.Certificate
    issuer_key: PrivateKey
    sent: list[bytes]
    leaves: list[bytes]


def measure(folder: Path, *, quick: bool) -> list[Table]:
    """Microseconds of CPU for each kind of key and depth, then with revocation."""
    _ = folder
    rounds = 20 if quick else 300
    table = Table("One chain, parsed and validated", ("key and depth", "who", "CPU µs", "of cryptography's"))
    for label, make, depth in (
        ("P-256, depth 2", lambda: ec.generate_private_key(ec.SECP256R1()), 2),
        ("P-256, depth 3", lambda: ec.generate_private_key(ec.SECP256R1()), 3),
        ("RSA-2048, depth 3", lambda: rsa.generate_private_key(65537, 2048), 3),
        ("ML-DSA-44, depth 3", mldsa.MLDSA44PrivateKey.generate, 3),
    ):
        chain = make_chain(make, depth, 10 if quick else 100)
        figures = interleaved({name: ask(chain) for name, ask in CONTENDERS.items() if fits(name, label)}, rounds)
        for name, seconds in figures.items():
            table.add(label, name, f"{seconds * 1e6:.0f}", f"{seconds / figures['cryptography']:.2f}")
    if importlib.util.find_spec("pyhanko_certvalidator") is None:
        table.notes.append("pyhanko-certvalidator is not installed (`uv pip install --group bench`): not measured.")
    return [table, revocation(quick=quick)]


def fits(name: str, label: str) -> bool:
    """pyhanko-certvalidator is measured where it is installed, on what it supports."""
    return name != "pyhanko" or (
        importlib.util.find_spec("pyhanko_certvalidator") is not None and not label.startswith("ML-DSA")
    )


def interleaved(questions: dict[str, Question], rounds: int) -> dict[str, float]:
    """Seconds of CPU for one answer: the best of several series, the contenders in turn within each."""
    best = dict.fromkeys(questions, float("inf"))
    for _ in range(SERIES):
        for name, question in questions.items():
            started = time.process_time()
            for _ in range(rounds):
                question()
            best[name] = min(best[name], (time.process_time() - started) / rounds)
    return best


def make_chain(make: Callable[[], Any], depth: int, leaves: int) -> Chain:
    """Certificates as a TLS client has them, `depth` counting root and leaf."""
    root_key: Any = make()
    key = root_key
    root = issuer = certify("root", key, None, key, is_ca=True)
    sent: list[bytes] = []
    for number in range(depth - 2):
        below = make()
        issuer = certify(f"ca{number}", below, issuer, key, is_ca=True)
        sent.insert(0, issuer.public_bytes(Encoding.DER))
        key = below
    leaf_key = make()
    made = [certify(f"leaf{number}", leaf_key, issuer, key, is_ca=False) for number in range(leaves)]
    return Chain(root, root_key, issuer, key, sent, [leaf.public_bytes(Encoding.DER) for leaf in made])


def certify(name: str, key: Any, issuer: x509.Certificate | None, signer: Any, *, is_ca: bool) -> x509.Certificate:
    """One certificate; no issuer makes it self-signed."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage = dict.fromkeys((
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    ), False)  # fmt: skip
    usage |= {"key_cert_sign": True, "crl_sign": True} if is_ca else {"digital_signature": True}
    builder = x509.CertificateBuilder(
        issuer.subject if issuer else subject,
        subject,
        key.public_key(),
        x509.random_serial_number(),
        NOW - DAY,
        NOW + DAY,
    )
    builder = builder.add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
    builder = builder.add_extension(x509.KeyUsage(**usage), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    builder = builder.add_extension(identifier, critical=False)
    if not is_ca:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(f"{name}.example")]), critical=False)
    without_hash = isinstance(signer, mldsa.MLDSA44PrivateKey)
    return builder.sign(signer, None if without_hash else hashes.SHA256())


def by_cryptography(chain: Chain) -> Question:
    """`ClientVerifier` with its defaults."""
    store, leaves = verification.Store([chain.root]), cycle(chain.leaves)
    read = x509.load_der_x509_certificate

    def ask() -> object:
        verifier = verification.PolicyBuilder().store(store).time(NOW.replace(tzinfo=None)).build_client_verifier()
        return verifier.verify(read(next(leaves)), [read(each) for each in chain.sent])

    return ask


def by_handfast(chain: Chain) -> Question:
    """`validate` at the strict level."""
    policy, anchors = Policy(purpose=purpose_named("client")), [TrustAnchor.of(chain.root)]
    leaves = cycle(chain.leaves)
    return lambda: validate(next(leaves), anchors=anchors, policy=policy, at=NOW, intermediates=chain.sent)


def by_pyhanko(chain: Chain) -> Question:
    """`CertificateValidator.async_validate_usage`, without revocation."""
    library = importlib.import_module("pyhanko_certvalidator")
    read = importlib.import_module("asn1crypto.x509").Certificate.load
    root, leaves, loop = read(chain.root.public_bytes(Encoding.DER)), cycle(chain.leaves), asyncio.new_event_loop()

    def ask() -> object:
        context = library.ValidationContext(trust_roots=[root], moment=NOW, allow_fetching=False)
        sent = [read(each) for each in chain.sent]
        validator = library.CertificateValidator(read(next(leaves)), sent, validation_context=context)
        return loop.run_until_complete(validator.async_validate_usage({"digital_signature"}, {"client_auth"}))

    return ask


CONTENDERS: dict[str, Callable[[Chain], Question]] = {
    "cryptography": by_cryptography,
    "handfast": by_handfast,
    "pyhanko": by_pyhanko,
}


def revocation(*, quick: bool) -> Table:
    """The leaf looked up in a loaded CRL, beside the same validation without."""
    entries = 10_000 if quick else 1_000_000
    chain = make_chain(lambda: ec.generate_private_key(ec.SECP256R1()), 3, 50)
    crls = (crl_of(chain.issuer, chain.issuer_key, entries), crl_of(chain.root, chain.root_key, 1))
    anchors, facts, leaves = [TrustAnchor.of(chain.root)], RevocationFacts(crls=crls), cycle(chain.leaves)
    required = RevocationPolicy(mode=RevocationMode.REQUIRE)
    plain, asking = (
        Policy(purpose=purpose_named("client"), revocation=each)
        for each in (RevocationPolicy(mode=RevocationMode.NONE), required)
    )
    figures = interleaved(
        {
            "without": lambda: validate(next(leaves), anchors=anchors, policy=plain, at=NOW, intermediates=chain.sent),
            "with": lambda: validate(
                next(leaves), anchors=anchors, policy=asking, at=NOW, intermediates=chain.sent, facts=facts
            ),
        },
        20 if quick else 300,
    )
    table = Table(f"P-256, depth 3, a loaded CRL of {entries:,} entries", ("revocation", "CPU µs"))
    for name, seconds in figures.items():
        table.add(name, f"{seconds * 1e6:.0f}")
    table.add("difference", f"{(figures['with'] - figures['without']) * 1e6:.1f}")
    return table


def crl_of(issuer: x509.Certificate, key: PrivateKey, entries: int) -> LoadedCRL:
    """A CRL with that many entries, none of them of a certificate that is asked about."""
    header = CrlHeader(number=1, this_update=NOW - DAY, next_update=NOW + DAY)
    revoked = (RevokedEntry(serial=(number << 96) + 12345, revoked_at=NOW - DAY) for number in range(1, entries + 1))
    return load_crl(build_crl(revoked, header, issuer=identity_of(issuer), key=key))
