"""Cipher suites of Mozilla's Server Side TLS 6.0 in OpenSSL's spelling: ECDHE and AEAD only."""

# TLS 1.3 has good suites only and needs no list; this is for TLS 1.2 at the intermediate level.
TLS_1_2 = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
)

OPENSSL_TLS_1_2 = ":".join(TLS_1_2)
