"""Keys whose private half is printed in a standard, by their key_identifier() (RFC 9500 section 2 and others)."""

from collections.abc import Mapping

PUBLISHED: Mapping[bytes, str] = {
    bytes.fromhex("7cd3de5fe6448e2990b8194fa489398e3e9b4dc2"): "RFC 9500 section 2.1, testRSA2048",
    bytes.fromhex("234878c68de1c6f3b306cb9a8b305fc6e96405f2"): "RFC 9500 section 2.3, testECCP256",
    bytes.fromhex("94b2bd50d983edcc6c2e14935cc30b906b2a277e"): "RFC 9500 section 2.3, testECCP384",
    bytes.fromhex("6182aa47d1711ae3f4ee7fb1ea2b4b87cee5b6c3"): "RFC 9421 appendix B.1.2, test-key-rsa-pss",
    bytes.fromhex("9f4db0c3f5057e21750e7d8f6b00b1701bb7ad49"): "RFC 9421 appendix B.1.3, test-key-ecc-p256",
    bytes.fromhex("b16c2d1bead1262639764fdb0ee4d3774599336b"): "RFC 9421 appendix B.1.4, test-key-ed25519",
    bytes.fromhex("e744c0791320c3285460eddb523f14c88d857ada"): "RFC 8410 section 10",
}
