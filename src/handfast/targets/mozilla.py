"""Mozilla's Server Side TLS guideline 6.0 (2026-04-06), in the spelling of OpenSSL: shared by all who run on it."""

from handfast.targets.contract import Level

# TLS 1.2 at the intermediate level: ECDHE for forward secrecy and AEAD, nothing else. TLS 1.3 has its own, all good.
CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
)
GROUPS = ("X25519", "prime256v1", "secp384r1")
# OpenSSL before 3.5 does not know it, and refuses the whole list then.
HYBRID_GROUP = "X25519MLKEM768"
VERSIONS = {Level.MODERN: ("TLSv1.3",), Level.INTERMEDIATE: ("TLSv1.2", "TLSv1.3")}


def groups(*, hybrid: bool) -> str:
    """The key exchange groups, colon-separated; hybrid puts the post-quantum one first (OpenSSL 3.5)."""
    return ":".join(((HYBRID_GROUP, *GROUPS)) if hybrid else GROUPS)
