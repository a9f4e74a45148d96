"""PKCS#12 in both flavours: what is inside, and what is refused."""

import pytest

from handfast.errors import ConfigError
from handfast.pki.keys import KeyKind
from handfast.pki.pem import read
from handfast.pki.pkcs12 import Flavour, build_pkcs12
from tests.pki_factory import authority_of, key_of

# Object identifiers as they stand in the DER.
AES_256_CBC = bytes.fromhex("060960864801650304012a")
SHA_256 = bytes.fromhex("0609608648016503040201")
TRIPLE_DES = bytes.fromhex("060a2a864886f70d010c0103")
SHA_1 = bytes.fromhex("06052b0e03021a")


def build(flavour: Flavour, kind: KeyKind = KeyKind.P256, password: bytes = b"pw") -> bytes:
    key, authority = key_of(kind), authority_of()
    certificate = authority.issue("client", key=key)
    chain = authority.chain
    return build_pkcs12(key, certificate, chain, password=password, friendly_name="älice", flavour=flavour)


@pytest.mark.parametrize("flavour", Flavour)
@pytest.mark.parametrize("kind", [KeyKind.P256, KeyKind.RSA2048, KeyKind.ED25519])
def test_what_goes_in_comes_out(flavour: Flavour, kind: KeyKind) -> None:
    contents = read(build(flavour, kind), password=b"pw")
    assert contents.keys[0].public_key() == contents.certificates[0].public_key()
    assert contents.certificates[1:] == tuple(authority_of().chain)


def test_the_modern_flavour_is_aes_with_sha_256_and_nothing_older() -> None:
    data = build(Flavour.MODERN)
    assert AES_256_CBC in data
    assert SHA_256 in data
    assert TRIPLE_DES not in data
    assert SHA_1 not in data


def test_the_legacy_flavour_is_what_old_apple_and_windows_accept() -> None:
    data = build(Flavour.LEGACY)
    assert TRIPLE_DES in data
    assert SHA_1 in data
    assert AES_256_CBC not in data


def test_an_empty_password_is_refused() -> None:
    with pytest.raises(ConfigError, match="needs a password"):
        build(Flavour.MODERN, password=b"")


def test_an_ml_dsa_key_is_refused() -> None:
    with pytest.raises(ConfigError, match="ML-DSA"):
        build(Flavour.MODERN, KeyKind.ML_DSA_44)


def test_a_key_of_another_certificate_is_refused() -> None:
    certificate = authority_of().issue("client")
    with pytest.raises(ConfigError, match="does not belong"):
        build_pkcs12(key_of(KeyKind.P384), certificate, password=b"x", friendly_name="a")
