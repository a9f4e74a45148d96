"""New keys, serial numbers and passwords: all the randomness of handfast comes from here."""

import base64
import secrets
from collections.abc import Callable, Mapping

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa

from handfast.pki.keys import KeyKind, PrivateKey

SERIAL_BITS = 159
_PASSWORD_BYTES = 20
_SECRET_BYTES = 32


def generate_key(kind: KeyKind = KeyKind.P256) -> PrivateKey:
    """A new private key. RSA takes a second at 4096 bits; everything else milliseconds."""
    return _MAKERS[kind]()


def new_serial() -> int:
    """A positive serial number of 159 random bits: 20 octets in DER, the most that RFC 5280 allows."""
    return secrets.randbits(SERIAL_BITS) or new_serial()


def new_secret(prefix: str) -> str:
    """256 random bits in URL-safe base64 after the prefix, which says what it is for: in code, in logs, to scanners."""
    return prefix + secrets.token_urlsafe(_SECRET_BYTES)


def random_octets(count: int) -> bytes:
    """That many random octets, for keys and initialization vectors of messages."""
    return secrets.token_bytes(count)


def random_password() -> str:
    """160 random bits in 32 letters and digits that cannot be mistaken for each other, in groups of eight."""
    text = base64.b32encode(secrets.token_bytes(_PASSWORD_BYTES)).decode().lower()
    return "-".join(text[start : start + 8] for start in range(0, len(text), 8))


def _rsa(bits: int) -> Callable[[], PrivateKey]:
    return lambda: rsa.generate_private_key(public_exponent=65537, key_size=bits)


_MAKERS: Mapping[KeyKind, Callable[[], PrivateKey]] = {
    KeyKind.P256: lambda: ec.generate_private_key(ec.SECP256R1()),
    KeyKind.P384: lambda: ec.generate_private_key(ec.SECP384R1()),
    KeyKind.P521: lambda: ec.generate_private_key(ec.SECP521R1()),
    KeyKind.ED25519: ed25519.Ed25519PrivateKey.generate,
    KeyKind.RSA2048: _rsa(2048),
    KeyKind.RSA3072: _rsa(3072),
    KeyKind.RSA4096: _rsa(4096),
    KeyKind.ML_DSA_44: mldsa.MLDSA44PrivateKey.generate,
    KeyKind.ML_DSA_65: mldsa.MLDSA65PrivateKey.generate,
    KeyKind.ML_DSA_87: mldsa.MLDSA87PrivateKey.generate,
}
