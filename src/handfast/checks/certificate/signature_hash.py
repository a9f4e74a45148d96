"""The signature's hash is one that nobody can collide (RFC 9325 section 4.4)."""

from collections.abc import Iterator

from cryptography.hazmat.primitives import hashes

from handfast.findings import Finding, Severity
from handfast.pki.draft import Draft

CODES = {
    "signature-algorithm-unknown": "the certificate is signed with an algorithm that little software knows",
    "weak-signature-hash": "the certificate is signed with SHA-1 or MD5: a forged one can have the same signature",
}


_STRONG = (hashes.SHA256, hashes.SHA384, hashes.SHA512, hashes.SHA3_256, hashes.SHA3_384, hashes.SHA3_512)


def check(draft: Draft) -> Iterator[Finding]:
    """Algorithms that bring their own hash (Ed25519, ML-DSA) are strong."""
    if not draft.has_known_signature:
        message = "the certificate is signed with an algorithm that handfast does not know"
        fix = "issue it again from a CA with an EC, RSA, Ed25519 or ML-DSA key"
        yield Finding("signature-algorithm-unknown", Severity.WARNING, message, fix, "RFC 5280 section 4.1.1.2")
    algorithm = draft.signature_hash
    if algorithm is not None and not isinstance(algorithm, _STRONG):
        message = f"the certificate is signed with {algorithm.name}"
        yield Finding("weak-signature-hash", Severity.ERROR, message, "issue it again", "RFC 9325 section 4.4")
