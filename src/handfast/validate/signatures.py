"""The signature on a certificate: its algorithm, judged, and the check itself (RFC 4055, 5758, 8410, 9881, 3279)."""

from typing import NamedTuple

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from handfast.errors import Malformed
from handfast.validate.der import INTEGER, NULL, OBJECT_IDENTIFIER, SEQUENCE, dotted, integer, items, malformed
from handfast.validate.memory import remembering

_HASHES: dict[str, hashes.HashAlgorithm] = {
    "md5": hashes.MD5(),  # noqa: S303  # to name it; a rule refuses it at every level
    "sha1": hashes.SHA1(),  # noqa: S303  # to name it; a rule refuses it but at the legacy level
    "sha224": hashes.SHA224(), "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(), "sha512": hashes.SHA512(), "sha3-224": hashes.SHA3_224(), "sha3-256": hashes.SHA3_256(),
    "sha3-384": hashes.SHA3_384(), "sha3-512": hashes.SHA3_512(),
}  # fmt: skip
_SCHEMES = {
    "1.2.840.113549.1.1.4": ("rsa", "md5"),
    "1.2.840.113549.1.1.5": ("rsa", "sha1"),
    "1.3.14.3.2.29": ("rsa", "sha1"),
    "1.2.840.113549.1.1.14": ("rsa", "sha224"),
    "1.2.840.113549.1.1.11": ("rsa", "sha256"),
    "1.2.840.113549.1.1.12": ("rsa", "sha384"),
    "1.2.840.113549.1.1.13": ("rsa", "sha512"),
    "1.2.840.113549.1.1.10": ("rsa-pss", ""),
    "1.2.840.10045.4.1": ("ecdsa", "sha1"),
    "1.2.840.10045.4.3.1": ("ecdsa", "sha224"),
    "1.2.840.10045.4.3.2": ("ecdsa", "sha256"),
    "1.2.840.10045.4.3.3": ("ecdsa", "sha384"),
    "1.2.840.10045.4.3.4": ("ecdsa", "sha512"),
    "2.16.840.1.101.3.4.3.9": ("ecdsa", "sha3-224"),
    "2.16.840.1.101.3.4.3.10": ("ecdsa", "sha3-256"),
    "2.16.840.1.101.3.4.3.11": ("ecdsa", "sha3-384"),
    "2.16.840.1.101.3.4.3.12": ("ecdsa", "sha3-512"),
    "1.2.840.10040.4.3": ("dsa", "sha1"),
    "2.16.840.1.101.3.4.3.1": ("dsa", "sha224"),
    "2.16.840.1.101.3.4.3.2": ("dsa", "sha256"),
    "1.3.101.112": ("ed25519", ""),
    "1.3.101.113": ("ed448", ""),
    "2.16.840.1.101.3.4.3.17": ("ml-dsa-44", ""),
    "2.16.840.1.101.3.4.3.18": ("ml-dsa-65", ""),
    "2.16.840.1.101.3.4.3.19": ("ml-dsa-87", ""),
}
_PSS_HASHES = {
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.4": "sha224",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
_MGF1 = "1.2.840.113549.1.1.8"
_WITHOUT_HASH: dict[str, type] = {
    "ed25519": ed25519.Ed25519PublicKey,
    "ed448": ed448.Ed448PublicKey,
    "ml-dsa-44": mldsa.MLDSA44PublicKey,
    "ml-dsa-65": mldsa.MLDSA65PublicKey,
    "ml-dsa-87": mldsa.MLDSA87PublicKey,
}


class Scheme(NamedTuple):
    """A signature algorithm with its parameters; family is empty for one that is not known.

    problems: what is wrong with it, as pairs of a rule's code and a message.
    """

    family: str
    ecdsa: ec.ECDSA | None = None
    digest: hashes.HashAlgorithm | None = None
    filling: padding.PKCS1v15 | padding.PSS | None = None
    problems: tuple[tuple[str, str], ...] = ()


@remembering(most=256)
def scheme(algorithm: bytes) -> Scheme:
    """The scheme that an AlgorithmIdentifier in DER stands for; never raises."""
    try:
        parts = items(algorithm, SEQUENCE)
        if not parts or parts[0][0] != OBJECT_IDENTIFIER or len(parts) > 2:
            raise malformed("it is not an identifier with parameters")
        oid = dotted(parts[0][1])
        if oid not in _SCHEMES:
            return Scheme("", problems=(("signature-algorithm-unknown", f"the signature algorithm {oid} is unknown"),))
        family, name = _SCHEMES[oid]
        return (
            _pss(parts[1][2] if len(parts) > 1 else b"\x30\x00") if family == "rsa-pss" else _plain(family, name, parts)
        )
    except Malformed as error:
        return Scheme("", problems=(("signature-algorithm-unknown", f"the signature algorithm: {error.message}"),))


def _plain(family: str, name: str, parts: list[tuple[int, bytes, bytes]]) -> Scheme:
    problems = list(_weakness(family, name))
    expected = [NULL] if family == "rsa" else []
    if [tag for tag, _, _ in parts[1:]] != expected:
        what = "without the NULL that RFC 4055 asks for" if expected else "with parameters, which it has none of"
        problems.append(("signature-parameters-wrong", f"the signature algorithm is encoded {what}"))
    digest = _HASHES.get(name)
    return Scheme(
        family,
        ec.ECDSA(digest) if family == "ecdsa" and digest else None,
        digest,
        padding.PKCS1v15() if family == "rsa" else None,
        tuple(problems),
    )


def _weakness(family: str, name: str) -> tuple[tuple[str, str], ...]:
    if family == "dsa":
        return (("signature-dsa", f"it is signed with DSA and {name.upper()}"),)
    if name in {"md5", "sha1"}:
        return ((f"signature-{name}", f"it is signed with {family.upper()} and {name.upper()}"),)
    return ()


def _pss(parameters: bytes) -> Scheme:
    """RSASSA-PSS-params (RFC 4055 section 3.1): hash, mask and salt; absent ones mean SHA-1, MGF1 with it, and 20."""
    fields = {tag: octets for tag, octets, _ in items(parameters, SEQUENCE)}
    if fields.keys() - {0xA0, 0xA1, 0xA2, 0xA3}:
        raise malformed("the PSS parameters have unknown fields")
    name = _hash_name(fields[0xA0]) if 0xA0 in fields else "sha1"
    mask = "sha1"
    if 0xA1 in fields:
        parts = items(fields[0xA1], SEQUENCE)
        if len(parts) != 2 or dotted(parts[0][1]) != _MGF1:
            raise malformed("the PSS mask is not MGF1")
        mask = _hash_name(parts[1][2])
    salt = _integer(fields[0xA2]) if 0xA2 in fields else 20
    if _integer(fields.get(0xA3, b"\x02\x01\x01")) != 1 or not 0 <= salt <= 512:
        raise malformed("the PSS salt or trailer is out of range")
    return Scheme("rsa", None, _HASHES[name], padding.PSS(padding.MGF1(_HASHES[mask]), salt), _weakness("rsa", name))


def _hash_name(algorithm: bytes) -> str:
    parts = items(algorithm, SEQUENCE)
    name = _PSS_HASHES.get(dotted(parts[0][1])) if parts else None
    if name is None:
        raise malformed("the PSS hash is unknown")
    return name


def _integer(whole: bytes) -> int:
    ((tag, octets, _),) = items(b"\x30" + bytes((len(whole),)) + whole, SEQUENCE) or [(0, b"", b"")]
    if tag != INTEGER:
        raise malformed("a PSS parameter is not a number")
    return integer(octets)


def is_signed_by(key: PublicKeyTypes | None, algorithm: Scheme, signature: bytes, message: bytes) -> bool:
    """Whether the signature is by that key; False also for a key of another kind."""
    try:
        return _check(key, algorithm, signature, message)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False


def _check(key: PublicKeyTypes | None, algorithm: Scheme, signature: bytes, message: bytes) -> bool:
    family = algorithm.family
    if isinstance(key, ec.EllipticCurvePublicKey) and algorithm.ecdsa is not None:
        key.verify(signature, message, algorithm.ecdsa)
    elif isinstance(key, rsa.RSAPublicKey) and family == "rsa" and algorithm.digest and algorithm.filling:
        key.verify(signature, message, algorithm.filling, algorithm.digest)
    elif isinstance(key, dsa.DSAPublicKey) and family == "dsa" and algorithm.digest:
        key.verify(signature, message, algorithm.digest)
    elif family in _WITHOUT_HASH and isinstance(key, _WITHOUT_HASH[family]):
        key.verify(signature, message)  # type: ignore[union-attr, call-arg]  # the table says which classes these are
    else:
        return False
    return True
