"""Every built-in profile, with several kinds of key, before openssl, Python's ssl, cryptography and pkilint."""

import ssl
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import verification
from pkilint import loader, pkix, validation  # type: ignore[import-untyped]  # it has no types
from pkilint.bin import (  # type: ignore[import-untyped]  # it has no types
    lint_pkix_signer_signee_cert_chain as lint_chain,
)
from pkilint.pkix import certificate as lint_certificate  # type: ignore[import-untyped]  # it has no types
from pkilint.pkix import crl as lint_crl
from pkilint.pkix import extension as lint_extension
from pkilint.pkix import name as lint_name

from handfast.pki import oids
from handfast.pki.crl import CrlHeader, RevokedEntry, build_crl
from handfast.pki.keys import KeyKind
from handfast.pki.pem import to_pem
from handfast.pki.profile import BUILT_IN
from tests.pki_factory import DAY, Authority, key_of, new_authority
from tests.programs import required_program

NAMES = {
    "server": ["www.example.com", "*.example.com", "192.0.2.1", "2001:db8::1", "bücher.example"],
    "client": ["alice@example.com"],
    "device": ["printer.example.com", "urn:example:printer-7"],
    "peer": ["node1.example.com", "spiffe://example.com/node1"],
    "email": ["alice@example.com"],
    "document-signing": [],
    "ocsp": [],
    "ra": ["ra.example.com"],
}
SUBJECTS = {"server": "", "peer": "CN=node1.example.com", "ocsp": "CN=OCSP responder,O=Example"}
PURPOSES = {
    "server": ["sslserver"],
    "client": ["sslclient"],
    "device": ["sslclient"],
    "peer": ["sslserver", "sslclient"],
    "email": ["smimesign"],
    "document-signing": ["any"],
    "ocsp": ["ocsphelper"],
    "ra": ["sslclient"],
}
USAGES = {
    "email": oids.EMAIL_PROTECTION,
    "document-signing": oids.DOCUMENT_SIGNING,
    "ocsp": oids.OCSP_SIGNING,
}
KEYS = [KeyKind.P256, KeyKind.P384, KeyKind.P521, KeyKind.ED25519, KeyKind.RSA2048]
CA_KEYS = [KeyKind.P256, KeyKind.ED25519, KeyKind.RSA2048]
POST_QUANTUM = [KeyKind.ML_DSA_44, KeyKind.ML_DSA_65, KeyKind.ML_DSA_87]


@cache
def authority(kind: KeyKind) -> Authority:
    return new_authority(kind, now=datetime.now(UTC))


@cache
def leaf(profile: str, kind: KeyKind, ca_kind: KeyKind = KeyKind.P256) -> x509.Certificate:
    subject = SUBJECTS.get(profile, "CN=alice,O=Example,C=DE")
    return authority(ca_kind).issue(profile, subject=subject, names=NAMES[profile], key=key_of(kind))


def pairs() -> Iterator[tuple[KeyKind, KeyKind]]:
    """The CA's kind of key and the leaf's: each kind of leaf under P-256, and each kind of CA over itself."""
    yield from ((KeyKind.P256, kind) for kind in KEYS)
    yield from ((kind, kind) for kind in CA_KEYS[1:])


def test_every_built_in_leaf_profile_is_here() -> None:
    assert set(NAMES) == {name for name, profile in BUILT_IN.items() if not profile.is_ca}
    assert set(PURPOSES) == set(NAMES)


@pytest.fixture(scope="module")
def openssl() -> str:
    return required_program("openssl")


def crl_of(chain: Authority, *revoked: int) -> bytes:
    header = CrlHeader(number=1, this_update=chain.now, next_update=chain.now + 7 * DAY)
    entries = [RevokedEntry(one, chain.now, x509.ReasonFlags.key_compromise) for one in revoked]
    return build_crl(entries, header, issuer=chain.issuer, key=chain.key)


@pytest.mark.parametrize("ca_kind", CA_KEYS)
def test_openssl_accepts_every_profile_with_x509_strict(openssl: str, tmp_path: Path, ca_kind: KeyKind) -> None:
    chain = authority(ca_kind)
    (tmp_path / "root.pem").write_text(to_pem(chain.root))
    (tmp_path / "issuing.pem").write_text(to_pem(chain.issuing))
    crl = x509.load_der_x509_crl(crl_of(chain, 1))
    (tmp_path / "crl.pem").write_text(to_pem(crl))
    by_purpose: dict[str, list[str]] = {}
    for profile, purposes in PURPOSES.items():
        for kind in KEYS if ca_kind is KeyKind.P256 else [ca_kind]:
            file = tmp_path / f"{profile}-{kind}.pem"
            file.write_text(to_pem(leaf(profile, kind, ca_kind)))
            for purpose in purposes:
                by_purpose.setdefault(purpose, []).append(str(file))
    common = ["-x509_strict", "-crl_check", "-CRLfile", "crl.pem", "-CAfile", "root.pem", "-untrusted", "issuing.pem"]
    for purpose, files in by_purpose.items():
        command = [openssl, "verify", *common, "-purpose", purpose, *files]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count(": OK") == len(files)


def test_openssl_refuses_the_wrong_purpose_and_the_revoked(openssl: str, tmp_path: Path) -> None:
    chain, revoked = authority(KeyKind.P256), leaf("client", KeyKind.P256)
    (tmp_path / "root.pem").write_text(to_pem(chain.root))
    (tmp_path / "issuing.pem").write_text(to_pem(chain.issuing))
    (tmp_path / "leaf.pem").write_text(to_pem(revoked))
    (tmp_path / "crl.pem").write_text(to_pem(x509.load_der_x509_crl(crl_of(chain, revoked.serial_number))))
    common = [openssl, "verify", "-CAfile", "root.pem", "-untrusted", "issuing.pem"]
    for more, said in (
        (["-purpose", "sslserver"], "unsuitable certificate purpose"),
        (["-purpose", "smimesign"], "unsuitable certificate purpose"),
        (["-crl_check", "-CRLfile", "crl.pem"], "certificate revoked"),
    ):
        command = [*common, *more, "leaf.pem"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode != 0
        assert said in done.stderr


@pytest.mark.parametrize("kind", CA_KEYS)
def test_openssl_verifies_a_crl(openssl: str, tmp_path: Path, kind: KeyKind) -> None:
    chain = authority(kind)
    (tmp_path / "issuing.pem").write_text(to_pem(chain.issuing))
    (tmp_path / "crl.der").write_bytes(crl_of(chain, 1, 2**159 - 1))
    command = [openssl, "crl", "-inform", "DER", "-in", "crl.der", "-CAfile", "issuing.pem", "-noout", "-text"]
    done = subprocess.run([*command, "-verify"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "verify OK" in done.stderr
    assert "Key Compromise" in done.stdout


def context(side: ssl._SSLMethod, profile: str, kind: KeyKind, chain: Authority, directory: Path) -> ssl.SSLContext:
    made = ssl.SSLContext(side)
    file = directory / f"{profile}-{kind}.pem"
    file.write_text(to_pem(key_of(kind)) + to_pem(leaf(profile, kind)) + to_pem(chain.issuing))
    made.load_cert_chain(file)
    made.load_verify_locations(cadata=to_pem(chain.root))
    made.verify_mode = ssl.CERT_REQUIRED
    made.verify_flags |= ssl.VERIFY_X509_STRICT
    return made


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname=name)
    far = server.wrap_bio(to_server, to_client, server_side=True)
    waiting = [near, far]
    for _ in range(10):
        for end in list(waiting):
            try:
                end.do_handshake()
                waiting.remove(end)
            except ssl.SSLWantReadError:
                continue
    assert not waiting
    return near, far


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize(
    ("server", "client", "name"),
    [
        ("server", "client", "www.example.com"),
        ("server", "device", "any.example.com"),
        ("server", "ra", "2001:db8::1"),
        ("peer", "peer", "node1.example.com"),
    ],
)
def test_pythons_ssl_accepts_both_ends_with_x509_strict(
    tmp_path: Path, kind: KeyKind, server: str, client: str, name: str
) -> None:
    chain = authority(KeyKind.P256)
    visitor = context(ssl.PROTOCOL_TLS_CLIENT, client, kind, chain, tmp_path)
    host = context(ssl.PROTOCOL_TLS_SERVER, server, kind, chain, tmp_path)
    near, far = shake_hands(visitor, host, name)
    assert near.getpeercert(True) == leaf(server, kind).public_bytes(Encoding.DER)
    assert far.getpeercert(True) == leaf(client, kind).public_bytes(Encoding.DER)


@pytest.mark.parametrize(("server", "client"), [("client", "client"), ("server", "server"), ("server", "email")])
def test_pythons_ssl_refuses_a_certificate_in_the_wrong_role(tmp_path: Path, server: str, client: str) -> None:
    chain = authority(KeyKind.P256)
    visitor = context(ssl.PROTOCOL_TLS_CLIENT, client, KeyKind.P256, chain, tmp_path)
    visitor.check_hostname = False
    host = context(ssl.PROTOCOL_TLS_SERVER, server, KeyKind.P256, chain, tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError, match="certificate verify failed"):
        shake_hands(visitor, host, "www.example.com")


def verifier(chain: Authority) -> verification.PolicyBuilder:
    return verification.PolicyBuilder().store(verification.Store([chain.root]))


@pytest.mark.parametrize("kind", [kind for kind in KeyKind if kind not in {KeyKind.RSA3072, KeyKind.RSA4096}])
def test_cryptography_accepts_servers_and_clients_by_its_defaults(kind: KeyKind) -> None:
    ca_kind = KeyKind.P256 if kind is KeyKind.ED25519 else kind
    chain = authority(ca_kind)
    for profile in ("server", "peer"):
        name = x509.DNSName(NAMES[profile][0])
        built = verifier(chain).build_server_verifier(name)
        assert built.verify(leaf(profile, kind, ca_kind), [chain.issuing])[-1] == chain.root
    for profile in ("client", "device", "peer", "ra"):
        verified = verifier(chain).build_client_verifier().verify(leaf(profile, kind, ca_kind), [chain.issuing])
        assert len(verified.chain) == 3


@pytest.mark.parametrize("profile", USAGES)
@pytest.mark.parametrize("kind", [KeyKind.P256, KeyKind.ED25519, KeyKind.RSA2048, KeyKind.ML_DSA_65])
def test_cryptography_accepts_the_other_usages_when_it_is_asked_for_them(profile: str, kind: KeyKind) -> None:
    def has_usage(policy: verification.Policy, certificate: x509.Certificate, extension: x509.ExtendedKeyUsage) -> None:
        del policy, certificate
        if USAGES[profile] not in extension:
            msg = "another usage"
            raise ValueError(msg)

    ee_policy = verification.ExtensionPolicy.permit_all()
    ee_policy = ee_policy.require_present(x509.ExtendedKeyUsage, verification.Criticality.AGNOSTIC, has_usage)
    ca_policy = verification.ExtensionPolicy.webpki_defaults_ca()
    chain = authority(KeyKind.P256)
    builder = verifier(chain).extension_policies(ca_policy=ca_policy, ee_policy=ee_policy)
    builder.build_client_verifier().verify(leaf(profile, kind), [chain.issuing])
    with pytest.raises(verification.VerificationError):
        builder.build_client_verifier().verify(leaf("client", kind), [chain.issuing])


def test_cryptography_refuses_a_client_as_a_server() -> None:
    chain = authority(KeyKind.P256)
    with pytest.raises(verification.VerificationError):
        verifier(chain).build_server_verifier(x509.DNSName("a.example")).verify(
            leaf("client", KeyKind.P256), [chain.issuing]
        )


_SEVERITIES = validation.ValidationFindingSeverity
_WORTH_SAYING = {_SEVERITIES.WARNING, _SEVERITIES.ERROR, _SEVERITIES.FATAL}


def errors_in(results: list[validation.ValidationResult]) -> list[str]:
    return [
        f"{finding.finding.code}: {finding.message}"
        for result in results
        for finding in result.finding_descriptions
        if finding.finding.severity in _WORTH_SAYING
    ]


# pkilint reads RFC 5280 alone, which knows no wildcards (RFC 9525 does), and URIs as those of the web.
NOT_WRONG = (
    'pkix.invalid_domain_name_syntax: Invalid domain name syntax: "*.example.com"',
    'pkix.invalid_uri_syntax: Invalid URI syntax: "urn:example:',
    'pkix.invalid_uri_syntax: Invalid URI syntax: "spiffe://',
)


@cache
def certificate_linter() -> validation.ValidatorContainer:
    return lint_certificate.create_pkix_certificate_validator_container(
        lint_certificate.create_decoding_validators(
            lint_name.ATTRIBUTE_TYPE_MAPPINGS, lint_extension.EXTENSION_MAPPINGS
        ),
        [
            lint_certificate.create_issuer_validator_container([]),
            lint_certificate.create_validity_validator_container(),
            lint_certificate.create_subject_validator_container([]),
            lint_certificate.create_extensions_validator_container([]),
            lint_certificate.create_spki_validator_container([]),
        ],
    )


def lint(certificate: x509.Certificate) -> list[str]:
    document = loader.RFC5280CertificateDocumentLoader().load_der_document(certificate.public_bytes(Encoding.DER), "x")
    found = errors_in(certificate_linter().validate(document.root))
    return [error for error in found if not error.startswith(NOT_WRONG)]


@pytest.mark.parametrize("profile", NAMES)
def test_pkilint_finds_nothing_wrong_with_a_leaf(profile: str) -> None:
    for ca_kind, kind in [*pairs(), *((kind, kind) for kind in POST_QUANTUM)]:
        assert lint(leaf(profile, kind, ca_kind)) == [], f"{profile} {kind} under {ca_kind}"


@pytest.mark.parametrize("kind", [*CA_KEYS, *POST_QUANTUM])
def test_pkilint_finds_nothing_wrong_with_a_ca(kind: KeyKind) -> None:
    assert lint(authority(kind).root) == []
    assert lint(authority(kind).issuing) == []


@pytest.mark.parametrize("kind", [KeyKind.P256, KeyKind.RSA2048])
def test_pkilint_finds_nothing_wrong_between_issuer_and_subject(kind: KeyKind) -> None:
    chain = authority(kind)
    links = [(chain.root, chain.root), (chain.root, chain.issuing)]
    links += [(chain.issuing, leaf(profile, kind, kind)) for profile in NAMES]
    for issuer, subject in links:
        documents: dict[str, Any] = {}
        for name, one in (("issuer", issuer), ("subject", subject)):
            documents[name] = loader.RFC5280CertificateDocumentLoader().load_der_document(
                one.public_bytes(Encoding.DER), name, name, documents
            )
        decoders = lint_chain.create_decoder_validation_container()
        results = decoders.validate(documents["issuer"].root) + decoders.validate(documents["subject"].root)
        results += lint_chain.create_issuer_validation_container().validate(documents["issuer"].root)
        results += lint_chain.create_subject_validation_container().validate(documents["subject"].root)
        assert errors_in(results) == [], subject.subject


@pytest.mark.parametrize("kind", [*CA_KEYS, *POST_QUANTUM])
def test_pkilint_finds_nothing_wrong_with_a_crl(kind: KeyKind) -> None:
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
    for revoked in ((), (1, 2**159 - 1)):
        data = crl_of(authority(kind), *revoked)
        document = loader.RFC5280CertificateListDocumentLoader().load_der_document(data, "crl")
        assert errors_in(linter.validate(document.root)) == []


def test_pkilint_finds_what_is_wrong_when_something_is() -> None:
    chain = authority(KeyKind.P256)
    draft = chain.draft("client")
    without = [one for one in draft.extensions if not isinstance(one.value, x509.AuthorityKeyIdentifier)]
    builder = draft.builder()
    builder._extensions = without
    certificate = builder.sign(chain.key, draft.signature_hash)  # type: ignore[arg-type]  # a P-256 key's hash
    assert any("authority_key_identifier" in error for error in lint(certificate))


@pytest.mark.parametrize(("profile", "purpose"), [("email", "smimesign"), ("document-signing", "any")])
@pytest.mark.parametrize("kind", [KeyKind.P256, KeyKind.RSA2048])
def test_openssl_signs_and_verifies_cms(
    openssl: str, tmp_path: Path, profile: str, purpose: str, kind: KeyKind
) -> None:
    chain = authority(KeyKind.P256)
    (tmp_path / "leaf.pem").write_text(to_pem(leaf(profile, kind)))
    (tmp_path / "leaf.key").write_text(to_pem(key_of(kind)))
    (tmp_path / "root.pem").write_text(to_pem(chain.root))
    (tmp_path / "issuing.pem").write_text(to_pem(chain.issuing))
    (tmp_path / "text").write_text("agreed\n")
    sign = "cms -sign -in text -signer leaf.pem -inkey leaf.key -certfile issuing.pem -nodetach -out signed.eml"
    verify = f"cms -verify -in signed.eml -CAfile root.pem -purpose {purpose} -x509_strict -out verified"
    for command in (sign, verify):
        done = subprocess.run([openssl, *command.split()], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "verified").read_text().split() == ["agreed"]


def test_openssl_refuses_mail_signed_by_a_client_certificate(openssl: str, tmp_path: Path) -> None:
    chain = authority(KeyKind.P256)
    (tmp_path / "leaf.pem").write_text(to_pem(leaf("client", KeyKind.P256)) + to_pem(key_of(KeyKind.P256)))
    (tmp_path / "chain.pem").write_text(to_pem(chain.root) + to_pem(chain.issuing))
    (tmp_path / "text").write_text("agreed\n")
    sign = "cms -sign -in text -signer leaf.pem -nodetach -out signed.eml"
    verify = "cms -verify -in signed.eml -CAfile chain.pem -purpose smimesign -out verified"
    subprocess.run([openssl, *sign.split()], cwd=tmp_path, capture_output=True, check=True)
    done = subprocess.run([openssl, *verify.split()], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "unsuitable certificate purpose" in done.stderr
