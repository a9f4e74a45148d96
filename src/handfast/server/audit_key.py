"""The key that signs heads of the audit log: of the authority, and of none of its CAs."""

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from handfast.ca.audit_head import AUDIT_KEY
from handfast.keys.files import PUBLIC, make_directory, write_atomically
from handfast.keys.generate import generate_key
from handfast.pki.keys import KeyKind, PrivateKey
from handfast.server.assembly import Parts
from handfast.server.layout import CERTIFICATES

PUBLIC_KEY = "audit.pub"


def audit_key(parts: Parts) -> PrivateKey:
    """The key; made when it is first needed, on record. Raises ConfigError without its passphrase."""
    if AUDIT_KEY in parts.keys.names():
        return parts.keys.load(AUDIT_KEY)
    key = generate_key(KeyKind.P256)
    is_encrypted = parts.keys.save(AUDIT_KEY, key)
    public = key.public_key()
    identifier = x509.SubjectKeyIdentifier.from_public_key(public).digest.hex()
    encryption = "argon2id" if is_encrypted else "none"
    parts.store.append(parts.record("audit.key-made", key=identifier, encryption=encryption))
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    write_atomically(make_directory(parts.directory / CERTIFICATES) / PUBLIC_KEY, pem, mode=PUBLIC)
    return key
